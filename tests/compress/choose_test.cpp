#include "compress/choose.h"

#include "support/support.h"

namespace pare::testing {
namespace {

Candidate candidate(const std::string& name, double ratio, double difference, std::int64_t size_bytes,
                    bool valid = true) {
  Candidate made;
  made.name = name;
  made.valid = valid;
  made.size_bytes = size_bytes;
  SpeedComparison speed;
  speed.ratio = ratio;
  speed.interval = {ratio * 0.99, ratio * 1.01};
  speed.verdict = ratio > 1.02 ? Verdict::kFaster : ratio < 0.98 ? Verdict::kSlower : Verdict::kNoDifference;
  made.speed = speed;
  PairedTest test;
  test.difference = difference;
  test.interval = {difference - 0.002, difference + 0.002};
  test.samples = 1000;
  made.accuracy = test;
  return made;
}

CompressResult result_with(std::vector<Candidate> candidates) {
  CompressResult result;
  result.size_bytes = 4'000'000;
  result.evaluation.metric = Metric::kTop1;
  result.evaluation.value = 0.93;
  result.candidates = std::move(candidates);
  return result;
}

TEST(Choose, TakesTheFastestWithinTheAllowedLoss) {
  auto result = result_with({candidate("float", 1.0, 0, 4'000'000), candidate("a", 2.2, -0.003, 1'000'000),
                             candidate("b", 3.0, -0.05, 900'000)});
  choose(result, {.max_drop = 0.01});
  EXPECT_EQ(result.taken, 1);
  EXPECT_TRUE(result.goal_met);
  EXPECT_EQ(result.candidates[2].verdict, "loses 5.00 points, 1.00 points allowed");
  EXPECT_EQ(result.candidates[0].verdict, "no faster");
}

TEST(Choose, AmongEquallyFastTakesTheMoreAccurate) {
  auto result = result_with({candidate("a", 2.20, -0.003, 1'000'000), candidate("b", 2.18, -0.001, 1'000'000),
                             candidate("c", 2.0, 0, 1'000'000)});
  choose(result, {.max_drop = 0.01});
  EXPECT_EQ(result.taken, 1);
  EXPECT_EQ(result.candidates[2].verdict, "slower than the one taken");
}

TEST(Choose, NeverTakesAnInvalidCandidate) {
  auto result = result_with({candidate("float", 1.0, 0, 4'000'000), candidate("slow", 5, 0, 1, false)});
  choose(result, {.max_drop = 0.01});
  EXPECT_EQ(result.taken, 0);
}

TEST(Choose, CertainAsksTheWholeInterval) {
  auto result = result_with({candidate("float", 1.0, 0, 4'000'000), candidate("a", 2.2, -0.009, 1'000'000)});
  choose(result, {.max_drop = 0.01});
  EXPECT_EQ(result.taken, 1);
  choose(result, {.max_drop = 0.01, .certain = true});
  EXPECT_EQ(result.taken, 0);
}

TEST(Choose, MissedSpeedGivesTheNearestWithinTheLossAndSaysWhy) {
  auto result = result_with({candidate("float", 1.0, 0, 4'000'000), candidate("a", 2.2, -0.003, 1'000'000)});
  choose(result, {.max_drop = 0.01, .speedup = 3});
  EXPECT_FALSE(result.goal_met);
  EXPECT_EQ(result.taken, 1);
  EXPECT_THAT(result.why_not, ::testing::HasSubstr("2.20x, 3.00x was asked"));
}

TEST(Choose, MissedSizeNamesTheSmallestThatIsAllowed) {
  auto result = result_with({candidate("float", 1.0, 0, 4'000'000), candidate("a", 2.2, -0.003, 1'000'000)});
  choose(result, {.max_drop = 0.01, .max_size_bytes = 500'000});
  EXPECT_FALSE(result.goal_met);
  EXPECT_THAT(result.why_not, ::testing::HasSubstr("1.00 MB"));
}

TEST(Choose, WithNothingAskedAndNothingFasterTheOriginalMeetsTheGoal) {
  auto result = result_with({candidate("slow", 0.5, 0, 1'000'000, false)});
  choose(result, {.max_drop = 0.01});
  EXPECT_EQ(result.taken, -1);
  EXPECT_TRUE(result.goal_met);
}

TEST(Choose, ErrorsOfRegressionCountRelatively) {
  auto result = result_with({candidate("float", 1.0, 0, 4'000'000), candidate("a", 2.2, 0.05, 1'000'000)});
  result.evaluation.metric = Metric::kRmse;
  result.evaluation.value = 2.0;  // 0.05 more is 2.5 %
  choose(result, {.max_drop = 0.03});
  EXPECT_EQ(result.taken, 1);
  choose(result, {.max_drop = 0.02});
  EXPECT_EQ(result.taken, 0);
}

}  // namespace
}  // namespace pare::testing
