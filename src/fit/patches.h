// patches.h - what a layer sees at sampled output positions, as rows of a matrix.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "fit/linear_layer.h"
#include "pare/tensor.h"

namespace pare {

/// Positions of a layer's output: samples times places of a convolution, rows of a matrix product.
[[nodiscard]] std::int64_t position_count(const LinearLayer& layer, const Shape& output);

/// `wanted` different positions of `total`, ascending and spread evenly: one at random out of each of `wanted` equal
/// stretches. All of them if there are no more.
[[nodiscard]] std::vector<std::int64_t> sample_positions(std::int64_t total, std::int64_t wanted, std::uint64_t seed);

/// One row per position: the taps of each of `channels` (input channels of the layer, in that order; padding is 0),
/// then 1 if `constant`. `rows` holds positions.size() rows of channels.size() * taps (+ 1).
void gather_patches(const LinearLayer& layer, std::span<const std::int64_t> channels, const Tensor& input,
                    const Shape& output, std::span<const std::int64_t> positions, bool constant, float* rows);

/// One row per position of a value shaped like the layer's output: adds `factor` times its channels to `rows`.
void add_outputs(const LinearLayer& layer, const Tensor& value, std::span<const std::int64_t> positions, float factor,
                 float* rows);

}  // namespace pare
