#include "quantize/histogram.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace pare {
namespace {

// Below 2^-100 the factor from value to bin would leave float's range; such values all land in the innermost bins.
constexpr int kLowestExponent = -100;
constexpr std::size_t kBlock = 512;

/// Integers in the order of the floats they stand for: compilers vectorize minimum and maximum of these, and NaN and
/// infinity lie outside of all finite values.
std::int32_t ordered_bits(float value) {
  const auto bits = std::bit_cast<std::int32_t>(value);
  return bits ^ ((bits >> 31) & 0x7fffffff);
}

float from_ordered_bits(std::int32_t bits) { return std::bit_cast<float>(bits ^ ((bits >> 31) & 0x7fffffff)); }

}  // namespace

Extremes extremes(std::span<const float> values) {
  if (values.empty()) return {};
  std::int32_t low = std::numeric_limits<std::int32_t>::max();
  std::int32_t high = std::numeric_limits<std::int32_t>::min();
  for (const float value : values) {
    const std::int32_t bits = ordered_bits(value);
    low = std::min(low, bits);
    high = std::max(high, bits);
  }
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Extremes result;
  result.finite = low > ordered_bits(-kInfinity) && high < ordered_bits(kInfinity);
  result.low = from_ordered_bits(low);
  result.high = from_ordered_bits(high);
  return result;
}

void Histogram::grow(int exponent) {
  if (bins_.empty()) {
    bins_.assign(static_cast<std::size_t>(2 * kSideBins), 0);
    exponent_ = exponent;
    return;
  }
  const int shift = exponent - exponent_;
  if (shift <= 0) return;
  std::vector<std::int64_t> merged(bins_.size(), 0);
  for (std::int64_t i = 0; i < kSideBins; ++i) {
    const std::int64_t target = shift < 32 ? i >> shift : 0;
    merged[static_cast<std::size_t>(kSideBins + target)] += bins_[static_cast<std::size_t>(kSideBins + i)];
    merged[static_cast<std::size_t>(kSideBins - 1 - target)] += bins_[static_cast<std::size_t>(kSideBins - 1 - i)];
  }
  bins_ = std::move(merged);
  exponent_ = exponent;
}

void Histogram::add(std::span<const float> values) {
  if (values.empty()) return;
  count_ += static_cast<std::int64_t>(values.size());
  const Extremes range = extremes(values);
  const float magnitude = std::max(std::fabs(range.low), std::fabs(range.high));
  if (magnitude == 0) {
    zeros_ += static_cast<std::int64_t>(values.size());
    return;
  }
  int exponent = 0;
  std::frexp(magnitude, &exponent);  // magnitude < 2^exponent
  grow(std::max(exponent, kLowestExponent));
  const float factor = std::ldexp(1.0f, 12 - exponent_);
  static_assert(kSideBins == 1 << 12);
  std::array<std::int32_t, kBlock> index;
  std::int64_t zeros = 0;
  for (std::size_t start = 0; start < values.size(); start += kBlock) {
    const std::size_t n = std::min(kBlock, values.size() - start);
    const float* block = values.data() + start;
    // Truncating the magnitude keeps both signs alike, and a product that underflows still lands in the innermost bin.
    for (std::size_t i = 0; i < n; ++i) {
      const auto steps = static_cast<std::int32_t>(std::fabs(block[i]) * factor);
      const std::int32_t negative = std::bit_cast<std::int32_t>(block[i]) >> 31;
      index[i] = (steps ^ negative) + static_cast<std::int32_t>(kSideBins);
    }
    for (std::size_t i = 0; i < n; ++i) {
      if (block[i] == 0) ++zeros;
      ++bins_[static_cast<std::size_t>(index[i])];
    }
  }
  // Zeros went to the innermost bin of their sign; -0 is no different from 0.
  std::int64_t negative_zeros = 0;
  if (zeros > 0)
    for (const float value : values) negative_zeros += std::bit_cast<std::uint32_t>(value) == 0x80000000U ? 1 : 0;
  bins_[static_cast<std::size_t>(kSideBins)] -= zeros - negative_zeros;
  bins_[static_cast<std::size_t>(kSideBins - 1)] -= negative_zeros;
  zeros_ += zeros;
}

void Histogram::merge(const Histogram& other) {
  count_ += other.count_;
  zeros_ += other.zeros_;
  if (other.bins_.empty()) return;
  Histogram aligned = other;
  if (!bins_.empty()) aligned.grow(exponent_);
  grow(aligned.exponent_);
  for (std::size_t i = 0; i < bins_.size(); ++i) bins_[i] += aligned.bins_[i];
}

double Histogram::bin_width() const noexcept {
  return bins_.empty() ? 0 : std::ldexp(1.0, exponent_) / static_cast<double>(kSideBins);
}

double Histogram::center(std::int64_t bin) const noexcept {
  return (static_cast<double>(bin - kSideBins) + 0.5) * bin_width();
}

}  // namespace pare
