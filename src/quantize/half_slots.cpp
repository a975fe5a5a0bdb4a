#include <algorithm>
#include <array>
#include <map>

#include "core/fail.h"
#include "graph/op_schema.h"
#include "quantize/half_guard.h"

namespace pare {
namespace {

/// Inputs that the definition would let be float16, but that hold positions or are small anyway: with a type variable
/// of their own they may stay float32 beside float16 data.
const std::map<std::string, std::vector<std::size_t>, std::less<>>& float32_inputs() {
  static const std::map<std::string, std::vector<std::size_t>, std::less<>> kInputs = {
      {"Resize", {1}}, {"OneHot", {0, 1}}, {"GridSample", {1}}, {"Dropout", {1}}};
  return kInputs;
}

/// Operators whose float32 result is made from none, with a type attribute that can be rewritten.
bool has_writable_type(const Node& node) { return node.is("Cast") || node.is("ConstantOfShape"); }

/// Generators take their type from an attribute or from their input, and runtimes have them for float32 alone.
bool is_generator(const Node& node) {
  static constexpr std::array kOps = {
      "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "EyeLike",        "Bernoulli",
      "Range",        "HannWindow",    "HammingWindow",    "BlackmanWindow",    "MelWeightMatrix"};
  return node.domain.empty() && std::find(kOps.begin(), kOps.end(), node.op_type) != kOps.end();
}

bool is_quantized(const Node& node) {
  return node.domain.empty() && (node.op_type.find("QuantizeLinear") != std::string::npos ||
                                 node.op_type.find("DequantizeLinear") != std::string::npos);
}

struct Sides {
  const std::vector<std::string>& names;
  const std::vector<ParameterType>& types;
  std::vector<bool>& slots;
};

/// Marks the float32 positions that may be float16; false if one of them may not and shares no decision.
void mark(const HalfFacts& facts, const Node& node, Sides side, bool inputs, HalfSlots& slots, bool& fixed_output) {
  const auto kept = float32_inputs().find(node.op_type);
  for (std::size_t i = 0; i < side.names.size(); ++i) {
    if (side.names[i].empty()) continue;
    const DType dtype = facts.dtype(side.names[i]);
    if (dtype == DType::kUndefined && slots.refusal.empty())
      slots.refusal = fmt::format("the type of '{}' is unknown", side.names[i]);
    if (dtype != DType::kFloat32) continue;
    slots.touches_float32 = true;
    const ParameterType& type = side.types[i];
    const bool stays = inputs && node.domain.empty() && kept != float32_inputs().end() &&
                       std::find(kept->second.begin(), kept->second.end(), i) != kept->second.end();
    if (!stays && !type.variable.empty() && type.allows(DType::kFloat16))
      side.slots[i] = true;
    else if (!inputs)
      fixed_output = true;
  }
}

}  // namespace

HalfSlots half_slots(const HalfFacts& facts, const Node& node) {
  HalfSlots slots;
  slots.inputs.assign(node.inputs.size(), false);
  slots.outputs.assign(node.outputs.size(), false);
  const auto signature = op_signature(node, facts.model().opset());
  if (!signature || node.has_subgraph()) {
    const auto touches = [&](const std::vector<std::string>& names) {
      return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
        return !name.empty() && (facts.is_float32(name) || facts.dtype(name) == DType::kUndefined);
      });
    };
    slots.touches_float32 = node.has_subgraph() || touches(node.inputs) || touches(node.outputs);
    if (node.has_subgraph())
      slots.refusal = "its body stays in float32, and with it what the body reads from outside";
    else
      slots.refusal =
          fmt::format("operator set {} of ONNX does not define {}, nothing tells its types", facts.model().opset(),
                      node.domain.empty() ? node.op_type : node.domain + "." + node.op_type);
    return slots;
  }
  bool fixed_output = false;
  mark(facts, node, {node.inputs, signature->inputs, slots.inputs}, true, slots, fixed_output);
  mark(facts, node, {node.outputs, signature->outputs, slots.outputs}, false, slots, fixed_output);
  if (!slots.refusal.empty()) {
    slots.touches_float32 = true;
    return slots;
  }
  if (!slots.touches_float32) return slots;

  const bool reads = std::find(slots.inputs.begin(), slots.inputs.end(), true) != slots.inputs.end();
  const bool makes = std::find(slots.outputs.begin(), slots.outputs.end(), true) != slots.outputs.end();
  if (fixed_output)
    slots.refusal = fmt::format("the definition of {} has a float32 output", node.op_type);
  else if (is_quantized(node))
    slots.refusal = "its arithmetic is quantized already, and scales vanish in float16";
  else if (is_generator(node))
    slots.refusal = "runtimes generate these numbers in float32 only";
  else if (!reads && !makes)
    slots.refusal = fmt::format("the definition of {} does not allow float16 in operator set {}", node.op_type,
                                facts.model().opset());
  else if (!reads && !has_writable_type(node))
    slots.refusal = fmt::format("{} makes float32 by itself", node.op_type);
  slots.source = slots.refusal.empty() && !reads;
  slots.transparent = slots.refusal.empty() && !makes && (node.is("Shape") || node.is("Size") || node.is("Cast"));
  return slots;
}

}  // namespace pare
