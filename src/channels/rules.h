// rules.h - how channels pass each operator, one file per family.
#pragma once

#include <string_view>

#include "channels/label_flow.h"

namespace pare {

using ChannelRule = void (*)(NodeFlow&);

/// Null: the operator is not known, its inputs are frozen.
[[nodiscard]] ChannelRule find_channel_rule(const Node& node);

// rules/layers.cpp
void flow_convolution(NodeFlow& flow);
void flow_gemm(NodeFlow& flow);
void flow_matmul(NodeFlow& flow);
// rules/elementwise.cpp
void flow_unary(NodeFlow& flow);
void flow_elementwise(NodeFlow& flow);
// rules/movement.cpp
void flow_reshape(NodeFlow& flow);
void flow_same_elements(NodeFlow& flow);  ///< Flatten, Squeeze, Unsqueeze: a reshape that spells no size
void flow_transpose(NodeFlow& flow);
void flow_expand(NodeFlow& flow);
void flow_tile(NodeFlow& flow);
void flow_concat(NodeFlow& flow);
void flow_pad(NodeFlow& flow);
// rules/selection.cpp
void flow_slice(NodeFlow& flow);
void flow_split(NodeFlow& flow);
void flow_gather(NodeFlow& flow);
// rules/norms.cpp
void flow_batchnorm(NodeFlow& flow);
void flow_instancenorm(NodeFlow& flow);
void flow_groupnorm(NodeFlow& flow);
void flow_layernorm(NodeFlow& flow);
void flow_softmax(NodeFlow& flow);
void flow_local_response(NodeFlow& flow);
// rules/spatial.cpp
void flow_pool(NodeFlow& flow);
void flow_resize(NodeFlow& flow);
void flow_depth_to_space(NodeFlow& flow);
void flow_space_to_depth(NodeFlow& flow);
void flow_sample(NodeFlow& flow);  ///< GridSample, RoiAlign
// rules/reduce.cpp
void flow_reduce(NodeFlow& flow);
void flow_along_axis(NodeFlow& flow);  ///< ArgMax, CumSum, TopK, Hardmax ...: mixes one axis
void flow_shape(NodeFlow& flow);       ///< Shape, Size: reads no element

/// Labels of the broadcast of several operands; elements that meet are tied. Shared by every operator that adds,
/// multiplies or compares.
struct Operand {
  Labels labels;
  Shape shape;
};
[[nodiscard]] Labels join_operands(NodeFlow& flow, std::vector<Operand> operands, const Shape& out);
/// Cuts a constant operand along with output `output`, numpy's way of aligning axes.
void follow_output(NodeFlow& flow, std::size_t input, std::size_t output = 0);

}  // namespace pare
