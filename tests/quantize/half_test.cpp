#include "quantize/half.h"

#include <bit>
#include <cmath>
#include <limits>

#include "core/random.h"
#include "support/support.h"

namespace pare::testing {
namespace {

/// Nearest float16 by search over all of them: a second way to the same answer.
std::uint16_t nearest_half(float value) {
  if (std::abs(static_cast<double>(value)) >= 65520) return value < 0 ? 0xFC00 : 0x7C00;
  std::uint16_t low = 0, high = 0x7BFF;  // magnitudes are ordered as their bits
  const double wanted = std::abs(static_cast<double>(value));
  while (high - low > 1) {
    const auto middle = static_cast<std::uint16_t>((low + high) / 2);
    (half_to_float(middle) <= wanted ? low : high) = middle;
  }
  const double below = wanted - half_to_float(low), above = half_to_float(high) - wanted;
  const std::uint16_t best = below < above ? low : above < below ? high : (low % 2 == 0 ? low : high);
  return static_cast<std::uint16_t>(best | (std::signbit(value) ? 0x8000 : 0));
}

TEST(Half, EveryFloat16ComesBackFromFloat32) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const float value = half_to_float(static_cast<std::uint16_t>(bits));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(half_to_float(float_to_half(value))));
      continue;
    }
    ASSERT_EQ(float_to_half(value), bits);
  }
}

TEST(Half, MillionRandomFloatsAreRoundedToTheNearest) {
  Rng rng(5);
  for (int i = 0; i < 1'000'000; ++i) {
    // Exponents around float16's range, every fraction.
    const auto exponent = static_cast<std::uint32_t>(127 - 27 + rng.below(45));
    const auto random = static_cast<std::uint32_t>(rng.bits());
    const float value = std::bit_cast<float>((random & 0x807FFFFFU) | (exponent << 23));
    ASSERT_EQ(float_to_half(value), nearest_half(value)) << value;
  }
}

TEST(Half, KnownRoundings) {
  EXPECT_EQ(float_to_half(4.577637e-05F), 0x0300);  // subnormal
  EXPECT_EQ(half_to_float(float_to_half(1e-7F)), 0x1p-23F);
  EXPECT_EQ(float_to_half(1e-8F), 0);
  EXPECT_EQ(float_to_half(2049.0F), float_to_half(2048.0F));
  EXPECT_EQ(float_to_half(2051.0F), float_to_half(2052.0F));
  EXPECT_EQ(half_to_float(float_to_half(65519.0F)), 65504.0F);
  EXPECT_TRUE(std::isinf(half_to_float(float_to_half(65520.0F))));
}

TEST(Half, TensorsKeepShapeAndInfinities) {
  const float infinity = std::numeric_limits<float>::infinity();
  const Tensor half = to_half(Tensor::of<float>({2, 2}, {1.5F, -infinity, 0.0F, -2.0F}), "w");
  EXPECT_EQ(half.dtype(), DType::kFloat16);
  EXPECT_EQ(half.shape(), (Shape{2, 2}));
  EXPECT_EQ(half.to_floats(), (std::vector<float>{1.5F, -infinity, 0.0F, -2.0F}));
}

TEST(Half, OverflowIsRefusedWithTheNode) {
  expect_error([] { (void)to_half(Tensor::of<float>({3}, {1, 70000, 2}), "Conv 'head'"); }, ErrorCode::kNumeric,
               {"Conv 'head'", "element 1", "70000", "remedy"});
}

TEST(Half, LossCountsWhatVanishes) {
  const HalfLoss loss = half_loss(Tensor::of<float>({6}, {0, 1e-9F, -1e-5F, 1, -3, 70000}));
  EXPECT_EQ(loss.count, 6);
  EXPECT_EQ(loss.nonzero, 5);
  EXPECT_EQ(loss.to_zero, 1);
  EXPECT_EQ(loss.to_subnormal, 1);
  EXPECT_EQ(loss.overflow, 1);
  EXPECT_EQ(loss.max_abs, 70000);
  EXPECT_FLOAT_EQ(static_cast<float>(loss.min_abs), 1e-9F);
  EXPECT_FALSE(loss.inexact_integers);
}

TEST(Half, LossSeesCoordinates) {
  EXPECT_TRUE(half_loss(Tensor::of<float>({2}, {1, 2049})).inexact_integers);
  EXPECT_TRUE(half_loss(Tensor::of<float>({2}, {0.5F, 2000.5F})).inexact_integers);
  EXPECT_FALSE(half_loss(Tensor::of<float>({2}, {1, 2048})).inexact_integers);
  EXPECT_FALSE(half_loss(Tensor::of<float>({2}, {0.1F, 2049})).inexact_integers);
}

}  // namespace
}  // namespace pare::testing
