// op_schema.h - what ONNX's own operator definitions say about the types of a node's inputs and outputs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pare/graph.h"

namespace pare {

/// Type of one input or output of a node, as the operator's definition has it.
struct ParameterType {
  std::string variable;        ///< "T": equal for all parameters that must have one type; "" for a fixed type
  std::vector<DType> allowed;  ///< dense tensor types only
  [[nodiscard]] bool allows(DType dtype) const noexcept;
};

/// One entry per actual input and output of the node; variadic parameters are repeated. Variables of inhomogeneous
/// variadic parameters (each may have its own type) are told apart as "V#0", "V#1".
struct OpSignature {
  std::int64_t since_version = 0;
  std::vector<ParameterType> inputs, outputs;
};

/// The definition of the node's operator in the given version of its operator set. nullopt: unknown domain, unknown
/// operator, deprecated, or more inputs or outputs than the definition takes.
[[nodiscard]] std::optional<OpSignature> op_signature(const Node& node, std::int64_t opset);

}  // namespace pare
