// fake_quantize.h - floats rounded to the steps of an integer type, with gradients to the floats and to the step.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace pare {

/// The integers that a value is stored in: q = clamp(round(x / scale) + zero_point, low, high).
struct IntegerGrid {
  double zero_point = 0, low = -128, high = 127;
  /// Of weights: no two of a channel with the same sign add up to more than 128, so that 16-bit sums of two products
  /// with activations up to 255 cannot overflow (processors without VNNI). A single level up to 64 always may.
  bool limit_pairs = false;
};

/// (q - zero_point) * scale of every element, for one scale. The gradient passes where q was not clamped (straight
/// through). If `scale` requires a gradient it gets that of LSQ (arXiv 1902.08153): round(x / scale) - x / scale inside
/// the range, q - zero_point outside, scaled by 1 / sqrt(elements of a sample * levels above the zero point). float32.
[[nodiscard]] at::Tensor fake_quantize(const at::Tensor& x, const at::Tensor& scale, const IntegerGrid& grid);

/// The same with one scale for each index of dimension `axis`, or one alone. Made for weights.
[[nodiscard]] at::Tensor fake_quantize_channels(const at::Tensor& weight, const at::Tensor& scale, std::int64_t axis,
                                                const IntegerGrid& grid);
/// What fake_quantize_channels() rounds to: q, as floats; without gradients.
[[nodiscard]] at::Tensor quantized_levels(const at::Tensor& weight, const at::Tensor& scale, std::int64_t axis,
                                          const IntegerGrid& grid);

/// One scale per index of `axis` as it broadcasts against x; a single one without dimensions.
[[nodiscard]] at::Tensor along_axis(const at::Tensor& scale, const at::Tensor& x, std::int64_t axis);

}  // namespace pare
