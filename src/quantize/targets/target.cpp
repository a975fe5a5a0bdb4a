#include "quantize/targets/target.h"

#include "core/fail.h"

namespace pare {

const OpRule* Target::find(const Node& node) const noexcept {
  if (!node.domain.empty()) return nullptr;
  for (const OpRule& rule : rules)
    if (node.op_type == rule.op) return &rule;
  return nullptr;
}

const Target& find_target(std::string_view name) {
  if (name == "onnxruntime") return onnxruntime_target();
  if (name == "openvino") return openvino_target();
  fail(ErrorCode::kInvalidArgument, "unknown quantization target '{}'\n  known: onnxruntime, openvino", name);
}

std::string declines_unless_nearest(const Node& node, const Graph&) {
  return node.string_or("mode", "nearest") == "nearest" ? "" : "only nearest-neighbour resizing keeps the scale";
}

std::string declines_unless_constant_pad(const Node& node, const Graph& graph) {
  if (node.string_or("mode", "constant") != "constant") return "";
  if (node.input(2).empty()) return "";
  const Tensor value = graph.constant(node.input(2));
  if (value.empty() || value.dtype() != DType::kFloat32) return "its padding value is not constant";
  return value.data<float>()[0] == 0 ? "" : "it pads with a value other than zero";
}

std::string declines_transposed_input(const Node& node, const Graph&) {
  return node.int_or("transA", 0) == 0 ? "" : "its input is transposed";
}

}  // namespace pare
