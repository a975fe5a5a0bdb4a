#include "data/input_plan.h"

#include <cmath>
#include <limits>

#include "data/samples.h"

namespace pare::data {
namespace {

using testing::AllClose;
using testing::expect_error;
using testing::input_info;

/// Keeps its own pixels.
template <class T>
Image image_of(DType dtype, const Shape& shape, const std::vector<T>& values, bool channels_last = false) {
  Image image = image_from_array(dtype, shape, channels_last);
  auto bytes = std::make_shared<std::vector<std::byte>>(values.size() * sizeof(T));
  std::memcpy(bytes->data(), values.data(), bytes->size());
  image.data = bytes->data();
  image.owner = bytes;
  return image;
}
Image color_bytes() {  // 1 x 2 pixels: red (10, 20), green (30, 40), blue (50, 60)
  return image_of<std::uint8_t>(DType::kUint8, {3, 1, 2}, {10, 20, 30, 40, 50, 60});
}

std::vector<float> prepared(const Image& image, const Preprocess& preprocess, const ValueInfo* wanted = nullptr) {
  const InputPlan plan("in", preprocess, wanted, image);
  const Shape shape = plan.shape_of(image, "it");
  std::vector<std::byte> bytes(static_cast<std::size_t>(element_count(shape) * dtype_bits(plan.dtype()) / 8));
  plan.write(image, bytes.data());
  return Tensor::from_bytes(plan.dtype(), shape, bytes).to_floats();
}

TEST(InputPlan, KeepsBytesAsFloats) {
  EXPECT_EQ(prepared(color_bytes(), {}), (std::vector<float>{10, 20, 30, 40, 50, 60}));
}

TEST(InputPlan, ScalesThenSubtractsThenDivides) {
  const Preprocess preprocess{.scale = 0.1, .mean = {1, 2, 3}, .std_dev = {2, 4, 8}};
  EXPECT_THAT(prepared(color_bytes(), preprocess),
              AllClose(std::vector<float>{0, 0.5, 0.25, 0.5, 0.25, 0.375}, {.atol = 1e-6}));
  EXPECT_THAT(prepared(color_bytes(), {.mean = {10}, .std_dev = {10}}),
              AllClose(std::vector<float>{0, 1, 2, 3, 4, 5}, {.atol = 1e-6}));
}

TEST(InputPlan, TreatsFloatsAsItTreatsBytes) {
  const Preprocess preprocess{.scale = 1 / 255.0, .mean = {0.485, 0.456, 0.406}, .std_dev = {0.229, 0.224, 0.225}};
  const Image floats = image_of<float>(DType::kFloat32, {3, 1, 2}, {10, 20, 30, 40, 50, 60});
  EXPECT_EQ(prepared(floats, preprocess), prepared(color_bytes(), preprocess));
}

TEST(InputPlan, TurnsColoursRoundAndPicksBands) {
  EXPECT_EQ(prepared(color_bytes(), {.channels = "bgr"}), (std::vector<float>{50, 60, 30, 40, 10, 20}));
  EXPECT_EQ(prepared(color_bytes(), {.bands = {2, 1}}), (std::vector<float>{30, 40, 10, 20}));
  EXPECT_EQ(prepared(color_bytes(), {.bands = {3, 3}}), (std::vector<float>{50, 60, 50, 60}));
  EXPECT_THAT(
      prepared(color_bytes(), {.channels = "gray"}),
      AllClose(std::vector<float>{0.299f * 10 + 0.587f * 30 + 0.114f * 50, 0.299f * 20 + 0.587f * 40 + 0.114f * 60},
               {.atol = 1e-4}));
}

TEST(InputPlan, LaysOutAsTheNetworkSays) {
  const ValueInfo nhwc = input_info("in", {-1, 1, 2, 3}), nchw = input_info("in", {-1, 3, 1, 2});
  const std::vector<float> planes = {10, 20, 30, 40, 50, 60}, pixels = {10, 30, 50, 20, 40, 60};
  EXPECT_EQ(prepared(color_bytes(), {}, &nchw), planes);
  EXPECT_EQ(prepared(color_bytes(), {}, &nhwc), pixels);
  EXPECT_EQ(prepared(color_bytes(), {.layout = "nhwc"}), pixels);
  const ValueInfo open_nhwc = input_info("in", {-1, -1, -1, 3}), open_nchw = input_info("in", {-1, -1, -1, -1});
  EXPECT_EQ(prepared(color_bytes(), {}, &open_nhwc), pixels);
  EXPECT_EQ(prepared(color_bytes(), {}, &open_nchw), planes);
  const Image stored_last = image_of<std::uint8_t>(DType::kUint8, {1, 2, 3}, {10, 30, 50, 20, 40, 60}, true);
  EXPECT_EQ(prepared(stored_last, {}, &nchw), planes);
  EXPECT_EQ(prepared(stored_last, {}, &nhwc), pixels);
}

TEST(InputPlan, FlattensForAPerceptron) {
  const ValueInfo flat = input_info("in", {-1, 6});
  EXPECT_EQ(prepared(color_bytes(), {}, &flat), (std::vector<float>{10, 20, 30, 40, 50, 60}));
}

TEST(InputPlan, GivesTheTypeTheNetworkTakes) {
  const ValueInfo bytes = input_info("in", {-1, 3, 1, 2}, DType::kUint8),
                  halves = input_info("in", {-1, 3, 1, 2}, DType::kFloat16);
  const InputPlan plan("in", {}, &bytes, color_bytes());
  EXPECT_EQ(plan.dtype(), DType::kUint8);
  EXPECT_EQ(prepared(color_bytes(), {}, &bytes), (std::vector<float>{10, 20, 30, 40, 50, 60}));
  EXPECT_EQ(prepared(color_bytes(), {.scale = 0.5}, &halves), (std::vector<float>{5, 10, 15, 20, 25, 30}));
  const ValueInfo resized = input_info("in", {-1, 3, 1, 1}, DType::kUint8);
  EXPECT_EQ(prepared(color_bytes(), {.resize = {{1, 1}}}, &resized), (std::vector<float>{15, 35, 55}));
}

TEST(InputPlan, RefusesToNormalizeForAByteInput) {
  const ValueInfo bytes = input_info("in", {-1, 3, 1, 2}, DType::kUint8);
  expect_error([&] { (void)prepared(color_bytes(), {.scale = 0.5}, &bytes); }, ErrorCode::kInvalidArgument,
               {"'in' is uint8", "remedy"});
  const Image floats = image_of<float>(DType::kFloat32, {3, 1, 2}, {10, 20, 30, 40, 50, 60});
  expect_error([&] { (void)prepared(floats, {}, &bytes); }, ErrorCode::kInvalidArgument,
               {"uint8", "float32", "remedy"});
}

TEST(InputPlan, TurnsNodataIntoZeroAfterNormalization) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Image raster = image_of<float>(DType::kFloat32, {1, 1, 4}, {-9999, 4, nan, 8});
  EXPECT_EQ(prepared(raster, {.mean = {2}, .std_dev = {2}, .nodata = -9999}), (std::vector<float>{0, 1, 0, 3}));
  EXPECT_EQ(prepared(color_bytes(), {.mean = {20}, .nodata = 60}), (std::vector<float>{-10, 0, 10, 20, 30, 0}));
}

TEST(InputPlan, KeepsNodataOutOfItsNeighboursWhenResizing) {
  const Image raster = image_of<float>(DType::kFloat32, {1, 1, 4}, {-9999, 6, 6, -9999});
  for (const float value : prepared(raster, {.resize = {{1, 8}}, .scale = 0.5, .mean = {2}, .nodata = -9999})) {
    EXPECT_GE(value, 0);
    EXPECT_LE(value, 1);
  }
}

TEST(InputPlan, ResizesThenNormalizes) {
  const Image image = image_of<std::uint8_t>(DType::kUint8, {1, 2, 2}, {0, 100, 100, 200});
  EXPECT_THAT(prepared(image, {.resize = {{1, 1}}, .scale = 0.01, .mean = {1}}),
              AllClose(std::vector<float>{0}, {.atol = 1e-6}));
}

TEST(InputPlan, SaysWhichSizeIsWanted) {
  const Image image = image_of<std::uint8_t>(DType::kUint8, {28, 28}, std::vector<std::uint8_t>(784));
  const ValueInfo wanted = input_info("in", {-1, 1, 32, 32});
  expect_error([&] { (void)prepared(image, {}, &wanted); }, ErrorCode::kInvalidArgument,
               {"[N, 1, 32, 32]", "1 x 28 x 28", "remedy: add \"resize\": [32, 32]"});
  expect_error([&] { (void)prepared(image, {.resize = {{30, 30}}}, &wanted); }, ErrorCode::kInvalidArgument,
               {"[N, 1, 32, 32]", "30 x 30"});
  EXPECT_EQ(prepared(image, {.resize = {{32, 32}}}, &wanted).size(), 1024U);
}

TEST(InputPlan, SaysWhichChannelsAreWanted) {
  const ValueInfo four = input_info("in", {-1, 4, 1, 2}), one = input_info("in", {-1, 1, 1, 2});
  expect_error([&] { (void)prepared(color_bytes(), {}, &four); }, ErrorCode::kInvalidArgument,
               {"'in' wants [N, 4, 1, 2] (4 channels)", "3 channels", "\"bands\""});
  expect_error([&] { (void)prepared(color_bytes(), {}, &one); }, ErrorCode::kInvalidArgument,
               {"1 channels", "remedy: add \"channels\": \"gray\""});
  EXPECT_EQ(prepared(color_bytes(), {.channels = "gray"}, &one).size(), 2U);
  expect_error([&] { (void)prepared(color_bytes(), {.bands = {1, 4}}); }, ErrorCode::kInvalidArgument,
               {"band 4", "3 bands"});
  expect_error([&] { (void)prepared(color_bytes(), {.mean = {1, 2}}); }, ErrorCode::kInvalidArgument,
               {"'mean' has 2 values", "3 channels"});
  expect_error([&] { (void)prepared(color_bytes(), {.std_dev = {1, 2, 3, 4}}); }, ErrorCode::kInvalidArgument,
               {"'std' has 4 values"});
}

TEST(InputPlan, LeavesAlphaOutAndWidensGrayOfPhotosOnly) {
  Image gray = image_of<std::uint8_t>(DType::kUint8, {1, 2}, {7, 9});
  const ValueInfo three = input_info("in", {-1, 3, 1, 2}), four = input_info("in", {-1, 4, 1, 2});
  expect_error([&] { (void)prepared(gray, {}, &three); }, ErrorCode::kInvalidArgument, {"1 channel\n"});
  gray.photo = true;
  EXPECT_EQ(prepared(gray, {}, &three), (std::vector<float>{7, 9, 7, 9, 7, 9}));
  Image alpha = image_of<std::uint8_t>(DType::kUint8, {4, 1, 2}, {1, 2, 3, 4, 5, 6, 255, 255});
  alpha.alpha = 3;
  EXPECT_EQ(prepared(alpha, {}, &three), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(prepared(alpha, {}, &four), (std::vector<float>{1, 2, 3, 4, 5, 6, 255, 255}));
  EXPECT_EQ(prepared(alpha, {}).size(), 6U);
  const ValueInfo five = input_info("in", {-1, 5, 1, 2});
  expect_error([&] { (void)prepared(alpha, {}, &five); }, ErrorCode::kInvalidArgument, {"channel 4 is alpha"});
}

TEST(InputPlan, ReadsUnalignedPixels) {
  std::vector<std::byte> bytes(1 + 4 * sizeof(float));
  const float values[] = {1, 2, 3, 4};
  std::memcpy(bytes.data() + 1, values, sizeof values);
  Image image = image_from_array(DType::kFloat32, {2, 2}, false);
  image.data = bytes.data() + 1;
  EXPECT_EQ(prepared(image, {}), (std::vector<float>{1, 2, 3, 4}));
}

}  // namespace
}  // namespace pare::data
