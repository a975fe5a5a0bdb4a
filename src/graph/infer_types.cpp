#include <onnx/shape_inference/implementation.h>

#include <algorithm>

#include "graph/proto.h"
#include "graph/small_values.h"
#include "pare/model_io.h"

namespace pare {
namespace {

constexpr std::int64_t kKeptInitializerBytes = 4096;  // shapes and indices are small; weights are not read by inference
constexpr int kMostRounds = 16;

/// Types go into proto's value_info.
void infer(onnx::ModelProto& proto, bool propagate_data) {
  onnx::shape_inference::InferShapes(proto, onnx::OpSchemaRegistry::Instance(),
                                     onnx::ShapeInferenceOptions(false, 0, propagate_data));
}

void collect(const onnx::GraphProto& graph, ValueTypes& types) {
  const auto add = [&](const onnx::ValueInfoProto& proto) {
    ValueInfo info = from_proto(proto);
    types[info.name] = std::move(info);
  };
  for (const auto& info : graph.value_info()) add(info);
  for (const auto& info : graph.input()) add(info);
  for (const auto& info : graph.output()) add(info);
}

/// Whether small_value may have something to say of the node's output.
bool may_be_small(const ValueTypes& types, const std::string& value) {
  const auto found = types.find(value);
  if (found == types.end() || found->second.dtype == DType::kUndefined) return true;
  const std::optional<Shape> shape = found->second.static_shape();
  return !shape || element_count(*shape) <= kMostSmallValues;
}

/// Computes what can be computed without running the graph; where a shape depends on it, the value becomes an
/// initializer for onnx to see: it follows such values through few operators, and old versions of Reshape, Pad and
/// others look at initializers only. Returns true if there was anything new.
bool fix_small_values(Graph& graph, const onnx::GraphProto& types_so_far) {
  ValueTypes types;
  collect(types_so_far, types);
  std::unordered_map<std::string, Tensor> values;
  const auto value_of = [&](const std::string& name) -> Tensor {
    if (const auto found = values.find(name); found != values.end()) return found->second;
    const Tensor* weight = graph.initializers.find(name);
    return weight != nullptr && weight->size_bytes() <= kKeptInitializerBytes ? *weight : Tensor();
  };
  std::vector<Node> rest;
  bool changed = false;
  for (Node& node : graph.nodes) {
    Tensor value;
    if (node.is("Constant")) {
      rest.push_back(node);
      Graph alone;
      alone.nodes.push_back(std::move(node));
      values[alone.nodes[0].output(0)] = alone.constant(alone.nodes[0].output(0));
      continue;
    }
    if (node.outputs.size() == 1 && may_be_small(types, node.output(0))) {
      std::vector<Tensor> inputs;
      for (const std::string& input : node.inputs) inputs.push_back(input.empty() ? Tensor() : value_of(input));
      value = small_value(node, inputs, [&](std::size_t index) -> std::optional<Shape> {
        if (const auto found = types.find(node.input(index)); found != types.end()) return found->second.static_shape();
        const Tensor* weight = graph.initializers.find(node.input(index));
        return weight != nullptr ? std::optional(weight->shape()) : std::nullopt;
      });
    }
    if (value.empty() || graph.find_output(node.output(0)) != nullptr) {
      rest.push_back(std::move(node));
      continue;
    }
    graph.initializers.set(node.output(0), value);
    changed = true;
  }
  graph.nodes = std::move(rest);
  return changed;
}

/// onnx knows no operator of ONNX Runtime's own; for their shapes these are the same as its own ones.
void rename_fused_operators(Graph& graph) {
  for (Node& node : graph.nodes) {
    if (node.domain != "com.microsoft" || (node.op_type != "FusedConv" && node.op_type != "FusedGemm")) continue;
    node.op_type = node.op_type.substr(5);
    node.domain.clear();
    node.inputs.resize(std::min<std::size_t>(node.inputs.size(), 3));
    std::erase_if(node.attributes, [](const Attribute& attribute) { return attribute.name.starts_with("activation"); });
  }
}

onnx::ModelProto inferred(Model& slim) {
  const WriteOptions options{.write_data = {}, .initializers_as_inputs_above = kKeptInitializerBytes};
  onnx::ModelProto proto;
  for (int round = 0; round < kMostRounds; ++round) {
    proto = to_proto(slim, options);
    infer(proto, true);
    if (!fix_small_values(slim.graph, proto.graph())) break;
  }
  return proto;
}

onnx::ModelProto inferred_somehow(Model& slim) {
  const WriteOptions options{.write_data = {}, .initializers_as_inputs_above = kKeptInitializerBytes};
  try {
    return inferred(slim);
  } catch (const std::exception&) {
    // Data propagation stumbles over some valid graphs; without it less is known, but nothing wrong.
  }
  onnx::ModelProto proto = to_proto(slim, options);
  try {
    infer(proto, false);
    return proto;
  } catch (const std::exception&) {
    return to_proto(slim, options);
  }
}

}  // namespace

ValueTypes infer_types(const Model& model, const std::map<std::string, Shape>& input_shapes) {
  Model slim = model;
  // What a file declares of inner values may be stale; what it declares of its outputs may hide a number behind a
  // symbol.
  slim.graph.value_info.clear();
  for (ValueInfo& input : slim.graph.inputs) {
    const auto given = input_shapes.find(input.name);
    if (given == input_shapes.end()) continue;
    input.shape.emplace();
    for (const std::int64_t dim : given->second) input.shape->push_back({.value = dim, .symbol = {}, .denotation = {}});
  }
  rename_fused_operators(slim.graph);
  for (ValueInfo& output : slim.graph.outputs) {
    // No dimensions at all is what old exporters write when they do not know.
    const bool vague = output.shape && output.shape->empty();
    if (output.opaque_type.empty() && (vague || !input_shapes.empty())) output.shape.reset();
  }
  const onnx::ModelProto proto = inferred_somehow(slim);
  ValueTypes types;
  collect(proto.graph(), types);
  for (const auto& entry : slim.graph.initializers) {  // computed values too
    ValueInfo info;
    info.name = entry.name;
    info.dtype = entry.tensor.dtype();
    info.shape.emplace();
    for (const std::int64_t dim : entry.tensor.shape())
      info.shape->push_back({.value = dim, .symbol = {}, .denotation = {}});
    types[entry.name] = std::move(info);
  }
  return types;
}

}  // namespace pare
