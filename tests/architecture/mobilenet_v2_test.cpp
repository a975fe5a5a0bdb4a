#include "architecture/sound.h"

namespace pare::testing {
namespace {

TEST(MobilenetV2, HasTheSizeOfTorchvision) {
  EXPECT_EQ(parameters_of("mobilenet_v2"), 3'504'872);
  EXPECT_EQ(parameters_of("mobilenet_v2", {{"width", "0.5"}}), 1'968'680);
  EXPECT_EQ(parameters_of("mobilenet_v2", {{"width", "1.4"}}), 6'108'776);  // the head grows above width 1 alone
}

TEST(MobilenetV2, IsSound) {
  expect_sound("mobilenet_v2", {{"size", "32"}, {"width", "0.5"}, {"classes", "10"}}, {10}, 20);
  expect_sound("mobilenet_v2", {{"size", "96"}, {"width", "0.35"}, {"classes", "5"}, {"bands", "6"}}, {5}, 20);
}

TEST(MobilenetV2, HalvesSmallImagesThreeTimesAndLargeOnesFive) {
  for (const auto& [size, left] : std::map<std::string, std::int64_t>{{"32", 4}, {"64", 8}, {"96", 3}, {"224", 7}}) {
    const ValueTypes types = infer_types(new_model("mobilenet_v2", {{"size", size}, {"width", "0.25"}}));
    const std::vector<Dim>& dims = *types.at("head.conv").shape;
    EXPECT_EQ(dims[2].value, left) << size;
    EXPECT_EQ(dims[3].value, left) << size;
  }
}

}  // namespace
}  // namespace pare::testing
