// warp.h - one of the eight turns and flips together with a shift, applied to the planes of one sample.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace pare::data {

/// What is done to one sample. Pixel (y, x) of the result is pixel (rows(y), columns(x)) of the sample, or (rows(x),
/// columns(y)) if `transposed`, where rows counts backwards if `rows_backwards` and is moved by `down`; columns alike.
struct Warp {
  bool transposed = false, rows_backwards = false, columns_backwards = false;
  std::int64_t down = 0, right = 0;
  bool reflect = false;  ///< what lies outside is mirrored in, else filled
  [[nodiscard]] bool identity() const {
    return !transposed && !rows_backwards && !columns_backwards && down == 0 && right == 0;
  }
};
/// Turned by `quarters` times 90 degrees against the clock, then flipped.
[[nodiscard]] Warp turn_and_flip(std::int64_t quarters, bool horizontal_flip, bool vertical_flip);

/// Planes of height x width cells; a cell holds the bytes that move together: one element of [C, H, W], all channels of
/// a pixel of [H, W, C].
struct Planes {
  std::int64_t count = 0, height = 0, width = 0, cell = 0;
  [[nodiscard]] std::int64_t size_bytes() const { return count * height * width * cell; }
};

/// `fill`: one cell per plane. A transposed warp needs squares; shifts are smaller than the sides.
void warp(const Planes& planes, const Warp& how, std::span<const std::byte> fill, const std::byte* in, std::byte* out);

}  // namespace pare::data
