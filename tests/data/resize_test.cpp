#include "data/resize.h"

#include "support/support.h"

namespace pare::data {
namespace {

std::vector<float> ramp() {
  std::vector<float> plane;
  for (int i = 0; i < 35; ++i) plane.push_back(static_cast<float>(i * 37 % 251));
  return plane;
}

// The expected numbers are Pillow's resize(..., BILINEAR) of the same float image.
TEST(Resize, ShrinksAsPillowDoes) {
  EXPECT_THAT(resize_bilinear(ramp(), {7, 5}, {3, 2}),
              testing::AllClose(std::vector<float>{112.4481f, 95.9903f, 118.8583f, 135.1417f, 158.0097f, 113.0292f},
                                {.atol = 1e-3}));
}

TEST(Resize, EnlargesAsPillowDoes) {
  const std::vector<float> result = resize_bilinear(ramp(), {7, 5}, {9, 8});
  ASSERT_EQ(result.size(), 72U);
  EXPECT_THAT(std::vector<float>(result.begin(), result.begin() + 16),
              testing::AllClose(
                  std::vector<float>{0.0f, 16.1875f, 39.3125f, 62.4375f, 85.5625f, 108.6875f, 131.8125f, 148.0f,
                                     123.3333f, 139.5208f, 152.1875f, 70.7292f, 41.5625f, 64.6875f, 87.8125f, 104.0f},
                  {.atol = 1e-3}));
}

TEST(Resize, ShrinksOneWayAndEnlargesTheOther) {
  const std::vector<float> result = resize_bilinear(ramp(), {7, 5}, {4, 11});
  EXPECT_THAT(std::vector<float>(result.end() - 11, result.end()),
              testing::AllClose(std::vector<float>{140.5714f, 145.1255f, 156.5108f, 168.9827f, 185.8009f, 202.6190f,
                                                   170.5411f, 138.4632f, 97.6926f, 54.7489f, 37.5714f},
                                {.atol = 1e-3}));
}

TEST(Resize, KeepsConstantsAndTheSameSize) {
  for (const float value : resize_bilinear(std::vector<float>(99, 7.0f), {9, 11}, {4, 30})) EXPECT_FLOAT_EQ(value, 7);
  EXPECT_EQ(resize_bilinear(ramp(), {7, 5}, {7, 5}), ramp());
}

TEST(ResizeNearest, TakesThePixelUnderTheCentre) {
  EXPECT_EQ(resize_nearest({1, 2, 3, 4}, {2, 2}, {4, 4}),
            (std::vector<std::int64_t>{1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4}));
  EXPECT_EQ(resize_nearest({0, 1, 2, 3, 4}, {1, 5}, {1, 3}), (std::vector<std::int64_t>{0, 2, 4}));
  EXPECT_EQ(resize_nearest({0, 1, 2, 3}, {1, 4}, {1, 2}), (std::vector<std::int64_t>{1, 3}));
}

}  // namespace
}  // namespace pare::data
