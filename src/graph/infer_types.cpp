#include <onnx/shape_inference/implementation.h>

#include "graph/proto.h"
#include "pare/model_io.h"

namespace pare {
namespace {

constexpr std::int64_t kKeptInitializerBytes = 4096;  // shapes and indices are small; weights are not read by inference

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
  if (!input_shapes.empty())
    for (ValueInfo& output : slim.graph.outputs)
      if (output.opaque_type.empty()) output.shape.reset();
  onnx::ModelProto proto = to_proto(slim, {.write_data = {}, .initializers_as_inputs_above = kKeptInitializerBytes});
  try {
    infer(proto, true);
  } catch (const std::exception&) {
    // Data propagation stumbles over some valid graphs; without it less is known, but nothing wrong.
    proto = to_proto(slim, {.write_data = {}, .initializers_as_inputs_above = kKeptInitializerBytes});
    try {
      infer(proto, false);
    } catch (const std::exception&) {
      proto = to_proto(model, {.write_data = {}, .initializers_as_inputs_above = kKeptInitializerBytes});
    }
  }
  ValueTypes types;
  collect(proto.graph(), types);
  for (const auto& entry : model.graph.initializers) {
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
