// Which channels a pruned network kept is seen from what it computes.
#include "train/channel_match.h"

#include "support/support.h"
#include "train/small_data.h"

namespace pare::testing {
namespace {

using ::testing::ElementsAre;

/// [n, channels, 5, 5], every channel for itself.
Tensor noise(std::int64_t channels, std::uint64_t seed, std::int64_t n = 8) {
  return Tensor::of<float>({n, channels, 5, 5}, normal_values(n * channels * 25, seed));
}

Tensor sum(const Tensor& a, const Tensor& b, float share, float scale = 1) {
  std::vector<float> values = a.to_floats();
  const std::vector<float> other = b.to_floats();
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = scale * (values[i] + share * other[i]) + 3;
  return Tensor::of<float>(a.shape(), values);
}

TEST(MatchChannels, FindsThoseThatWereKeptWhateverTheirScale) {
  const Tensor teacher = noise(6, 1);
  const auto match = match_channels(sum(take_channels(teacher, {4, 1, 5}), noise(3, 2), 0.3F, 0.01F), teacher);
  ASSERT_TRUE(match);
  EXPECT_THAT(match->student, ElementsAre(0, 1, 2));
  EXPECT_THAT(match->teacher, ElementsAre(4, 1, 5));
}

TEST(MatchChannels, GivesNothingForOtherChannels) {
  EXPECT_FALSE(match_channels(noise(3, 2), noise(6, 1)));
  const Tensor teacher = noise(6, 1);
  EXPECT_FALSE(match_channels(sum(take_channels(teacher, {4, 1, 5}), noise(3, 2), 1.5F), teacher));
  EXPECT_FALSE(match_channels(take_channels(teacher, {2, 2, 3}), teacher)) << "each channel has one partner";
}

TEST(MatchChannels, LeavesOutOneInTenThatIsConstant) {
  const Tensor teacher = noise(20, 3);
  std::vector<float> values = take_channels(teacher, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}).to_floats();
  for (std::size_t n = 0; n < 8; ++n)
    for (std::size_t i = 0; i < 25; ++i) values[n * 250 + 100 + i] = 0;  // channel 4
  const auto match = match_channels(Tensor::of<float>({8, 10, 5, 5}, values), teacher);
  ASSERT_TRUE(match);
  EXPECT_THAT(match->student, ElementsAre(0, 1, 2, 3, 5, 6, 7, 8, 9));
  EXPECT_EQ(match->teacher, match->student);
}

TEST(MatchChannels, TakesRowsAndManyPlaces) {
  const Tensor rows = Tensor::of<float>({64, 5}, normal_values(320, 1));
  EXPECT_THAT(match_channels(take_channels(rows, {3, 0}), rows)->teacher, ElementsAre(3, 0));
  const Tensor maps = Tensor::of<float>({2, 3, 64, 64}, normal_values(24576, 1));
  EXPECT_THAT(match_channels(take_channels(maps, {2}), maps)->teacher, ElementsAre(2));
}

TEST(MatchChannels, RefusesValuesOfOtherPlaces) {
  expect_error([] { (void)match_channels(noise(3, 1, 4), noise(3, 1, 8)); }, ErrorCode::kInvalidArgument,
               {"[4, 3, 5, 5]", "[8, 3, 5, 5]"});
}

}  // namespace
}  // namespace pare::testing
