// histogram.h - how often an activation took which value, in fixed memory, whatever the order of the samples.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace pare {

/// Bins of equal width over (-R, R), R a power of two just above the largest magnitude seen. R grows by merging
/// neighbouring bins, and a bin of power-of-two width holds exactly what its two halves held: the table depends on the
/// values alone, not on their order or on how they were split into calls. Exact zeros are counted apart (half of what
/// comes out of a Relu).
class Histogram {
 public:
  static constexpr std::int64_t kSideBins = 4096;  ///< of each sign

  /// Values must be finite.
  void add(std::span<const float> values);
  void merge(const Histogram& other);

  [[nodiscard]] std::int64_t count() const noexcept { return count_; }
  [[nodiscard]] std::int64_t zeros() const noexcept { return zeros_; }
  [[nodiscard]] double bin_width() const noexcept;
  /// Bins from the most negative to the most positive; empty before the first value other than zero.
  [[nodiscard]] std::span<const std::int64_t> bins() const noexcept { return bins_; }
  /// The value in the middle of a bin.
  [[nodiscard]] double center(std::int64_t bin) const noexcept;
  [[nodiscard]] bool operator==(const Histogram&) const = default;

 private:
  void grow(int exponent);

  std::vector<std::int64_t> bins_;
  int exponent_ = 0;  // R = 2^exponent_
  std::int64_t zeros_ = 0;
  std::int64_t count_ = 0;
};

/// Smallest and largest of some values.
struct Extremes {
  float low = 0, high = 0;
  bool finite = true;  ///< false: NaN or infinity is among them
};
[[nodiscard]] Extremes extremes(std::span<const float> values);

}  // namespace pare
