#include "architecture/sound.h"

namespace pare::testing {
namespace {

TEST(Unet, CountsAsByHand) {
  // One level of 4 channels: 4, 4; bottom 8, 8; up 8 -> 4, joined to 8, 4, 4; two numbers a normalized channel.
  const std::int64_t weights = 3 * 4 * 9 + 4 * 4 * 9 + 4 * 8 * 9 + 8 * 8 * 9 + (8 * 4 * 4 + 4) + 8 * 4 * 9 + 4 * 4 * 9;
  EXPECT_EQ(parameters_of("unet", {{"channels", "4"}, {"depth", "1"}}), weights + 2 * (4 * 4 + 2 * 8) + (4 * 2 + 2));
}

TEST(Unet, PutsOutAMapAsLargeAsTheImage) {
  expect_sound("unet", {{"channels", "8"}, {"depth", "2"}, {"size", "32,48"}, {"classes", "5"}}, {5, 32, 48}, 8);
  expect_sound("unet", {{"channels", "8"}, {"depth", "3"}, {"size", "32"}, {"up", "resize"}, {"bands", "4"}},
               {2, 32, 32}, 12);
}

TEST(Unet, IsSoundAtItsDefaults) { expect_runs(new_model("unet", {{"size", "32"}}), {2, 32, 32}); }

TEST(Unet, TakesTilesOfAnySize) {
  const Model model = new_model("unet", {{"size", "any"}, {"channels", "4"}, {"depth", "2"}});
  expect_runs(model, {2, 16, 16}, 16);
  expect_runs(model, {2, 64, 64}, 64);
}

TEST(Unet, SaysWhichSizesFit) {
  expect_error([] { (void)new_model("unet", {{"size", "100"}}); }, ErrorCode::kInvalidArgument,
               {"100,100", "halved 4 times", "multiples of 16"});
  expect_error([] { (void)new_model("unet", {{"up", "transposed"}}); }, ErrorCode::kInvalidArgument,
               {"transposed", "nearest: 'transpose'"});
}

}  // namespace
}  // namespace pare::testing
