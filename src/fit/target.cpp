#include "fit/target.h"

namespace pare {
namespace {

/// The value after nodes that hand it on unchanged and that alone read it.
std::string through_identities(const Graph& graph, const GraphIndex& index, std::string value) {
  for (;;) {
    const std::int64_t reader = index.sole_consumer(value);
    if (reader < 0) return value;
    const Node& node = graph.nodes[static_cast<std::size_t>(reader)];
    if (!node.is("Identity") && !node.is("Dropout")) return value;
    value = node.output(0);
  }
}

bool single_number(const Tensor& tensor) {
  return !tensor.empty() && tensor.dtype() == DType::kFloat32 && tensor.element_count() == 1;
}

}  // namespace

void find_bounds(const Graph& graph, const GraphIndex& index, FitTarget& target) {
  target.clipped = false;
  target.lower = -std::numeric_limits<float>::infinity();
  target.upper = std::numeric_limits<float>::infinity();
  const std::int64_t reader = index.sole_consumer(through_identities(graph, index, target.value));
  if (reader < 0) return;
  const Node& node = graph.nodes[static_cast<std::size_t>(reader)];
  if (node.is("Relu")) {
    target.clipped = true;
    target.lower = 0;
  } else if (node.is("Clip") && node.find_attribute("min") == nullptr && node.find_attribute("max") == nullptr) {
    const Tensor low = index.constant(node.input(1)), high = index.constant(node.input(2));
    const bool fixed_low = node.input(1).empty() || single_number(low);
    const bool fixed_high = node.input(2).empty() || single_number(high);
    if (!fixed_low || !fixed_high) return;
    target.clipped = true;
    if (!low.empty()) target.lower = low.data<float>()[0];
    if (!high.empty()) target.upper = high.data<float>()[0];
  }
}

FitTarget find_target(const Graph& graph, const GraphIndex& index, const LinearLayer& layer,
                      const std::unordered_map<std::string, Shape>& shapes,
                      const std::function<bool(const std::string&)>& known_before) {
  FitTarget target;
  target.value = layer.output;
  const std::string last = through_identities(graph, index, layer.output);
  const std::int64_t reader = index.sole_consumer(last);
  if (reader >= 0) {
    const Node& node = graph.nodes[static_cast<std::size_t>(reader)];
    const auto shape = shapes.find(layer.output);
    bool usable = (node.is("Add") || node.is("Sum")) && shape != shapes.end();
    std::vector<std::string> others;
    for (const std::string& input : node.inputs) {
      if (input == last) continue;
      const auto other = shapes.find(input);
      usable = usable && !input.empty() && index.constant(input).empty() && other != shapes.end() &&
               other->second == shape->second && known_before(input);
      others.push_back(input);
    }
    if (usable && others.size() + 1 == node.inputs.size()) {
      target.value = node.output(0);
      target.minus = std::move(others);
    }
  }
  find_bounds(graph, index, target);
  return target;
}

}  // namespace pare
