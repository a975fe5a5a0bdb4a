// scale_channels.h - a per-channel scale and shift taken into the weights of the layer before or behind it.
#pragma once

#include <string>
#include <vector>

#include "pare/tensor.h"
#include "rewrite/graph_edit.h"

namespace pare {

/// y[c] = scale[c] * x[c] + shift[c].
struct ChannelAffine {
  std::vector<double> scale, shift;
};

/// Conv, ConvTranspose, Gemm.
[[nodiscard]] bool is_layer(const Node& node);

/// Channels that the layer makes, by its weight; 0 if the weight is no constant.
[[nodiscard]] std::int64_t output_channels(const GraphEdit& edit, std::int64_t layer);

/// The layer's output becomes affine(output). Returns "" when done; else why it cannot be, and nothing has changed.
[[nodiscard]] std::string absorb_behind(GraphEdit& edit, std::int64_t layer, const ChannelAffine& affine);
/// The layer's input becomes affine(input), likewise. With a shift only where every output sees all of its inputs: no
/// padding, no ConvTranspose.
[[nodiscard]] std::string absorb_before(GraphEdit& edit, std::int64_t layer, const ChannelAffine& affine);

/// Elements widened to double. float32 and float64 only.
[[nodiscard]] std::vector<double> to_doubles(const Tensor& tensor);
/// Rounded once to `like`'s type, in its shape unless another is given.
[[nodiscard]] Tensor from_doubles(const Tensor& like, const std::vector<double>& values, const Shape& shape);
/// "" if arithmetic on the tensor is exact enough, else the reason: no constant, or a type that would be rounded again.
[[nodiscard]] std::string unfit_constant(const Tensor& tensor, std::string_view what);

}  // namespace pare
