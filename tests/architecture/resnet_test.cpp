// Counts are those of the papers and of torchvision.
#include "architecture/sound.h"

namespace pare::testing {
namespace {

TEST(Resnet, CifarKindHasThePapersSize) {
  EXPECT_EQ(parameters_of("resnet20"), 269'722 + 2752);  // option A of the paper; B adds two 1x1 convolutions and norms
  EXPECT_EQ(parameters_of("resnet56"), 853'018 + 2752);
}

TEST(Resnet, ImagenetKindHasTheSizeOfTorchvision) {
  EXPECT_EQ(parameters_of("resnet18"), 11'689'512);
  EXPECT_EQ(parameters_of("resnet50"), 25'557'032);
}

TEST(Resnet, CountsTheMacsOfThePaper) {
  EXPECT_NEAR(static_cast<double>(inspect_model(new_model("resnet20")).total_macs), 40.8e6, 0.1e6);
  EXPECT_NEAR(static_cast<double>(inspect_model(new_model("resnet50")).total_macs), 4.09e9, 0.01e9);
}

TEST(Resnet, IsSound) {
  expect_sound("resnet8", {{"size", "24,40"}, {"bands", "5"}, {"classes", "7"}}, {7}, 6);
  expect_sound("resnet20", {{"width", "0.5"}}, {10}, 12);
  expect_sound("resnet18", {{"width", "0.25"}, {"size", "64"}, {"classes", "12"}}, {12}, 12);
  expect_sound("resnet50", {{"width", "0.125"}, {"size", "64"}, {"classes", "12"}, {"bands", "4"}}, {12}, 36);
}

TEST(Resnet, KeepsItsScaleHoweverDeep) {
  // With a running variance of 1 the logits of resnet56 deviate by thousands, those of resnet50 by tens.
  expect_runs(new_model("resnet56", {{"size", "16"}}), {10});
  expect_runs(new_model("resnet50", {{"size", "64"}}), {1000});
}

TEST(Resnet, TakesImagesOfAnySize) {
  const Model model = new_model("resnet20", {{"size", "any"}, {"width", "0.25"}});
  expect_runs(model, {10}, 16);
  expect_runs(model, {10}, 40);
}

TEST(Resnet, HalfTheWidthIsAQuarterOfTheWeights) {
  const double full = static_cast<double>(parameters_of("resnet20"));
  EXPECT_NEAR(static_cast<double>(parameters_of("resnet20", {{"width", "0.5"}})) / full, 0.25, 0.01);
  EXPECT_NEAR(static_cast<double>(parameters_of("resnet20", {{"width", "2"}})) / full, 4, 0.05);
}

}  // namespace
}  // namespace pare::testing
