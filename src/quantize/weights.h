// weights.h - weights as int8 and biases as int32.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "pare/graph.h"

namespace pare {

/// real = int8 * scale; the zero point is 0, so that what was zero stays zero.
struct QuantizedWeights {
  Tensor values;                     ///< int8, shaped as the weights
  std::vector<float> scales;         ///< one per channel, or one alone
  std::optional<std::int64_t> axis;  ///< absent: one scale for all
  std::int64_t narrowed = 0;         ///< channels that were given less than 8 bits against saturation
};

struct WeightOptions {
  std::optional<std::int64_t> axis;  ///< the dimension of output channels; absent: one scale for all
  /// Smallest scale a channel may have (for its bias, see `bias_floor`); empty: none.
  std::vector<double> floors = {};
  /// Keep the sum of any two weights of a channel that can meet in one 16-bit addition below what overflows with
  /// activations of 255: for processors without VNNI. Channels that cannot overflow keep all their bits.
  bool limit_pairs = false;
};

/// Symmetric int8 in [-127, 127], rounded half to even; a channel of zeros gets scale 1. Throws Error(kNumeric) on NaN
/// or infinity.
[[nodiscard]] QuantizedWeights quantize_weights(const Tensor& weights, const WeightOptions& options);

/// The dimension of a node's weights that holds its output channels: Conv 0, ConvTranspose 1 (absent with groups, where
/// one dimension does not name the channel), Gemm by transB, MatMul the last.
[[nodiscard]] std::optional<std::int64_t> output_axis(const Node& node, std::int64_t weight_rank);

/// |bias| / (input_scale * scale) stays below 2^29 with at least this weight scale: the sum with the products of a
/// layer remains inside of int32.
[[nodiscard]] std::vector<double> bias_floor(const std::vector<float>& bias, float input_scale);

struct QuantizedBias {
  Tensor values;  ///< int32
  std::vector<float> scales;
};
/// One scale per element: input_scale * weight_scale of its channel.
[[nodiscard]] QuantizedBias quantize_bias(const std::vector<float>& bias, float input_scale,
                                          const std::vector<float>& weight_scales);

/// uint8 image of a constant operand (the summand of an Add ...), per tensor.
[[nodiscard]] Tensor quantize_constant(const Tensor& constant, float scale, std::uint8_t zero_point);

}  // namespace pare
