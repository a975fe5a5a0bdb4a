#include "architecture/sound.h"

namespace pare::testing {
namespace {

TEST(EfficientnetLite0, HasThePublishedSize) {
  EXPECT_EQ(parameters_of("efficientnet_lite0"), 4'652'008);
  EXPECT_NEAR(static_cast<double>(inspect_model(new_model("efficientnet_lite0")).total_macs), 385e6, 1e6);
}

TEST(EfficientnetLite0, IsSound) {
  expect_sound("efficientnet_lite0", {{"size", "32"}, {"width", "0.5"}, {"classes", "10"}, {"bands", "4"}}, {10}, 24);
}

TEST(EfficientnetLite0, KeepsStemAndHeadAtEveryWidth) {
  const Model model = new_model("efficientnet_lite0", {{"width", "0.25"}, {"size", "32"}});
  EXPECT_EQ(model.graph.initializers.find("stem.conv.weight")->shape()[0], 32);
  EXPECT_EQ(model.graph.initializers.find("head.conv.weight")->shape()[0], 1280);
}

}  // namespace
}  // namespace pare::testing
