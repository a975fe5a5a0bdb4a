#include <algorithm>

#include "core/fail.h"
#include "rewrite/upgrade_node.h"

namespace pare {
namespace {

Node new_node(std::string name, std::string op_type, std::vector<std::string> inputs, std::string output) {
  Node node;
  node.name = std::move(name);
  node.op_type = std::move(op_type);
  node.inputs = std::move(inputs);
  node.outputs = {std::move(output)};
  return node;
}

}  // namespace

/// Before opset 13 Softmax ran over all dimensions from `axis` on as one; now over `axis` alone.
NodeUpgrade upgrade_softmax(Node& node, UpgradeSite& site) {
  const std::int64_t axis = node.int_or("axis", 1);
  const auto shape = site.known_shape(node.input(0));
  if (shape) {
    const auto rank = static_cast<std::int64_t>(shape->size());
    const std::int64_t first = axis < 0 ? axis + rank : axis;
    std::vector<std::int64_t> wide;
    for (std::int64_t i = std::max<std::int64_t>(first, 0); i < rank; ++i)
      if ((*shape)[static_cast<std::size_t>(i)] != 1) wide.push_back(i);
    if (first >= 0 && first < rank && wide.size() <= 1) {
      node.set_attribute("axis", wide.empty() ? rank - 1 : wide[0]);
      return {fmt::format("axis {} alone", node.int_or("axis", 1)), {}};
    }
  } else if (axis == -1) {
    return {};
  }
  const std::string input = node.input(0), output = node.output(0);
  const std::string flat = site.fresh(output + "_flat"), result = site.fresh(output + "_rows"),
                    sizes = site.fresh(output + "_shape");
  site.insert_before(new_node(site.fresh(output + "_sizes"), "Shape", {input}, sizes));
  site.insert_before(new_node(site.fresh(output + "_flatten"), "Flatten", {input}, flat));
  site.before.back().set_attribute("axis", axis);
  site.insert_behind(new_node(site.fresh(output + "_back"), "Reshape", {result, sizes}, output));
  node.inputs[0] = flat;
  node.outputs[0] = result;
  node.set_attribute("axis", std::int64_t{-1});
  return {fmt::format("flattened from axis {} on, which is what the old opset meant", axis), {}};
}

}  // namespace pare
