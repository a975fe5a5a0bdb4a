#include "step/select.h"

#include <algorithm>

#include "core/fail.h"
#include "core/words.h"

namespace pare {
namespace {

bool matches(const Node& node, const std::string& word) {
  const auto same = [&](const std::string& text) { return !text.empty() && matches_pattern(text, word); };
  // A name may hold characters that are special in patterns: the word itself comes first.
  if (node.name == word || node.op_type == word) return true;
  return same(node.name) || same(node.op_type) || std::any_of(node.outputs.begin(), node.outputs.end(), same);
}

std::vector<bool> matched(const Graph& graph, const std::string& word, const char* option) {
  std::vector<bool> result;
  for (const Node& node : graph.nodes) result.push_back(matches(node, word));
  if (std::find(result.begin(), result.end(), true) != result.end()) return result;
  std::vector<std::string> known;
  for (const Node& node : graph.nodes)
    for (const std::string& name : {node.name, node.op_type})
      if (!name.empty() && std::find(known.begin(), known.end(), name) == known.end()) known.push_back(name);
  fail(ErrorCode::kInvalidArgument, "{}: no node, operator type or output is called '{}'{}", option, word,
       nearest_hint(word, known));
}

}  // namespace

std::vector<std::string> user_reasons(const Graph& graph, const std::vector<std::string>& exclude,
                                      const std::vector<std::string>& only) {
  std::vector<std::string> reasons(graph.nodes.size());
  if (!only.empty()) {
    std::fill(reasons.begin(), reasons.end(), "not among the nodes asked for (only)");
    for (const std::string& word : only) {
      const std::vector<bool> hit = matched(graph, word, "only");
      for (std::size_t i = 0; i < hit.size(); ++i)
        if (hit[i]) reasons[i].clear();
    }
  }
  for (const std::string& word : exclude) {
    const std::vector<bool> hit = matched(graph, word, "exclude");
    for (std::size_t i = 0; i < hit.size(); ++i)
      if (hit[i]) reasons[i] = fmt::format("excluded by '{}'", word);
  }
  return reasons;
}

}  // namespace pare
