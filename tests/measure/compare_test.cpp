#include <cmath>

#include "core/random.h"
#include "pare/measure.h"
#include "support/support.h"

namespace pare::testing {
namespace {

Evaluation hits(const std::vector<float>& scores) {
  Evaluation evaluation;
  evaluation.metric = Metric::kTop1;
  evaluation.samples = static_cast<std::int64_t>(scores.size());
  evaluation.scores = scores;
  return evaluation;
}

Evaluation rows(Metric metric, std::int64_t width, const std::vector<float>& scores) {
  Evaluation evaluation;
  evaluation.metric = metric;
  evaluation.score_width = width;
  evaluation.samples = static_cast<std::int64_t>(scores.size()) / width;
  evaluation.scores = scores;
  return evaluation;
}

/// `lost` samples that only the baseline gets right, `won` that only the other does, among `count`.
std::pair<Evaluation, Evaluation> pair_of(std::size_t lost, std::size_t won, std::size_t count) {
  std::vector<float> a(count, 1), b(count, 1);
  for (std::size_t i = 0; i < lost; ++i) b[i] = 0;
  for (std::size_t i = lost; i < lost + won; ++i) a[i] = 0;
  return {hits(a), hits(b)};
}

TEST(Compare, UsesMcNemarForHits) {
  const auto [a, b] = pair_of(1, 9, 1000);
  const PairedTest test = compare(a, b);
  EXPECT_DOUBLE_EQ(test.difference, 0.008);
  EXPECT_NEAR(test.p_value, 0.021484375, 1e-9);
  EXPECT_GT(test.interval.low, 0);
  EXPECT_LT(test.interval.low, 0.008);
  EXPECT_GT(test.interval.high, 0.008);
  EXPECT_EQ(test.method, "McNemar, 1,000 samples");
  EXPECT_EQ(test.samples, 1000);
}

TEST(Compare, SaysHowManySamplesAPrecisionNeeds) {
  const auto [a, b] = pair_of(150, 150, 10000);
  const PairedTest test = compare(a, b);
  EXPECT_EQ(test.p_value, 1);
  EXPECT_NEAR(test.variance_per_sample, 0.03, 0.0003);
  // The interval at that many samples has that half width.
  const double half = 0.5 * (test.interval.high - test.interval.low);
  EXPECT_NEAR(static_cast<double>(test.samples_for(half)), 10000, 10);
  EXPECT_NEAR(static_cast<double>(test.samples_for(half / 2)), 40000, 40);
  expect_error([&] { (void)test.samples_for(0); }, ErrorCode::kInvalidArgument, {"above 0"});
}

TEST(Compare, OfEqualHitsHasAnIntervalStill) {
  const auto [a, b] = pair_of(0, 0, 1000);
  const PairedTest test = compare(a, b);
  EXPECT_EQ(test.difference, 0);
  EXPECT_EQ(test.p_value, 1);
  EXPECT_GT(test.interval.high, 0.002);
  EXPECT_LT(test.interval.high, 0.004);
  EXPECT_GT(test.samples_for(0.001), 1);
}

TEST(Compare, SeesAWorseRmseAndNoDifferenceWhereThereIsNone) {
  int seen = 0, false_alarms = 0, covered = 0;
  for (std::uint64_t trial = 0; trial < 60; ++trial) {
    Rng rng(trial);
    std::vector<float> a, b, c;
    for (int i = 0; i < 200; ++i) {
      const double error = rng.normal();
      a.insert(a.end(), {static_cast<float>(error * error), 1});
      b.insert(b.end(), {static_cast<float>(std::pow(error + 0.1 * rng.normal(), 2)), 1});  // RMSE 1.005
      c.insert(c.end(), {static_cast<float>(std::pow(error + 0.7 * rng.normal(), 2)), 1});  // RMSE 1.221
    }
    const Evaluation first = rows(Metric::kRmse, 2, a);
    const PairedTest little = compare(first, rows(Metric::kRmse, 2, b)),
                     much = compare(first, rows(Metric::kRmse, 2, c));
    seen += much.p_value < 0.05 && much.interval.low > 0;
    covered += much.interval.low <= 0.2207 && 0.2207 <= much.interval.high;
    false_alarms += little.interval.low > 0.005 || little.interval.high < 0.005;
  }
  EXPECT_GE(seen, 58);
  EXPECT_GE(covered, 53);
  EXPECT_LE(false_alarms, 8);
}

TEST(Compare, PairsTheSamplesOfIoU) {
  Rng rng(4);
  std::vector<float> a, b;
  for (int i = 0; i < 100; ++i) {
    const double size = 50 + 50 * rng.uniform(), overlap = 0.2 + 0.7 * rng.uniform();
    a.insert(a.end(), {static_cast<float>(size * overlap), static_cast<float>(size), 30, 40});
    b.insert(b.end(), {static_cast<float>(size * (overlap - 0.02)), static_cast<float>(size), 30, 40});
  }
  const PairedTest test = compare(rows(Metric::kMeanIou, 4, a), rows(Metric::kMeanIou, 4, b));
  // The samples differ far more from one another than the models do: only pairing shows 0.01.
  EXPECT_NEAR(test.difference, -0.01, 1e-4);
  EXPECT_LT(test.interval.high, -0.009);
  EXPECT_LT(test.p_value, 0.01);
  EXPECT_THAT(test.method, ::testing::HasSubstr("paired bootstrap, 100 samples"));
}

TEST(Compare, VarianceForecastsTheIntervalOfOtherSizes) {
  const auto make = [](std::uint64_t seed, int count) {
    Rng rng(seed);
    std::vector<float> a, b;
    for (int i = 0; i < count; ++i) {
      const double error = rng.normal();
      a.insert(a.end(), {static_cast<float>(error * error), 1});
      b.insert(b.end(), {static_cast<float>(std::pow(error + 0.5 * rng.normal(), 2)), 1});
    }
    return compare(rows(Metric::kRmse, 2, a), rows(Metric::kRmse, 2, b));
  };
  const PairedTest small = make(1, 500), large = make(2, 8000);
  const double half = 0.5 * (large.interval.high - large.interval.low);
  EXPECT_NEAR(static_cast<double>(small.samples_for(half)) / 8000, 1, 0.3);
}

TEST(Compare, RefusesWhatIsNotPaired) {
  const auto [a, b] = pair_of(0, 0, 10);
  expect_error([&] { (void)compare(a, rows(Metric::kRmse, 2, {1, 1})); }, ErrorCode::kInvalidArgument,
               {"cannot compare top-1 with RMSE"});
  expect_error([&] { (void)compare(a, hits({1, 0})); }, ErrorCode::kInvalidArgument,
               {"cannot compare 10 samples with 2", "remedy"});
  expect_error([&] { (void)compare(rows(Metric::kRmse, 2, {1, 1, 1, 2}), rows(Metric::kRmse, 2, {1, 1, 1, 1})); },
               ErrorCode::kInvalidArgument, {"sample 1 has 2 target values"});
  expect_error([&] { (void)compare(hits({}), hits({})); }, ErrorCode::kInvalidArgument, {"no samples"});
}

TEST(Metric, KnowsItsNameAndDirection) {
  EXPECT_EQ(metric_name(Metric::kTop1), "top-1");
  EXPECT_EQ(metric_name(Metric::kMeanIou), "mean IoU");
  EXPECT_TRUE(higher_is_better(Metric::kAgreement));
  EXPECT_FALSE(higher_is_better(Metric::kRmse));
  EXPECT_EQ(verdict_name(Verdict::kNoDifference), "no difference");
}

}  // namespace
}  // namespace pare::testing
