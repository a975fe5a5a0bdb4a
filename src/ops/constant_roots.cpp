#include "ops/constant_roots.h"

#include <algorithm>

namespace pare {

ConstantRoots::ConstantRoots(const Graph& graph) : index_(graph) {
  for (const auto& entry : graph.initializers) roots_[entry.name] = {entry.name};
  for (const Node& node : graph.nodes) {
    if (node.is("Constant")) {
      roots_[node.output(0)] = {node.output(0)};
      continue;
    }
    if (!computes_constants(node)) continue;
    std::set<std::string> all;
    for (const std::string& input : node.inputs) all.insert(roots(input).begin(), roots(input).end());
    for (const std::string& output : node.outputs)
      if (!output.empty()) roots_[output] = all;
  }
}

bool ConstantRoots::computes_constants(const Node& node) const {
  if (node.is("Constant")) return true;
  // No inputs and not Constant: a source of random numbers, or something of another domain.
  const bool reads =
      std::any_of(node.inputs.begin(), node.inputs.end(), [](const auto& name) { return !name.empty(); });
  if (!reads || node.has_subgraph()) return false;
  if (node.op_type.starts_with("Random") || node.is("Bernoulli") || node.is("Multinomial")) return false;
  return std::all_of(node.inputs.begin(), node.inputs.end(),
                     [&](const std::string& input) { return input.empty() || is_constant(input); });
}

const std::set<std::string>& ConstantRoots::roots(const std::string& value) const {
  static const std::set<std::string> kNone;
  const auto found = roots_.find(value);
  return found == roots_.end() ? kNone : found->second;
}

}  // namespace pare
