#include "quantize/histogram.h"

#include <algorithm>
#include <limits>

#include "core/random.h"
#include "support/support.h"

namespace pare::testing {
namespace {

std::vector<float> wide_values(std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values;
  for (int i = 0; i < 6000; ++i)
    values.push_back(i % 5 == 0 ? 0.0f : static_cast<float>(rng.normal() * std::pow(10.0, rng.uniform(-9, 6))));
  values.insert(values.end(), {1e-41f, -1e-41f, -0.0f, 3e38f, -3e38f, 1.0f, 2.0f, -2.0f});
  return values;
}

TEST(Histogram, IsTheSameForEveryOrderAndSplit) {
  const std::vector<float> values = wide_values(1);
  Histogram whole;
  whole.add(values);
  std::vector<float> sorted = values;
  std::sort(sorted.begin(), sorted.end(), [](float a, float b) { return std::fabs(a) < std::fabs(b); });
  for (const std::size_t part : {std::size_t{1}, std::size_t{7}, std::size_t{1000}}) {
    Histogram pieces;
    for (std::size_t i = 0; i < sorted.size(); i += part)
      pieces.add(std::span(sorted).subspan(i, std::min(part, sorted.size() - i)));
    EXPECT_TRUE(pieces == whole) << "in parts of " << part;
  }
  Histogram small, large;
  small.add(std::span(sorted).first(3000));
  large.add(std::span(sorted).subspan(3000));
  Histogram merged = small;
  merged.merge(large);
  EXPECT_TRUE(merged == whole);
  large.merge(small);
  EXPECT_TRUE(large == whole);
}

TEST(Histogram, CountsEveryValueOnceAndZerosApart) {
  Histogram histogram;
  histogram.add(std::vector<float>{0, -0.0f, 0.3f, -0.3f, 0.9f});
  EXPECT_EQ(histogram.count(), 5);
  EXPECT_EQ(histogram.zeros(), 2);
  std::int64_t sum = 0;
  for (const std::int64_t bin : histogram.bins()) sum += bin;
  EXPECT_EQ(sum, 3);
  for (std::size_t i = 0; i < histogram.bins().size(); ++i) {
    if (histogram.bins()[i] == 0) continue;
    const double center = histogram.center(static_cast<std::int64_t>(i));
    EXPECT_LE(std::min(std::fabs(std::fabs(center) - 0.3), std::fabs(center - 0.9)), histogram.bin_width());
  }
}

TEST(Histogram, KeepsItsSizeHoweverManyValuesCome) {
  Histogram histogram;
  for (int i = 0; i < 50; ++i) histogram.add(wide_values(static_cast<std::uint64_t>(i)));
  EXPECT_EQ(histogram.bins().size(), static_cast<std::size_t>(2 * Histogram::kSideBins));
}

TEST(Extremes, FindSmallestAndLargestAndWhatIsNotFinite) {
  const Extremes seen = extremes(std::vector<float>{1, -3, 0.5f, 2});
  EXPECT_EQ(seen.low, -3);
  EXPECT_EQ(seen.high, 2);
  EXPECT_TRUE(seen.finite);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()})
    EXPECT_FALSE(extremes(std::vector<float>{1, bad, 2}).finite) << bad;
}

}  // namespace
}  // namespace pare::testing
