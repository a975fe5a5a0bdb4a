// Before:        y = Relu(t), t = Conv(x)
// After:         t = Conv(x), y = Relu(t)
// Fires when:    a node stands before one whose output it, or a subgraph of it, reads
// Declines when: the nodes are in order already; a cycle is an error
// Formula:       of the nodes that have all they read, the one that stood first comes next
#include "rewrite/rewrites.h"

namespace pare {
namespace {

StepResult run(const Model& model, Context&) {
  StepResult result;
  result.model = model;
  if (!sort_topologically(result.model.graph)) return result;
  for (std::size_t i = 0; i < model.graph.nodes.size(); ++i) {
    const Node& now = result.model.graph.nodes[i];
    const Node& old = model.graph.nodes[i];
    if (now.outputs == old.outputs) continue;
    ++result.changes;
    result.done.push_back({node_label(now, static_cast<std::int64_t>(i)), now.op_type, "moved behind what it reads"});
  }
  return result;
}

}  // namespace

StepInfo sort_topologically() {
  return rewrite_step("sort_topologically", "Puts every node behind the nodes it reads", run);
}

}  // namespace pare
