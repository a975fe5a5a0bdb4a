// filters.h - the weights that make one output channel of a layer.
#pragma once

#include <string>
#include <vector>

#include "pare/channels.h"

namespace pare {

/// By output channel of the layer, in double and in the weight's order. Empty if the weight is no stored float tensor,
/// or the left operand of a MatMul.
[[nodiscard]] std::vector<std::vector<double>> filters_of(const Graph& graph, const GraphIndex& index,
                                                          std::int64_t node);

/// |gamma| / sqrt(variance + epsilon) by channel, where a BatchNormalization is the one reader of the node's output;
/// else empty.
[[nodiscard]] std::vector<double> batchnorm_scales(const Graph& graph, const GraphIndex& index, std::int64_t node);

}  // namespace pare
