// ranges.h - from what an activation was seen to hold to the range that its 256 steps cover.
#pragma once

#include <cstdint>
#include <string_view>

#include "quantize/histogram.h"

namespace pare {

/// What calibration saw of one activation.
struct ActivationStats {
  float low = 0, high = 0;  ///< smallest and largest value
  std::int64_t count = 0;
  Histogram histogram;  ///< empty when only the extremes were asked for
};

/// Always contains 0, so that padding has a value of its own.
struct Range {
  double low = 0, high = 0;
};

enum class RangeMethod {
  kMinMax,
  kPercentile,  ///< the given share of values lies inside, the rest split evenly between both ends
  kMse,         ///< least squared reconstruction error
  kEntropy,     ///< least Kullback-Leibler divergence of the values other than zero
  kAuto,        ///< per tensor the one of the four with the least error in what follows
};
/// Throws Error(kInvalidArgument).
[[nodiscard]] RangeMethod parse_range_method(std::string_view word);
[[nodiscard]] bool needs_histogram(RangeMethod method) noexcept;

/// What reads the activation, as far as it changes which errors matter.
enum class Reader {
  kLinear,   ///< a convolution, a product, a sum: every error counts alike
  kSigmoid,  ///< errors fade where the curve is flat
};

struct RangeOptions {
  RangeMethod method = RangeMethod::kMinMax;
  double percentile = 99.99;
  Reader reader = Reader::kLinear;
};
[[nodiscard]] Range choose_range(const ActivationStats& stats, const RangeOptions& options);

/// uint8 = round(value / scale) + zero_point, saturated.
struct QuantParams {
  float scale = 1;
  std::uint8_t zero_point = 0;
};
/// Zero range: scale 1. `high` is never exceeded when the zero point is 0 (an upper clamp then lies in the saturation).
[[nodiscard]] QuantParams params_of(const Range& range);
/// What the parameters can represent.
[[nodiscard]] Range covered(const QuantParams& params) noexcept;
/// Mean squared difference between the values seen and their nearest representable ones, weighted by the reader.
[[nodiscard]] double reconstruction_error(const Histogram& histogram, const QuantParams& params, Reader reader);
/// Number of values outside of the range.
[[nodiscard]] std::int64_t clipped_count(const Histogram& histogram, const Range& range);

}  // namespace pare
