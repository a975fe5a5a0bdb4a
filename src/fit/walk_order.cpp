#include <algorithm>

#include "fit/lockstep.h"
#include "fit/sub_model.h"

namespace pare {
std::vector<std::int64_t> walk_order(const Graph& graph) {
  const auto count = static_cast<std::int64_t>(graph.nodes.size());
  std::unordered_map<std::string, std::int64_t> makers;
  for (std::int64_t i = 0; i < count; ++i)
    for (const std::string& output : graph.nodes[static_cast<std::size_t>(i)].outputs)
      if (!output.empty()) makers[output] = i;
  // Nodes stand in topological order, so one pass gives the longest way from an input.
  std::vector<std::int64_t> depth(graph.nodes.size(), 0);
  std::vector<std::vector<std::int64_t>> before(graph.nodes.size());
  std::vector<bool> read(graph.nodes.size(), false);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    for (const std::string& name : values_read(graph.nodes[at])) {
      const auto maker = makers.find(name);
      if (maker == makers.end()) continue;
      before[at].push_back(maker->second);
      read[static_cast<std::size_t>(maker->second)] = true;
      depth[at] = std::max(depth[at], depth[static_cast<std::size_t>(maker->second)] + 1);
    }
    std::stable_sort(before[at].begin(), before[at].end(), [&](std::int64_t a, std::int64_t b) {
      return depth[static_cast<std::size_t>(a)] < depth[static_cast<std::size_t>(b)];
    });
  }
  // Depth first from the ends, without recursion: networks may be deep.
  std::vector<std::int64_t> order;
  std::vector<std::size_t> next(graph.nodes.size(), 0);
  std::vector<bool> seen(graph.nodes.size(), false);
  std::vector<std::int64_t> stack;
  for (std::int64_t end = 0; end < count; ++end) {
    if (read[static_cast<std::size_t>(end)] || seen[static_cast<std::size_t>(end)]) continue;
    stack.push_back(end);
    seen[static_cast<std::size_t>(end)] = true;
    while (!stack.empty()) {
      const auto node = static_cast<std::size_t>(stack.back());
      if (next[node] < before[node].size()) {
        const std::int64_t child = before[node][next[node]++];
        if (!seen[static_cast<std::size_t>(child)]) {
          seen[static_cast<std::size_t>(child)] = true;
          stack.push_back(child);
        }
        continue;
      }
      if (!graph.nodes[node].is("Constant")) order.push_back(stack.back());
      stack.pop_back();
    }
  }
  return order;
}

}  // namespace pare
