// small_values.h - computes the small integer and scale tensors that graphs make their shapes from.
#pragma once

#include <functional>
#include <optional>

#include "graph/small_numbers.h"

namespace pare {

/// The output of a node with one output, given its inputs (empty tensor: unknown or left out) and the known shapes of
/// its inputs (for Shape and Size). Covers what exporters build shapes, pads, slices and scales with: Shape, Gather,
/// Concat, Slice, Cast, arithmetic ... Empty tensor: unknown, or of more than kMostSmallValues elements.
[[nodiscard]] Tensor small_value(const Node& node, const std::vector<Tensor>& inputs,
                                 const std::function<std::optional<Shape>(std::size_t input)>& input_shape);

}  // namespace pare
