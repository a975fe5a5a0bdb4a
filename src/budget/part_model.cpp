#include "budget/part_model.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "core/random.h"
#include "pare/model_io.h"

namespace pare {
namespace {

constexpr std::int64_t kSmallConstant = 64;  // larger ones are weights: only their shape tells parts apart

class Extractor {
 public:
  Extractor(const Model& model, const std::set<std::string>& outputs, const Trace& trace, std::uint64_t seed)
      : source_(model), index_(model.graph), wanted_(outputs), trace_(trace), rng_(seed) {
    part_.model.ir_version = model.ir_version;
    part_.model.opset_imports = model.opset_imports;
    part_.model.functions = model.functions;
    part_.model.graph.name = "part";
  }

  std::optional<PartModel> run() {
    for (const Node& node : source_.graph.nodes)
      if (wanted_.contains(node.output(0)) && !add(node)) return std::nullopt;
    if (!add_outputs()) return std::nullopt;
    part_.structure = structure();
    return std::move(part_);
  }

 private:
  std::string rename(const std::string& value) {
    return names_.try_emplace(value, "v" + std::to_string(names_.size())).first->second;
  }

  bool add(const Node& node) {
    if (node.has_subgraph()) return false;
    Node copy = node;
    copy.name.clear();
    copy.doc.clear();
    copy.metadata.clear();
    for (std::string& input : copy.inputs) {
      if (input.empty()) continue;
      if (!names_.contains(input) && !add_operand(input)) return false;
      input = names_.at(input);
    }
    for (std::string& output : copy.outputs)
      if (!output.empty()) {
        made_.push_back(output);
        output = rename(output);
      }
    part_.model.graph.nodes.push_back(std::move(copy));
    return true;
  }

  bool add_operand(const std::string& value) {
    if (const Tensor constant = index_.constant(value); !constant.empty()) {
      part_.model.graph.initializers.set(rename(value), constant);
      return true;
    }
    if (const auto content = trace_.contents.find(value); content != trace_.contents.end()) {
      part_.model.graph.initializers.set(rename(value), content->second);
      return true;
    }
    const auto shape = trace_.shapes.find(value);
    const auto dtype = trace_.dtypes.find(value);
    if (shape == trace_.shapes.end() || dtype == trace_.dtypes.end()) return false;
    ValueInfo info;
    info.name = rename(value);
    info.dtype = dtype->second;
    info.shape.emplace();
    for (const std::int64_t size : shape->second) {
      Dim& dim = info.shape->emplace_back();
      dim.value = size;
    }
    part_.model.graph.inputs.push_back(info);
    if (dtype->second != DType::kFloat32) {
      part_.inputs[info.name] = Tensor::zeros(dtype->second, shape->second);
      return true;
    }
    std::vector<float> values(static_cast<std::size_t>(element_count(shape->second)));
    for (float& number : values) number = static_cast<float>(rng_.uniform());
    part_.inputs[info.name] = Tensor::of<float>(shape->second, values);
    return true;
  }

  bool add_outputs() {
    const GraphIndex inside(part_.model.graph);
    for (const std::string& value : made_) {
      const auto uses_inside = inside.uses(names_.at(value)).size();
      const bool leaves = index_.is_output(value) || uses_inside == 0 || index_.uses(value).size() > uses_inside;
      if (!leaves) continue;
      const auto dtype = trace_.dtypes.find(value);
      if (dtype == trace_.dtypes.end()) {
        if (uses_inside == 0) continue;  // a second output that nobody reads
        return false;
      }
      ValueInfo info;
      info.name = names_.at(value);
      info.dtype = dtype->second;
      part_.model.graph.outputs.push_back(std::move(info));
    }
    return !part_.model.graph.outputs.empty();
  }

  std::string structure() const {
    Model bare = part_.model;
    for (const auto& entry : part_.model.graph.initializers)
      if (entry.tensor.element_count() > kSmallConstant || is_float(entry.tensor.dtype()))
        bare.graph.initializers.set(entry.name, Tensor::of<std::int64_t>({entry.tensor.rank()}, entry.tensor.shape()));
    return serialize_model(bare);
  }

  const Model& source_;
  GraphIndex index_;
  const std::set<std::string>& wanted_;
  const Trace& trace_;
  Rng rng_;
  PartModel part_;
  std::unordered_map<std::string, std::string> names_;
  std::vector<std::string> made_;
};

}  // namespace

std::set<std::int64_t> nodes_of_group(const Graph& graph, const GraphIndex& index, const ChannelFlow& flow,
                                      std::int64_t group) {
  std::set<std::int64_t> ends, nodes;
  for (const ChannelLayer& layer : flow.layers)
    if (!layer.depthwise) ends.insert(layer.node);
  std::vector<std::string> open;
  for (const std::int64_t producer : flow.groups.at(static_cast<std::size_t>(group)).producers) {
    const std::int64_t node = flow.layers[static_cast<std::size_t>(producer)].node;
    nodes.insert(node);
    open.push_back(graph.nodes[static_cast<std::size_t>(node)].output(0));
  }
  while (!open.empty()) {
    const std::string value = open.back();
    open.pop_back();
    for (const GraphIndex::Use& use : index.uses(value)) {
      if (!nodes.insert(use.node).second || ends.contains(use.node)) continue;
      for (const std::string& output : graph.nodes[static_cast<std::size_t>(use.node)].outputs)
        if (!output.empty()) open.push_back(output);
    }
  }
  return nodes;
}

std::optional<PartModel> extract_part(const Model& model, const std::set<std::string>& outputs, const Trace& trace,
                                      std::uint64_t seed) {
  return Extractor(model, outputs, trace, seed).run();
}

}  // namespace pare
