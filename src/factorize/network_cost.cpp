#include "factorize/network_cost.h"

#include <map>
#include <string>

#include "ops/macs.h"
#include "ops/parameters.h"

namespace pare {

double network_cost(const Model& model, const Trace& trace, CostKind kind) {
  double total = 0;
  if (kind == CostKind::kMacs) {
    const ShapeOf shape_of = [&](std::string_view value) -> std::optional<Shape> {
      if (const auto found = trace.shapes.find(std::string(value)); found != trace.shapes.end()) return found->second;
      const Tensor constant = model.graph.constant(value);
      return constant.empty() ? std::nullopt : std::optional(constant.shape());
    };
    for (const Node& node : model.graph.nodes) total += static_cast<double>(node_macs(node, shape_of).value_or(0));
    return total;
  }
  std::map<std::string, std::int64_t> counted;
  const GraphIndex index(model.graph);
  for (const Node& node : model.graph.nodes)
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const Tensor constant = index.constant(node.inputs[i]);
      if (!constant.empty() && is_parameter(node, i, constant.dtype(), constant.element_count()))
        counted[node.inputs[i]] = constant.element_count();
    }
  for (const auto& [name, elements] : counted) total += static_cast<double>(elements);
  return total;
}

}  // namespace pare
