#include "quantize/ranges.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/fail.h"

namespace pare {
namespace {

constexpr int kLevels = 256;
constexpr int kCandidates = 64;  // fractions of the full range that the searches try

Range with_zero(double low, double high) { return {std::min(low, 0.0), std::max(high, 0.0)}; }

/// Relative importance of an error at this value: the squared slope of what reads it.
double importance(double value, Reader reader) {
  if (reader == Reader::kLinear) return 1;
  const double curve = 1 / (1 + std::exp(-value));
  const double slope = 4 * curve * (1 - curve);
  return slope * slope;
}

Range percentile_range(const ActivationStats& stats, double percentile) {
  const Histogram& histogram = stats.histogram;
  const double tail = (1 - percentile / 100) / 2 * static_cast<double>(histogram.count());
  const auto bins = histogram.bins();
  const auto n = static_cast<std::int64_t>(bins.size());
  double low = 0, high = 0, seen = 0;
  // From the outside in; the bin in which the tail is used up bounds the range, zero ends the walk.
  for (std::int64_t i = 0; i < Histogram::kSideBins; ++i) {
    seen += static_cast<double>(bins[static_cast<std::size_t>(i)]);
    if (seen > tail) {
      low = histogram.center(i) - histogram.bin_width() / 2;
      break;
    }
  }
  seen = 0;
  for (std::int64_t i = n - 1; i >= Histogram::kSideBins; --i) {
    seen += static_cast<double>(bins[static_cast<std::size_t>(i)]);
    if (seen > tail) {
      high = histogram.center(i) + histogram.bin_width() / 2;
      break;
    }
  }
  return with_zero(std::max<double>(low, stats.low), std::min<double>(high, stats.high));
}

Range mse_range(const ActivationStats& stats, Reader reader) {
  const Range full = with_zero(stats.low, stats.high);
  Range best = full;
  double least = reconstruction_error(stats.histogram, params_of(full), reader);
  const auto consider = [&](const Range& range) {
    const double error = reconstruction_error(stats.histogram, params_of(range), reader);
    if (error < least) {
      least = error;
      best = range;
    }
  };
  // One end at a time, twice: the ends hardly depend on each other.
  for (int round = 0; round < 2; ++round) {
    for (int i = 1; i < kCandidates && full.high > 0; ++i) consider({best.low, full.high * i / kCandidates});
    for (int i = 1; i < kCandidates && full.low < 0; ++i) consider({full.low * i / kCandidates, best.high});
    if (full.low == 0 || full.high == 0) break;
  }
  return best;
}

/// KL divergence of the distribution of nonzero values from its quantized image: what lies outside is added to the
/// outermost bins inside, the image spreads the mass of each level evenly over the occupied bins that it covers.
double divergence(const Histogram& histogram, const Range& range) {
  const auto bins = histogram.bins();
  const double width = histogram.bin_width();
  const auto first = std::max<std::int64_t>(0, Histogram::kSideBins + std::llround(std::floor(range.low / width)));
  const auto last = std::min<std::int64_t>(static_cast<std::int64_t>(bins.size()),
                                           Histogram::kSideBins + std::llround(std::ceil(range.high / width)));
  if (last - first < 2) return std::numeric_limits<double>::infinity();
  std::vector<double> real(bins.begin() + first, bins.begin() + last);
  std::vector<double> inside = real;
  for (std::int64_t i = 0; i < first; ++i) real.front() += static_cast<double>(bins[static_cast<std::size_t>(i)]);
  for (std::size_t i = static_cast<std::size_t>(last); i < bins.size(); ++i)
    real.back() += static_cast<double>(bins[i]);
  const auto n = static_cast<std::int64_t>(real.size());
  std::vector<double> image(real.size(), 0);
  double total_real = 0, total_image = 0;
  for (std::int64_t level = 0; level < kLevels; ++level) {
    const std::int64_t from = level * n / kLevels, to = (level + 1) * n / kLevels;
    double mass = 0;
    std::int64_t occupied = 0;
    for (std::int64_t i = from; i < to; ++i) {
      mass += inside[static_cast<std::size_t>(i)];
      occupied += real[static_cast<std::size_t>(i)] > 0 ? 1 : 0;
    }
    for (std::int64_t i = from; i < to && occupied > 0; ++i)
      if (real[static_cast<std::size_t>(i)] > 0)
        image[static_cast<std::size_t>(i)] = mass / static_cast<double>(occupied);
  }
  for (std::size_t i = 0; i < real.size(); ++i) total_real += real[i], total_image += image[i];
  if (total_real == 0 || total_image == 0) return std::numeric_limits<double>::infinity();
  // An occupied bin whose image is empty (an outlier bin with nothing inside) costs as if a thousandth of a count lay
  // there.
  double sum = 0;
  for (std::size_t i = 0; i < real.size(); ++i) {
    if (real[i] == 0) continue;
    const double p = real[i] / total_real;
    const double q = std::max(image[i], 1e-3) / total_image;
    sum += p * std::log(p / q);
  }
  return sum;
}

Range entropy_range(const ActivationStats& stats) {
  const Range full = with_zero(stats.low, stats.high);
  Range best = full;
  double least = std::numeric_limits<double>::infinity();
  for (int i = kCandidates; i >= kCandidates / 8; --i) {
    const double part = static_cast<double>(i) / kCandidates;
    const Range range{full.low * part, full.high * part};
    const double value = divergence(stats.histogram, range);
    if (value < least) {
      least = value;
      best = range;
    }
  }
  return best;
}

Range auto_range(const ActivationStats& stats, const RangeOptions& options) {
  const Range candidates[] = {with_zero(stats.low, stats.high), percentile_range(stats, options.percentile),
                              mse_range(stats, options.reader), entropy_range(stats)};
  Range best = candidates[0];
  double least = std::numeric_limits<double>::infinity();
  for (const Range& range : candidates) {
    const double error = reconstruction_error(stats.histogram, params_of(range), options.reader);
    if (error < least) {
      least = error;
      best = range;
    }
  }
  return best;
}

}  // namespace

RangeMethod parse_range_method(std::string_view word) {
  if (word == "minmax") return RangeMethod::kMinMax;
  if (word == "percentile") return RangeMethod::kPercentile;
  if (word == "mse") return RangeMethod::kMse;
  if (word == "entropy") return RangeMethod::kEntropy;
  if (word == "auto") return RangeMethod::kAuto;
  fail(ErrorCode::kInvalidArgument, "unknown calibration method '{}'\n  known: minmax, percentile, mse, entropy, auto",
       word);
}

bool needs_histogram(RangeMethod method) noexcept { return method != RangeMethod::kMinMax; }

QuantParams params_of(const Range& range) {
  const Range full = with_zero(range.low, range.high);
  const double step = (full.high - full.low) / (kLevels - 1);
  QuantParams params;
  // A range that float cannot divide into steps is no range: everything in it is zero.
  if (!(step >= std::numeric_limits<float>::min())) return params;
  params.scale = static_cast<float>(step);
  if (full.low == 0 && static_cast<double>(params.scale) * (kLevels - 1) > full.high)
    params.scale = std::nextafter(params.scale, 0.0f);
  params.zero_point = static_cast<std::uint8_t>(std::clamp(std::nearbyint(-full.low / step), 0.0, kLevels - 1.0));
  return params;
}

Range covered(const QuantParams& params) noexcept {
  const double scale = params.scale;
  return {-scale * params.zero_point, scale * (kLevels - 1 - params.zero_point)};
}

double reconstruction_error(const Histogram& histogram, const QuantParams& params, Reader reader) {
  const auto bins = histogram.bins();
  if (histogram.count() == 0) return 0;
  const double scale = params.scale;
  const double low = -static_cast<double>(params.zero_point), high = kLevels - 1.0 + low;
  double sum = 0;
  for (std::size_t i = 0; i < bins.size(); ++i) {
    if (bins[i] == 0) continue;
    const double value = histogram.center(static_cast<std::int64_t>(i));
    const double nearest = scale * std::clamp(std::nearbyint(value / scale), low, high);
    sum += static_cast<double>(bins[i]) * importance(value, reader) * (value - nearest) * (value - nearest);
  }
  return sum / static_cast<double>(histogram.count());
}

std::int64_t clipped_count(const Histogram& histogram, const Range& range) {
  const auto bins = histogram.bins();
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < bins.size(); ++i) {
    const double value = histogram.center(static_cast<std::int64_t>(i));
    if (value < range.low || value > range.high) sum += bins[i];
  }
  return sum;
}

Range choose_range(const ActivationStats& stats, const RangeOptions& options) {
  const Range full = with_zero(stats.low, stats.high);
  if (options.method == RangeMethod::kMinMax || stats.histogram.bins().empty()) return full;
  switch (options.method) {
    case RangeMethod::kPercentile:
      return percentile_range(stats, options.percentile);
    case RangeMethod::kMse:
      return mse_range(stats, options.reader);
    case RangeMethod::kEntropy:
      return entropy_range(stats);
    default:
      return auto_range(stats, options);
  }
}

}  // namespace pare
