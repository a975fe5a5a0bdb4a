#include "core/words.h"

#include "support/support.h"

namespace pare::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(NearestWords, FindsMisspellingsBestFirst) {
  const std::vector<std::string> known = {"conv1", "conv2", "relu", "layer1.conv1"};
  EXPECT_THAT(nearest_words("conv1", known), ElementsAre("conv1", "conv2", "layer1.conv1"));
  EXPECT_THAT(nearest_words("rleu", known), ElementsAre("relu"));
  EXPECT_THAT(nearest_words("softmax", known), IsEmpty());
  EXPECT_THAT(nearest_words("", known), IsEmpty());
}

TEST(NearestWords, GivesEachWordOnceAndAtMostCount) {
  EXPECT_THAT(nearest_words("a", {"ab", "ab", "ac", "ad", "ae"}, 2), ElementsAre("ab", "ac"));
}

TEST(NearestHint, IsALineOrNothing) {
  EXPECT_EQ(nearest_hint("mean", {"meen", "std"}), "\n  nearest: 'meen'");
  EXPECT_EQ(nearest_hint("mean", {"zzzzzzzzz"}), "");
}

TEST(Split, KeepsEmptyParts) {
  EXPECT_THAT(split("a,,b", ','), ElementsAre("a", "", "b"));
  EXPECT_THAT(split("", ','), ElementsAre(""));
  EXPECT_THAT(split(",", ','), ElementsAre("", ""));
}

TEST(Trim, TakesWhiteSpaceOffBothEnds) {
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
}

TEST(Join, PutsTheSeparatorBetween) {
  EXPECT_EQ(join({"a", "b", "c"}, ", "), "a, b, c");
  EXPECT_EQ(join({}, ", "), "");
}

TEST(WithCommas, GroupsByThree) {
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(1000), "1,000");
  EXPECT_EQ(with_commas(1234567), "1,234,567");
  EXPECT_EQ(with_commas(-1234), "-1,234");
  EXPECT_EQ(with_commas(-123), "-123");
}

TEST(MatchesPattern, KnowsStarAndQuestionMark) {
  EXPECT_TRUE(matches_pattern("layer1.conv2", "layer*.conv?"));
  EXPECT_TRUE(matches_pattern("abc", "*"));
  EXPECT_TRUE(matches_pattern("", "*"));
  EXPECT_TRUE(matches_pattern("aXbXc", "a*b*c"));
  EXPECT_TRUE(matches_pattern("aab", "*ab"));
  EXPECT_FALSE(matches_pattern("abc", "ab"));
  EXPECT_FALSE(matches_pattern("ab", "ab?"));
  EXPECT_FALSE(matches_pattern("", "?"));
  EXPECT_TRUE(matches_pattern("a.b", "a.b"));
  EXPECT_FALSE(matches_pattern("axb", "a.b"));
}

}  // namespace
}  // namespace pare::testing
