#include "quantize/summary.h"

#include <numeric>
#include <vector>

namespace pare {
namespace {

class Groups {
 public:
  explicit Groups(std::size_t count) : parent_(count) { std::iota(parent_.begin(), parent_.end(), std::size_t{0}); }
  std::size_t find(std::size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void join(std::size_t a, std::size_t b) { parent_[find(a)] = find(b); }

 private:
  std::vector<std::size_t> parent_;
};

}  // namespace

IntegerSummary summarize(const Graph& graph, const Plan& plan) {
  IntegerSummary summary;
  const GraphIndex index(graph);
  const std::size_t n = graph.nodes.size();
  Groups groups(n);
  std::vector<bool> reads_integer(n, false), feeds_integer(n, false), on_path(n, false);
  for (std::size_t i = 0; i < n; ++i) {
    if (plan.states[i] != NodeState::kFloat) {
      summary.quantized_ops += plan.states[i] == NodeState::kInteger ? 1 : 0;
      continue;
    }
    for (const std::string& input : graph.nodes[i].inputs) {
      if (input.empty()) continue;
      const std::int64_t producer = index.producer(input);
      const auto p = static_cast<std::size_t>(producer);
      if (producer < 0) {
        on_path[i] = on_path[i] || graph.find_input(input) != nullptr;
      } else if (plan.states[p] != NodeState::kFloat) {
        reads_integer[i] = on_path[i] = true;
      } else if (on_path[p]) {
        on_path[i] = true;
        groups.join(i, p);
      }
    }
    for (const std::string& output : graph.nodes[i].outputs)
      for (const GraphIndex::Use& use : index.uses(output))
        if (plan.states[static_cast<std::size_t>(use.node)] != NodeState::kFloat) feeds_integer[i] = true;
    summary.float_ops += on_path[i] ? 1 : 0;
  }
  std::vector<bool> reads(n, false), feeds(n, false);
  for (std::size_t i = 0; i < n; ++i) {
    if (!on_path[i] || plan.states[i] != NodeState::kFloat) continue;
    const std::size_t group = groups.find(i);
    reads[group] = reads[group] || reads_integer[i];
    feeds[group] = feeds[group] || feeds_integer[i];
  }
  for (std::size_t i = 0; i < n; ++i) summary.islands += reads[i] && feeds[i] ? 1 : 0;
  return summary;
}

}  // namespace pare
