#include <onnx/checker.h>
#include <onnx/shape_inference/implementation.h>

#include "core/fail.h"
#include "core/words.h"
#include "graph/check_dimensions.h"
#include "graph/proto.h"
#include "pare/model_io.h"

namespace pare {
namespace {

/// Names defined once, every input known, every output made, nodes in order.
void check_names(const Graph& graph, std::unordered_set<std::string> known, bool is_main) {
  std::unordered_set<std::string> own;
  const auto define = [&](const std::string& name, const std::string& where) {
    if (!own.insert(name).second) fail(ErrorCode::kMalformedModel, "{}: value '{}' is defined twice", where, name);
    known.insert(name);
  };
  for (const ValueInfo& input : graph.inputs) define(input.name, "graph input");
  for (const auto& entry : graph.initializers)
    if (is_main || !own.contains(entry.name)) define(entry.name, "initializer");
  for (const std::string& sparse : graph.sparse_initializers)
    define(sparse_initializer_name(sparse), "sparse initializer");
  std::vector<std::string> all(known.begin(), known.end());
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const std::string label = node_label(node, static_cast<std::int64_t>(i));
    for (const std::string& input : node.inputs)
      if (!input.empty() && !known.contains(input))
        fail(ErrorCode::kMalformedModel,
             "{}: input '{}' is made by no node, and is neither a graph input nor an initializer{}", label, input,
             nearest_hint(input, all));
    for (const Attribute& attribute : node.attributes) {
      if (const auto* one = std::get_if<std::shared_ptr<const Graph>>(&attribute.value))
        check_names(**one, known, false);
      if (const auto* many = std::get_if<std::vector<std::shared_ptr<const Graph>>>(&attribute.value))
        for (const auto& inner : *many) check_names(*inner, known, false);
    }
    for (const std::string& output : node.outputs)
      if (!output.empty()) define(output, label), all.push_back(output);
  }
  for (const ValueInfo& output : graph.outputs)
    if (!known.contains(output.name))
      fail(ErrorCode::kMalformedModel, "graph output '{}' is made by no node{}", output.name,
           nearest_hint(output.name, all));
}

std::string first_line(const std::string& text) {
  const std::string line = trim(text.substr(0, text.find("\n\n")));
  return line.size() > 400 ? line.substr(0, 400) + " ..." : line;
}

}  // namespace

void check_model(const Model& model) {
  if (model.ir_version > onnx::IR_VERSION)
    fail(ErrorCode::kUnsupported,
         "the model has IR version {}; this build of pare knows up to {}\n  remedy: export it with an older ONNX",
         model.ir_version, static_cast<int>(onnx::IR_VERSION));
  if (model.opset() == 0 && model.opset_imports.empty() && model.ir_version >= 3)
    fail(ErrorCode::kMalformedModel,
         "the model imports no operator set\n  remedy: export it again, or set opset_import");
  check_names(model.graph, {}, true);
  onnx::ModelProto proto = to_proto(model, {.write_data = {}, .initializers_as_inputs_above = 4096});
  // Models of the wild leave the shapes of inputs and outputs away, or declare none ([]) where they do not know; the
  // checker wants to see one, and strict inference wants to see no wrong one.
  std::vector<onnx::ValueInfoProto*> vague;
  for (auto* list : {proto.mutable_graph()->mutable_input(), proto.mutable_graph()->mutable_output()})
    for (onnx::ValueInfoProto& info : *list)
      if (info.type().has_tensor_type() && info.type().tensor_type().shape().dim_size() == 0 &&
          (list == proto.mutable_graph()->mutable_output() || !info.type().tensor_type().has_shape())) {
        info.mutable_type()->mutable_tensor_type()->mutable_shape();
        vague.push_back(&info);
      }
  try {
    onnx::checker::check_model(proto);
  } catch (const std::exception& error) {
    fail(ErrorCode::kMalformedModel, "the model breaks ONNX's rules: {}", first_line(error.what()));
  }
  check_dimensions(model);
  for (onnx::ValueInfoProto* info : vague) info->mutable_type()->mutable_tensor_type()->clear_shape();
  try {
    onnx::shape_inference::InferShapes(proto, onnx::OpSchemaRegistry::Instance(),
                                       onnx::ShapeInferenceOptions(true, 1, true));
  } catch (const std::exception& error) {
    fail(ErrorCode::kMalformedModel, "the model's types or shapes do not fit together: {}", first_line(error.what()));
  }
}

}  // namespace pare
