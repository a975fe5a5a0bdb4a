#include "quantize/ranges.h"

#include "core/random.h"
#include "support/support.h"

namespace pare::testing {
namespace {

ActivationStats stats_of(const std::vector<float>& values) {
  ActivationStats stats;
  const Extremes seen = extremes(values);
  stats.low = seen.low;
  stats.high = seen.high;
  stats.count = static_cast<std::int64_t>(values.size());
  stats.histogram.add(values);
  return stats;
}

/// What comes out of a Relu over many images: half zeros, half of a bell; and once a value far outside.
ActivationStats relu_with_spike() {
  Rng rng(3);
  std::vector<float> values;
  for (int i = 0; i < 100000; ++i) values.push_back(static_cast<float>(std::max(0.0, rng.normal())));
  ActivationStats stats = stats_of(values);
  const Histogram once = stats.histogram;
  for (int i = 1; i < 200; ++i) stats.histogram.merge(once);
  stats.histogram.add(std::vector<float>{100});
  stats.high = 100;
  return stats;
}

double error_of(const ActivationStats& stats, RangeMethod method) {
  RangeOptions options;
  options.method = method;
  return reconstruction_error(stats.histogram, params_of(choose_range(stats, options)), Reader::kLinear);
}

constexpr RangeMethod kAll[] = {RangeMethod::kMinMax, RangeMethod::kPercentile, RangeMethod::kMse,
                                RangeMethod::kEntropy, RangeMethod::kAuto};

TEST(Ranges, ContainZeroWhateverTheMethod) {
  for (const RangeMethod method : kAll)
    for (const auto& stats : {stats_of({2, 3, 6}), stats_of({-6, -3, -2}), stats_of({-1, 4}), relu_with_spike()}) {
      RangeOptions options;
      options.method = method;
      const Range range = choose_range(stats, options);
      EXPECT_LE(range.low, 0);
      EXPECT_GE(range.high, 0);
    }
}

TEST(Ranges, MinMaxCoversEverythingSeen) {
  const Range range = choose_range(stats_of({2, 3, 6, -0.5f}), {});
  EXPECT_EQ(range.low, -0.5);
  EXPECT_EQ(range.high, 6);
}

TEST(Ranges, LeastSquaresBeatsMinMaxWhenOneValueSpikes) {
  const ActivationStats stats = relu_with_spike();
  EXPECT_LT(error_of(stats, RangeMethod::kMse), 0.5 * error_of(stats, RangeMethod::kMinMax));
  EXPECT_LE(error_of(stats, RangeMethod::kAuto), error_of(stats, RangeMethod::kMse));
}

TEST(Ranges, EntropyLeavesASpikeOut) {
  RangeOptions options;
  options.method = RangeMethod::kEntropy;
  EXPECT_LT(choose_range(relu_with_spike(), options).high, 50);
}

TEST(Ranges, PercentileLeavesTheAskedShareOut) {
  Rng rng(4);
  std::vector<float> values;
  for (int i = 0; i < 200000; ++i) values.push_back(static_cast<float>(rng.uniform(-1, 1)));
  RangeOptions options;
  options.method = RangeMethod::kPercentile;
  options.percentile = 90;
  const ActivationStats stats = stats_of(values);
  const Range range = choose_range(stats, options);
  EXPECT_NEAR(range.low, -0.9, 0.01);
  EXPECT_NEAR(range.high, 0.9, 0.01);
  EXPECT_NEAR(static_cast<double>(clipped_count(stats.histogram, range)) / 200000, 0.1, 0.005);
}

TEST(Ranges, ErrorsBeyondTheFlatPartOfASigmoidCountLittle) {
  Rng rng(5);
  std::vector<float> values;
  for (int i = 0; i < 50000; ++i) values.push_back(static_cast<float>(rng.normal() * (i % 20 == 0 ? 40 : 2)));
  RangeOptions options;
  options.method = RangeMethod::kMse;
  const Range linear = choose_range(stats_of(values), options);
  options.reader = Reader::kSigmoid;
  const Range curved = choose_range(stats_of(values), options);
  EXPECT_LT(curved.high, 0.5 * linear.high);
}

TEST(QuantParams, OfAnEmptyRangeHaveScaleOne) {
  EXPECT_EQ(params_of({0, 0}).scale, 1);
  EXPECT_EQ(params_of({0, 1e-44}).scale, 1);
  EXPECT_EQ(params_of({0, 0}).zero_point, 0);
}

TEST(QuantParams, RepresentZeroExactlyAndTheRangeWithinHalfAStep) {
  Rng rng(6);
  for (int i = 0; i < 200; ++i) {
    const Range range{-rng.uniform(0, 10), rng.uniform(0.01, 10)};
    const QuantParams params = params_of(range);
    const Range covers = covered(params);
    const double half = 0.5 * static_cast<double>(params.scale) * 1.0001;
    EXPECT_NEAR(covers.low, range.low, half);
    EXPECT_NEAR(covers.high, range.high, half);
  }
}

TEST(QuantParams, NeverReachBeyondAnUpperClamp) {
  for (const double high : {6.0, 0.1, 1.0, 3.3, 20.7}) EXPECT_LE(covered(params_of({0, high})).high, high);
}

TEST(RangeMethods, UnknownWordIsAnError) {
  expect_error([] { (void)parse_range_method("minmix"); }, ErrorCode::kInvalidArgument, {"minmix", "minmax"});
}

}  // namespace
}  // namespace pare::testing
