#include "pare/tensor.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "core/random.h"
#include "support/support.h"

namespace pare::testing {
namespace {

/// The value of a binary floating-point pattern by its definition, with nothing but ldexp.
double value_of(std::uint32_t bits, int exponent_bits, int fraction_bits) {
  const std::uint32_t sign = bits >> (exponent_bits + fraction_bits);
  const int exponent = static_cast<int>((bits >> fraction_bits) & ((1U << exponent_bits) - 1));
  const double fraction = bits & ((1U << fraction_bits) - 1);
  const int bias = (1 << (exponent_bits - 1)) - 1;
  double magnitude;
  if (exponent == (1 << exponent_bits) - 1) {
    magnitude = fraction == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  } else if (exponent == 0) {
    magnitude = std::ldexp(fraction, 1 - bias - fraction_bits);
  } else {
    magnitude = std::ldexp(fraction + std::ldexp(1.0, fraction_bits), exponent - bias - fraction_bits);
  }
  return sign ? -magnitude : magnitude;
}

bool same(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b));
}

struct Format {
  int exponent_bits, fraction_bits;
  float (*widen)(std::uint16_t);
  std::uint16_t (*narrow)(float);
};
const Format kHalf{5, 10, half_to_float, float_to_half};
const Format kBrain{8, 7, bfloat16_to_float, float_to_bfloat16};

class SixteenBits : public ::testing::TestWithParam<const Format*> {};

TEST_P(SixteenBits, WidenEveryPatternExactly) {
  const Format& f = *GetParam();
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const double want = value_of(bits, f.exponent_bits, f.fraction_bits);
    ASSERT_TRUE(same(f.widen(static_cast<std::uint16_t>(bits)), want)) << bits;
  }
}

TEST_P(SixteenBits, ComeBackUnchangedFromFloat) {
  const Format& f = *GetParam();
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const float wide = f.widen(static_cast<std::uint16_t>(bits));
    if (std::isnan(wide))
      ASSERT_TRUE(std::isnan(f.widen(f.narrow(wide)))) << bits;
    else
      ASSERT_EQ(f.narrow(wide), bits);
  }
}

// Between every two neighbours: the middle goes to the even one, the floats beside the middle to their own side.
TEST_P(SixteenBits, RoundToNearestTiesToEven) {
  const Format& f = *GetParam();
  const std::uint32_t infinity = ((1U << f.exponent_bits) - 1) << f.fraction_bits;
  for (std::uint32_t low = 0; low + 1 < infinity; ++low) {
    const double a = value_of(low, f.exponent_bits, f.fraction_bits);
    const double b = value_of(low + 1, f.exponent_bits, f.fraction_bits);
    const auto middle = static_cast<float>((a + b) / 2);
    const std::uint32_t even = low % 2 == 0 ? low : low + 1;
    for (const float sign : {1.0F, -1.0F}) {
      const std::uint32_t mark = sign < 0 ? 0x8000U : 0;
      // The middle of bfloat16's smallest subnormals is a float too, so no step of this loop is inexact.
      ASSERT_EQ(static_cast<double>(middle), (a + b) / 2);
      ASSERT_EQ(f.narrow(sign * middle), even | mark) << low;
      ASSERT_EQ(f.narrow(sign * std::nextafter(middle, 0.0F)), low | mark) << low;
      ASSERT_EQ(f.narrow(sign * std::nextafter(middle, std::numeric_limits<float>::infinity())), (low + 1) | mark)
          << low;
    }
  }
}

TEST_P(SixteenBits, OverflowToInfinityAndKeepNan) {
  const Format& f = *GetParam();
  const auto infinity = static_cast<std::uint16_t>(((1U << f.exponent_bits) - 1) << f.fraction_bits);
  EXPECT_EQ(f.narrow(std::numeric_limits<float>::max()), infinity);
  EXPECT_EQ(f.narrow(-std::numeric_limits<float>::max()), infinity | 0x8000);
  EXPECT_EQ(f.narrow(std::numeric_limits<float>::infinity()), infinity);
  for (const std::uint32_t bits : {0x7F800001U, 0x7FC00000U, 0x7FFFFFFFU, 0xFF800001U}) {
    float nan;
    std::memcpy(&nan, &bits, 4);
    EXPECT_TRUE(std::isnan(f.widen(f.narrow(nan)))) << bits;
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, SixteenBits, ::testing::Values(&kHalf, &kBrain),
                         [](const auto& format) { return format.param == &kHalf ? "Half" : "Brain"; });

TEST(FloatToHalf, TakesTheLargestHalfUpToTheMiddleBeyondIt) {
  EXPECT_EQ(float_to_half(65504.0F), 0x7BFF);
  EXPECT_EQ(float_to_half(std::nextafter(65520.0F, 0.0F)), 0x7BFF);
  EXPECT_EQ(float_to_half(65520.0F), 0x7C00);
}

template <class T>
void expect_widens(const std::vector<T>& values, const std::vector<float>& floats,
                   const std::vector<std::int64_t>& integers) {
  const Tensor tensor = Tensor::of<T>({static_cast<std::int64_t>(values.size())}, values);
  EXPECT_EQ(tensor.to_floats(), floats) << dtype_name(tensor.dtype());
  EXPECT_EQ(tensor.to_int64s(), integers) << dtype_name(tensor.dtype());
}

TEST(Tensor, WidensEveryNumericType) {
  expect_widens<float>({-1.5F, 2.5F, 3.0F}, {-1.5F, 2.5F, 3.0F}, {-2, 2, 3});
  expect_widens<double>({-1.5, 1e300, 0.5}, {-1.5F, std::numeric_limits<float>::infinity(), 0.5F},
                        {-2, std::numeric_limits<std::int64_t>::max(), 0});
  expect_widens<std::uint8_t>({0, 255}, {0, 255}, {0, 255});
  expect_widens<std::int8_t>({-128, 127}, {-128, 127}, {-128, 127});
  expect_widens<std::uint16_t>({65535}, {65535}, {65535});
  expect_widens<std::int16_t>({-32768}, {-32768}, {-32768});
  expect_widens<std::uint32_t>({4294967295U}, {4294967296.0F}, {4294967295});
  expect_widens<std::int32_t>({-2147483647}, {-2147483648.0F}, {-2147483647});
  expect_widens<std::int64_t>({-9}, {-9}, {-9});
  expect_widens<std::uint64_t>({7, ~0ULL}, {7, 0x1p64F}, {7, std::numeric_limits<std::int64_t>::max()});
  expect_widens<bool>({true, false}, {1, 0}, {1, 0});
}

TEST(Tensor, WidensHalves) {
  const std::vector<std::byte> one = {std::byte{0x00}, std::byte{0x3C}};
  EXPECT_EQ(Tensor::from_bytes(DType::kFloat16, {1}, one).to_floats(), std::vector<float>{1});
  const std::vector<std::byte> two = {std::byte{0x00}, std::byte{0x40}};
  EXPECT_EQ(Tensor::from_bytes(DType::kBFloat16, {1}, two).to_floats(), std::vector<float>{2});
}

TEST(Tensor, ClampsFloatsThatNoIntegerHolds) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor tensor = Tensor::of<double>({5}, {-0x1p63, 0x1p63, -9.25e18, 9.2233720368547748e18, nan});
  EXPECT_EQ(tensor.to_int64s(), (std::vector<std::int64_t>{
                                    std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max(),
                                    std::numeric_limits<std::int64_t>::min(), 9223372036854774784, 0}));
}

TEST(Tensor, RefusesToReadStringsAndSubByteTypesAsNumbers) {
  expect_error([] { static_cast<void>(Tensor::from_strings({1}, {"a"}).to_floats()); }, ErrorCode::kUnsupported,
               {"string"});
  expect_error([] { static_cast<void>(Tensor::zeros(DType::kInt4, {3}).to_int64s()); }, ErrorCode::kUnsupported,
               {"int4"});
}

TEST(Tensor, RefusesBytesThatDoNotFit) {
  expect_error([] { Tensor::from_bytes(DType::kFloat32, {2, 2}, std::vector<std::byte>(15)); },
               ErrorCode::kInvalidArgument, {"[2, 2]", "16 bytes", "15"});
  expect_error([] { Tensor::of<float>({3}, {1, 2}); }, ErrorCode::kInvalidArgument, {"12 bytes"});
  expect_error([] { Tensor::from_strings({2}, {"a"}); }, ErrorCode::kInvalidArgument, {"[2]"});
  expect_error([] { Tensor::zeros(DType::kString, {2}); }, ErrorCode::kInvalidArgument, {"string"});
}

TEST(Tensor, PacksTypesBelowAByte) {
  EXPECT_EQ(Tensor::zeros(DType::kInt4, {3}).size_bytes(), 2);
  EXPECT_EQ(Tensor::zeros(DType::kUint2, {5}).size_bytes(), 2);
  EXPECT_EQ(Tensor::zeros(DType::kFloat4E2M1, {4}).size_bytes(), 2);
}

TEST(Tensor, AllowsZeroSizes) {
  const Tensor tensor = Tensor::zeros(DType::kFloat32, {0, 3});
  EXPECT_EQ(tensor.element_count(), 0);
  EXPECT_TRUE(tensor.to_floats().empty());
  EXPECT_FALSE(tensor.empty());  // it has a type: only Tensor() is empty
  EXPECT_TRUE(tensor.same_as(Tensor::of<float>({0, 3}, {})));
}

TEST(Tensor, ViewKeepsItsOwnerAndCopiesWhatIsMisaligned) {
  auto owner = std::make_shared<const std::vector<float>>(std::vector<float>{1, 2, 3});
  const auto bytes = std::as_bytes(std::span(*owner));
  const Tensor aligned = Tensor::view(DType::kFloat32, {3}, owner, bytes);
  EXPECT_EQ(aligned.bytes().data(), bytes.data());
  EXPECT_EQ(owner.use_count(), 2);

  std::vector<std::byte> shifted(9);
  std::memcpy(shifted.data() + 1, bytes.data(), 8);
  const auto other = std::make_shared<const std::vector<std::byte>>(shifted);
  const Tensor copied = Tensor::view(DType::kFloat32, {2}, other, std::span(*other).subspan(1));
  EXPECT_NE(copied.bytes().data(), other->data() + 1);
  EXPECT_EQ(copied.to_floats(), (std::vector<float>{1, 2}));
}

TEST(Tensor, ReadsOnlyAsItsOwnType) {
  const Tensor tensor = Tensor::of<std::int8_t>({2}, {1, 2});
  expect_error([&] { static_cast<void>(tensor.data<float>()); }, ErrorCode::kInvalidArgument,
               {"int8", "[2]", "float32"});
  expect_error([&] { static_cast<void>(tensor.half_bits()); }, ErrorCode::kInvalidArgument, {"float16"});
}

TEST(Tensor, ReshapesOnlyToEquallyManyElements) {
  const Tensor tensor = Tensor::zeros(DType::kFloat32, {2, 3});
  EXPECT_EQ(tensor.reshaped({6}).shape(), Shape{6});
  expect_error([&] { static_cast<void>(tensor.reshaped({5})); }, ErrorCode::kInvalidArgument, {"[2, 3]", "[5]"});
}

TEST(Tensor, ComparesTypeShapeAndBytes) {
  const Tensor a = Tensor::of<float>({2}, {1, 2});
  EXPECT_TRUE(a.same_as(Tensor::of<float>({2}, {1, 2})));
  EXPECT_FALSE(a.same_as(Tensor::of<float>({2}, {1, 3})));
  EXPECT_FALSE(a.same_as(Tensor::of<float>({1, 2}, {1, 2})));
  EXPECT_FALSE(a.same_as(Tensor::of<std::int32_t>({2}, {1, 2})));
  EXPECT_TRUE(Tensor::from_strings({1}, {"x"}).same_as(Tensor::from_strings({1}, {"x"})));
  EXPECT_FALSE(Tensor::from_strings({1}, {"x"}).same_as(Tensor::from_strings({1}, {"y"})));
}

TEST(ElementCount, RefusesNegativeAndHugeShapes) {
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count({2, 3}), 6);
  EXPECT_EQ(element_count({0, std::int64_t{1} << 62, std::int64_t{1} << 62}), 0);
  expect_error([] { static_cast<void>(element_count({2, -1})); }, ErrorCode::kInvalidArgument, {"[2, -1]"});
  expect_error([] { static_cast<void>(element_count({0, -1})); }, ErrorCode::kInvalidArgument, {"negative"});
  const std::int64_t large = std::int64_t{1} << 32;
  expect_error([&] { static_cast<void>(element_count({large, large})); }, ErrorCode::kInvalidArgument, {"too large"});
  expect_error([] { Tensor::from_bytes(DType::kComplex128, {std::int64_t{1} << 56}, {}); }, ErrorCode::kInvalidArgument,
               {"too large"});
}

TEST(DTypes, HaveNamesAndBits) {
  EXPECT_EQ(dtype_name(DType::kFloat16), "float16");
  EXPECT_EQ(dtype_name(static_cast<DType>(99)), "undefined");
  EXPECT_EQ(dtype_name(static_cast<DType>(-1)), "undefined");
  EXPECT_EQ(dtype_bits(DType::kInt4), 4);
  EXPECT_EQ(dtype_bits(DType::kString), 0);
  EXPECT_TRUE(is_float(DType::kBFloat16));
  EXPECT_FALSE(is_float(DType::kInt8));
}

TEST(Rng, IsTheSameEverywhere) {
  Rng rng(1);
  EXPECT_EQ(rng.bits(), 2469588189546311528ULL);  // mt19937_64, seed 1, as the C++ standard defines it
  Rng again(7);
  double sum = 0, squares = 0;
  for (int i = 0; i < 20000; ++i) {
    const double value = again.normal();
    sum += value, squares += value * value;
    const double uniform = again.uniform();
    ASSERT_TRUE(uniform >= 0 && uniform < 1);
    ASSERT_LT(again.below(10), 10);
  }
  EXPECT_NEAR(sum / 20000, 0, 0.03);
  EXPECT_NEAR(squares / 20000, 1, 0.04);
}

}  // namespace
}  // namespace pare::testing
