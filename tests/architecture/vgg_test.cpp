#include "architecture/sound.h"

namespace pare::testing {
namespace {

TEST(Vgg, HasTheConvolutionsOfThePaper) {
  // Weights of the convolutions, two numbers a channel for the normalization, the linear layer.
  EXPECT_EQ(parameters_of("vgg16"), 14'710'464 + 2 * 4224 + 5130);
  EXPECT_EQ(parameters_of("vgg11"), 9'217'728 + 2 * 2752 + 5130);
}

TEST(Vgg, DenseHeadCountsAsByHand) {
  const std::int64_t pool = parameters_of("vgg11", {{"width", "0.125"}, {"size", "64"}});
  const std::int64_t dense = parameters_of("vgg11", {{"width", "0.125"}, {"size", "64"}, {"head", "dense"}});
  const std::int64_t features = 64 * 2 * 2, hidden = 512;
  EXPECT_EQ(dense - pool, features * hidden + hidden + hidden * hidden + hidden + hidden * 10 + 10 - (64 * 10 + 10));
}

TEST(Vgg, IsSound) {
  expect_sound("vgg11", {{"width", "0.25"}, {"bands", "4"}, {"classes", "6"}}, {6}, 8);
  expect_sound("vgg16", {{"width", "0.125"}}, {10}, 13);
  expect_sound("vgg11", {{"width", "0.125"}, {"head", "dense"}, {"size", "64,32"}}, {10}, 9);
}

TEST(Vgg, SaysWhatDoesNotFit) {
  expect_error([] { (void)new_model("vgg11", {{"size", "16"}}); }, ErrorCode::kInvalidArgument,
               {"vgg11", "too small", "stage5.pool", "remedy"});
  expect_error([] { (void)new_model("vgg11", {{"size", "any"}, {"head", "dense"}}); }, ErrorCode::kInvalidArgument,
               {"needs the size", "remedy"});
}

}  // namespace
}  // namespace pare::testing
