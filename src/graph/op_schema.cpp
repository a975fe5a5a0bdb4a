#include "graph/op_schema.h"

#include <algorithm>
#include <climits>

#include <onnx/defs/schema.h>

namespace pare {
namespace {

using onnx::OpSchema;

/// ONNX writes "tensor(float16)"; sequences, maps and optionals are left out.
DType dtype_of(const std::string& text) {
  static constexpr std::pair<const char*, DType> kNames[] = {
      {"tensor(float)", DType::kFloat32},       {"tensor(double)", DType::kFloat64},
      {"tensor(float16)", DType::kFloat16},     {"tensor(uint8)", DType::kUint8},
      {"tensor(int8)", DType::kInt8},           {"tensor(uint16)", DType::kUint16},
      {"tensor(int16)", DType::kInt16},         {"tensor(uint32)", DType::kUint32},
      {"tensor(int32)", DType::kInt32},         {"tensor(uint64)", DType::kUint64},
      {"tensor(int64)", DType::kInt64},         {"tensor(bool)", DType::kBool},
      {"tensor(string)", DType::kString},       {"tensor(bfloat16)", DType::kBFloat16},
      {"tensor(complex64)", DType::kComplex64}, {"tensor(complex128)", DType::kComplex128},
  };
  for (const auto& [name, dtype] : kNames)
    if (text == name) return dtype;
  return DType::kUndefined;
}

/// The parameter that stands for position `index`: its own, or the variadic last one. Null: beyond the end.
const OpSchema::FormalParameter* parameter(const std::vector<OpSchema::FormalParameter>& formal, std::size_t index) {
  if (index < formal.size()) return &formal[index];
  if (!formal.empty() && formal.back().GetOption() == OpSchema::Variadic) return &formal.back();
  return nullptr;
}

bool resolve(const OpSchema& schema, const std::vector<OpSchema::FormalParameter>& formal, std::size_t count,
             std::vector<ParameterType>& types) {
  for (std::size_t i = 0; i < count; ++i) {
    const OpSchema::FormalParameter* found = parameter(formal, i);
    if (!found) return false;
    ParameterType type;
    for (const auto* text : found->GetTypes())
      if (const DType dtype = dtype_of(*text); dtype != DType::kUndefined) type.allowed.push_back(dtype);
    std::sort(type.allowed.begin(), type.allowed.end());
    if (schema.typeConstraintMap().contains(found->GetTypeStr())) type.variable = found->GetTypeStr();
    if (found->GetOption() == OpSchema::Variadic && !found->GetIsHomogeneous())
      type.variable += "#" + std::to_string(i);
    types.push_back(std::move(type));
  }
  return true;
}

}  // namespace

bool ParameterType::allows(DType dtype) const noexcept {
  return std::find(allowed.begin(), allowed.end(), dtype) != allowed.end();
}

std::optional<OpSignature> op_signature(const Node& node, std::int64_t opset) {
  const auto version = static_cast<int>(std::clamp<std::int64_t>(opset, 1, INT_MAX));
  const OpSchema* schema = onnx::OpSchemaRegistry::Schema(node.op_type, version, node.domain);
  if (!schema || schema->deprecated()) return std::nullopt;
  OpSignature signature;
  signature.since_version = schema->since_version();
  if (!resolve(*schema, schema->inputs(), node.inputs.size(), signature.inputs) ||
      !resolve(*schema, schema->outputs(), node.outputs.size(), signature.outputs))
    return std::nullopt;
  return signature;
}

}  // namespace pare
