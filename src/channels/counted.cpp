#include "channels/counted.h"

#include <algorithm>
#include <array>
#include <set>
#include <span>
#include <unordered_map>
#include <vector>

namespace pare {
namespace {

using Sources = std::set<std::string>;  ///< labelled tensors of which an element counts channels

constexpr std::array<std::string_view, 8> kMoves = {"Squeeze", "Unsqueeze", "Reshape",   "Identity",
                                                    "Flatten", "Cast",      "Transpose", "Dropout"};
constexpr std::array<std::string_view, 12> kArithmetic = {"Add", "Sub",   "Mul",  "Div", "Mod",   "Min",
                                                          "Max", "Floor", "Ceil", "Neg", "Where", "Equal"};

bool holds(std::span<const std::string_view> list, const Node& node) {
  return node.domain.empty() && std::find(list.begin(), list.end(), node.op_type) != list.end();
}

/// Inputs that are shapes, positions or sizes and nothing else.
bool spells_size(const Node& node, std::size_t input) {
  if (input == 0) return node.is("ConstantOfShape") || node.is("Range");
  return node.is("Reshape") || node.is("Expand") || node.is("Slice") || node.is("Split") || node.is("Tile") ||
         node.is("Pad") || node.is("Resize") || node.is("Upsample") || node.is("Range") || node.is("Gather");
}

class Counter {
 public:
  Counter(const Graph& graph, const Trace& trace, const ConstantRoots& constants,
          const std::function<const Labels*(const std::string&)>& labels_of,
          const std::function<void(const Labels&, const std::string&)>& freeze)
      : graph_(graph), trace_(trace), constants_(constants), labels_of_(labels_of), freeze_(freeze) {}

  void run() {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) visit(graph_.nodes[i], static_cast<std::int64_t>(i));
    for (const ValueInfo& output : graph_.outputs)
      if (const auto counts = counts_.find(output.name); counts != counts_.end())
        for (const Sources& sources : counts->second)
          end(sources, "their number is in the output '" + output.name + "'");
  }

 private:
  void visit(const Node& node, std::int64_t index) {
    if (node.is("Shape") || node.is("Size")) return count(node);
    bool any = false;
    for (const std::string& input : node.inputs) any = any || counts_.contains(input);
    if (!any) return;
    if (node.is("Concat")) return join(node);
    if ((node.is("Gather") || node.is("Slice")) && counts_.contains(node.input(0))) return pick(node);
    if (holds(kMoves, node) && counts_.contains(node.input(0))) {
      counts_[node.output(0)] = counts_.at(node.input(0));
      return;
    }
    const auto shape = trace_.shapes.find(node.output(0));
    if (holds(kArithmetic, node) && shape != trace_.shapes.end() && small(node))
      return mix(node, element_count(shape->second));
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      if (const auto counts = counts_.find(node.input(i)); counts != counts_.end() && !spells_size(node, i))
        for (const Sources& sources : counts->second)
          end(sources, node_label(node, index) + ": it computes with their number");
  }

  /// A few numbers that sizes are made from, not data with channels.
  [[nodiscard]] bool small(const Node& node) const {
    constexpr std::int64_t kMost = 16;
    const auto is_small = [&](const std::string& value) {
      const auto shape = trace_.shapes.find(value);
      return value.empty() || (labels_of_(value) == nullptr && shape != trace_.shapes.end() &&
                               shape->second.size() < 2 && element_count(shape->second) <= kMost);
    };
    return std::all_of(node.inputs.begin(), node.inputs.end(), is_small) && is_small(node.output(0));
  }

  void count(const Node& node) {
    const Labels* labels = labels_of_(node.input(0));
    if (labels == nullptr) return;
    std::vector<Sources> counts;
    Sources all;
    for (std::int64_t axis = 0; axis < labels->rank(); ++axis) {
      counts.emplace_back();
      if (!labels->varies(axis)) continue;
      counts.back().insert(node.input(0));
      all.insert(node.input(0));
    }
    if (node.is("Size"))
      counts = {all};
    else if (node.find_attribute("start") != nullptr || node.find_attribute("end") != nullptr) {
      const auto rank = static_cast<std::int64_t>(counts.size());
      const auto clamp = [&](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank); };
      const std::int64_t start = clamp(node.int_or("start", 0)),
                         stop = std::max(start, clamp(node.int_or("end", rank)));
      counts = std::vector<Sources>(counts.begin() + start, counts.begin() + stop);
    }
    keep(node.output(0), std::move(counts));
  }

  void keep(const std::string& value, std::vector<Sources> counts) {
    if (std::any_of(counts.begin(), counts.end(), [](const Sources& one) { return !one.empty(); }))
      counts_[value] = std::move(counts);
  }

  [[nodiscard]] std::vector<Sources> counts_of(const std::string& value) const {
    if (const auto known = counts_.find(value); known != counts_.end()) return known->second;
    const auto shape = trace_.shapes.find(value);
    return std::vector<Sources>(shape == trace_.shapes.end() ? 1
                                                             : static_cast<std::size_t>(element_count(shape->second)));
  }

  void join(const Node& node) {
    std::vector<Sources> all;
    for (const std::string& input : node.inputs)
      for (Sources& one : counts_of(input)) all.push_back(std::move(one));
    keep(node.output(0), std::move(all));
  }

  /// Which elements a Gather or Slice of a list takes is seen from what came out for the positions 0, 1, 2 ...
  void pick(const Node& node) {
    const std::vector<Sources> from = counts_of(node.input(0));
    const auto size = static_cast<std::int64_t>(from.size());
    std::vector<Sources> taken;
    if (node.is("Gather")) {
      const auto indices = integers(node.input(1));
      for (const std::int64_t at : indices) taken.push_back(from.at(static_cast<std::size_t>(at < 0 ? at + size : at)));
    } else {
      const auto starts = node.inputs.size() > 1 ? integers(node.input(1)) : node.ints_or("starts", {});
      const auto shape = trace_.shapes.find(node.output(0));
      const auto steps = node.inputs.size() > 4 ? integers(node.input(4)) : std::vector<std::int64_t>{1};
      if (starts.empty() || shape == trace_.shapes.end()) return mix(node, 1);
      std::int64_t at = starts[0] < 0 ? std::max<std::int64_t>(0, starts[0] + size) : std::min(starts[0], size);
      for (std::int64_t i = 0; i < element_count(shape->second); ++i, at += steps.empty() ? 1 : steps[0])
        taken.push_back(from.at(static_cast<std::size_t>(std::clamp<std::int64_t>(at, 0, size - 1))));
    }
    keep(node.output(0), std::move(taken));
  }

  [[nodiscard]] std::vector<std::int64_t> integers(const std::string& value) const {
    if (const Tensor stored = constants_.stored(value); !stored.empty()) return stored.to_int64s();
    const auto seen = trace_.contents.find(value);
    return seen == trace_.contents.end() ? std::vector<std::int64_t>{} : seen->second.to_int64s();
  }

  void mix(const Node& node, std::int64_t size) {
    std::vector<Sources> result(static_cast<std::size_t>(size));
    for (const std::string& input : node.inputs) {
      const std::vector<Sources> counts = counts_of(input);
      for (std::size_t i = 0; i < result.size(); ++i)
        if (!counts.empty()) result[i].insert(counts[i % counts.size()].begin(), counts[i % counts.size()].end());
    }
    keep(node.output(0), std::move(result));
  }

  void end(const Sources& sources, const std::string& reason) {
    for (const std::string& source : sources)
      if (const Labels* labels = labels_of_(source)) freeze_(*labels, reason);
  }

  const Graph& graph_;
  const Trace& trace_;
  const ConstantRoots& constants_;
  const std::function<const Labels*(const std::string&)>& labels_of_;
  const std::function<void(const Labels&, const std::string&)>& freeze_;
  std::unordered_map<std::string, std::vector<Sources>> counts_;
};

}  // namespace

void freeze_counted(const Graph& graph, const Trace& trace, const ConstantRoots& constants,
                    const std::function<const Labels*(const std::string& value)>& labels_of,
                    const std::function<void(const Labels& labels, const std::string& reason)>& freeze) {
  Counter(graph, trace, constants, labels_of, freeze).run();
}

}  // namespace pare
