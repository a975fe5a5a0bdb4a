#include "step/compare_outputs.h"

#include <cmath>
#include <limits>

#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

OutputDifference compare(const std::vector<float>& expected, const std::vector<float>& actual,
                         OutputTolerance tolerance = {}) {
  const auto tensor = [](const std::vector<float>& values) {
    return Tensor::of<float>({static_cast<std::int64_t>(values.size())}, values);
  };
  ValueInfo info;
  info.name = "y";
  return compare_outputs({info}, {tensor(expected)}, {tensor(actual)}, tolerance);
}

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();

TEST(CompareOutputs, MeasuresByTheRangeOfTheOutput) {
  EXPECT_TRUE(compare({0, 10}, {0, 10.0009F}).within);
  const OutputDifference far = compare({0, 10}, {0.002F, 10});
  EXPECT_FALSE(far.within);
  EXPECT_NEAR(far.share, 2e-4, 1e-6);
  EXPECT_THAT(far.text, ::testing::HasSubstr("output 'y': max difference 0.0002 of the range at [0]"));
}

TEST(CompareOutputs, AllowsTheRoundingOfLargeValuesInASmallRange) {
  EXPECT_TRUE(compare({1000, 1000.1F}, {1000.0005F, 1000.1F}).within);
  EXPECT_FALSE(compare({1000, 1000.1F}, {1000.01F, 1000.1F}).within);
}

TEST(CompareOutputs, JudgesConstantOutputsByTheirSize) {
  EXPECT_TRUE(compare({5, 5}, {5, 5.0004F}).within);
  EXPECT_FALSE(compare({5, 5}, {5, 5.01F}).within);
  EXPECT_FALSE(compare({0, 0}, {0, 1e-3F}).within);
}

TEST(CompareOutputs, TakesNanForNanAndInfinityForItself) {
  EXPECT_TRUE(compare({kNan, kInf, -kInf, 1}, {kNan, kInf, -kInf, 1}).within);
  EXPECT_FALSE(compare({kNan, 1}, {1, 1}).within);
  EXPECT_FALSE(compare({1, 1}, {1, kNan}).within);
  EXPECT_FALSE(compare({kInf, 1}, {-kInf, 1}).within);
}

TEST(CompareOutputs, ComparesIntegersExactlyButForNearTies) {
  std::vector<std::int64_t> many(20'000, 3), one = many, three = many;
  one[7] = 4;
  three[1] = three[2] = three[3] = 9;
  const auto compare_ints = [](const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
    const Shape shape = {static_cast<std::int64_t>(a.size())};
    return compare_outputs({}, {Tensor::of<std::int64_t>(shape, a)}, {Tensor::of<std::int64_t>(shape, b)}, {});
  };
  EXPECT_TRUE(compare_ints(many, one).within);
  EXPECT_FALSE(compare_ints(many, three).within);
  EXPECT_FALSE(compare_ints({1, 2}, {1, 3}).within);
}

TEST(CompareOutputs, RefusesOtherShapesTypesAndCounts) {
  const Tensor a = Tensor::of<float>({2}, {1, 2}), b = Tensor::of<float>({1, 2}, {1, 2});
  EXPECT_FALSE(compare_outputs({}, {a}, {b}, {}).within);
  EXPECT_FALSE(compare_outputs({}, {a}, {Tensor::of<std::int64_t>({2}, {1, 2})}, {}).within);
  EXPECT_FALSE(compare_outputs({}, {a}, {a, a}, {}).within);
}

TEST(CompareOutputs, GivesQuantizedAndHalfModelsMoreRoom) {
  EXPECT_DOUBLE_EQ(tolerance_for(model_from_text("<ir_version: 8, opset_import: [\"\" : 17]> g (float[2] x) => "
                                                 "(float[2] y) { y = Relu(x) }"))
                       .share,
                   1e-4);
  EXPECT_TRUE(tolerance_for(model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y)
    <float s = {1}> { q = QuantizeLinear(x, s) y = DequantizeLinear(q, s) })"))
                  .mean_square);
  EXPECT_DOUBLE_EQ(tolerance_for(model_from_text("<ir_version: 8, opset_import: [\"\" : 17]> g (float16[2] x) => "
                                                 "(float16[2] y) { y = Relu(x) }"))
                       .share,
                   0.02);
  EXPECT_TRUE(compare({0, 10, 5, 5}, {0, 10, 5, 5.5F}, {.share = 0.05, .mean_square = true}).within);
}

TEST(CompareOutputs, TwoRoundingsOfASigmoidSayNothing) {
  const OutputTolerance tolerance =
      tolerance_for(model_from_text("<ir_version: 8, opset_import: [\"\" : 17]> g (float[2] x) => (float[2] y, "
                                    "float[2] z) { y = Sigmoid(x)\n z = Neg(x) }"));
  const auto within = [&](const char* name, float difference) {
    ValueInfo info;
    info.name = name;
    return compare_outputs({info}, {Tensor::of<float>({2}, {0, 1e-7F})}, {Tensor::of<float>({2}, {difference, 1e-7F})},
                           tolerance)
        .within;
  };
  EXPECT_TRUE(within("y", 6e-8F));
  EXPECT_FALSE(within("y", 1e-6F));
  EXPECT_FALSE(within("z", 6e-8F)) << "other outputs have no such excuse";
}

}  // namespace
}  // namespace pare::testing
