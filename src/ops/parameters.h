// parameters.h - which of a node's constant inputs are parameters of the network.
#pragma once

#include "pare/graph.h"

namespace pare {

/// Whether a constant of that type and size at that input is set by training: weights, biases, scales and shifts,
/// slopes. Not running statistics, limits, quantization parameters, or single numbers in element by element
/// arithmetic.
[[nodiscard]] bool is_parameter(const Node& node, std::size_t input, DType dtype, std::int64_t elements);

}  // namespace pare
