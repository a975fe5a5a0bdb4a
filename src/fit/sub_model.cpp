#include "fit/sub_model.h"

#include <unordered_set>

namespace pare {

std::vector<std::string> values_read(const Node& node) {
  std::vector<std::string> names = node.inputs;
  for (const Attribute& attribute : node.attributes) {
    const auto take = [&](const std::shared_ptr<const Graph>& graph) {
      if (graph == nullptr) return;
      for (std::string& name : captured_values(*graph)) names.push_back(std::move(name));
    };
    if (const auto* graph = std::get_if<std::shared_ptr<const Graph>>(&attribute.value)) take(*graph);
    if (const auto* graphs = std::get_if<std::vector<std::shared_ptr<const Graph>>>(&attribute.value))
      for (const auto& graph : *graphs) take(graph);
  }
  return names;
}

Model sub_model(const Model& model, std::span<const std::int64_t> nodes, const NamedTensors& inputs, bool dynamic,
                const std::vector<std::string>& outputs) {
  const Graph& from = model.graph;
  Model part;
  part.ir_version = model.ir_version;
  part.opset_imports = model.opset_imports;
  part.functions = model.functions;
  part.graph.name = "part";
  std::unordered_set<std::string> wanted;
  for (const std::int64_t node : nodes) {
    part.graph.nodes.push_back(from.nodes[static_cast<std::size_t>(node)]);
    for (std::string& name : values_read(part.graph.nodes.back()))
      if (!inputs.contains(name)) wanted.insert(std::move(name));
  }
  for (const Initializers::Entry& entry : from.initializers)
    if (wanted.contains(entry.name)) part.graph.initializers.set(entry.name, entry.tensor);
  for (const Node& node : from.nodes)
    if (node.is("Constant") && wanted.contains(node.output(0)))
      if (const Tensor constant = from.constant(node.output(0)); !constant.empty())
        part.graph.initializers.set(node.output(0), constant);
  for (const auto& [name, tensor] : inputs) {
    ValueInfo info;
    info.name = name;
    info.dtype = tensor.dtype();
    if (!dynamic) {
      info.shape.emplace();
      for (const std::int64_t size : tensor.shape())
        info.shape->push_back({.value = size, .symbol = "", .denotation = ""});
    }
    part.graph.inputs.push_back(std::move(info));
  }
  for (const std::string& name : outputs) {
    ValueInfo info;
    info.name = name;
    part.graph.outputs.push_back(std::move(info));
  }
  return part;
}

}  // namespace pare
