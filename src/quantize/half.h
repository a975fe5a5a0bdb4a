// half.h - weights from float32 to float16: to nearest, ties to even, subnormals kept, never clamped.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pare/tensor.h"

namespace pare {

/// Largest finite float16.
inline constexpr double kHalfMax = 65504;
/// Smallest normal float16, 2^-14; what lies below loses digits, and below 2^-25 everything.
inline constexpr double kHalfNormalMin = 0x1p-14;

/// What happens to the numbers of a float32 tensor when they become float16.
struct HalfLoss {
  std::int64_t count = 0;
  std::int64_t nonzero = 0;
  std::int64_t to_zero = 0;       ///< not zero before, zero after
  std::int64_t to_subnormal = 0;  ///< not zero, below kHalfNormalMin
  std::int64_t overflow = 0;      ///< finite before, infinite after
  std::int64_t nan = 0;
  double max_abs = 0;  ///< of the finite ones
  double min_abs = 0;  ///< of the finite ones that are not zero
  /// All numbers are multiples of one half, and some of them change: a grid of coordinates, an index, a sentinel.
  bool inexact_integers = false;
};
/// Throws Error(kInvalidArgument) unless the tensor is float32.
[[nodiscard]] HalfLoss half_loss(const Tensor& tensor);

/// Throws Error(kNumeric) naming `where` if a finite number would become infinite.
[[nodiscard]] Tensor to_half(const Tensor& tensor, std::string_view where);

}  // namespace pare
