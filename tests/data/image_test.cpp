#include "data/image.h"

#include <atomic>
#include <thread>

#include "data/samples.h"

namespace pare::data {
namespace {

using testing::expect_error;
using testing::from_base64;
using testing::png_file;
using testing::TempDir;
using testing::tiff_file;
using testing::write_file;

#define PARE_NEED_DECODER() \
  if (!can_decode_images()) GTEST_SKIP() << "a build without GDAL"

std::vector<float> channel(const Image& image, std::int64_t index) {
  std::vector<float> values(static_cast<std::size_t>(image.pixel_count()));
  read_floats(image, index, values.data());
  return values;
}

TEST(Image, WithoutDecoderSaysSo) {
  if (can_decode_images()) GTEST_SKIP() << "this build decodes images";
  expect_error([] { (void)decode_image("a.png"); }, ErrorCode::kUnsupported, {"a.png", "PARE_WITH_GDAL=ON"});
}

TEST(Image, DecodesPng) {
  PARE_NEED_DECODER();
  const TempDir folder;
  write_file(folder / "a.png", png_file({.width = 2, .height = 1, .channels = 3, .pixels = "\1\2\3\4\5\6"}));
  const Image image = decode_image(folder / "a.png");
  EXPECT_EQ(image.size_text(), "3 x 1 x 2");
  EXPECT_EQ(image.dtype, DType::kUint8);
  EXPECT_EQ(image.alpha, -1);
  EXPECT_EQ(channel(image, 0), (std::vector<float>{1, 4}));
  EXPECT_EQ(channel(image, 2), (std::vector<float>{3, 6}));
}

TEST(Image, KnowsAlpha) {
  PARE_NEED_DECODER();
  const TempDir folder;
  write_file(folder / "a.png", png_file({.width = 1, .height = 1, .channels = 4, .pixels = "\1\2\3\4"}));
  EXPECT_EQ(decode_image(folder / "a.png").alpha, 3);
}

TEST(Image, LooksUpAPaletteUnlessIndicesAreWanted) {
  PARE_NEED_DECODER();
  const TempDir folder;
  write_file(folder / "a.png",
             png_file({.width = 2, .height = 1, .pixels = std::string("\1\0", 2), .palette = "\12\13\14\24\25\26"}));
  const Image colors = decode_image(folder / "a.png"), numbers = decode_image(folder / "a.png", true);
  ASSERT_EQ(colors.channels, 3);
  EXPECT_EQ(channel(colors, 0), (std::vector<float>{20, 10}));
  EXPECT_EQ(channel(colors, 2), (std::vector<float>{22, 12}));
  ASSERT_EQ(numbers.channels, 1);
  EXPECT_EQ(read_labels(numbers, "it"), (std::vector<std::int64_t>{1, 0}));
}

TEST(Image, WidensGrayOfFewBitsButNotMasks) {
  PARE_NEED_DECODER();
  const TempDir folder;
  write_file(folder / "a.png", png_file({.width = 4, .height = 1, .pixels = "\xa0", .bits = 1}));
  EXPECT_EQ(channel(decode_image(folder / "a.png"), 0), (std::vector<float>{255, 0, 255, 0}));
  EXPECT_EQ(read_labels(decode_image(folder / "a.png", true), "it"), (std::vector<std::int64_t>{1, 0, 1, 0}));
}

TEST(Image, DecodesJpeg) {
  PARE_NEED_DECODER();
  const TempDir folder;
  write_file(folder / "a.jpg", from_base64(testing::kColorJpeg));
  const Image image = decode_image(folder / "a.jpg");
  EXPECT_EQ(image.size_text(), "3 x 8 x 8");
  EXPECT_THAT(channel(image, 0), testing::AllClose(std::vector<float>(64, 200), {.atol = 1.5}));
  EXPECT_THAT(channel(image, 1), testing::AllClose(std::vector<float>(64, 100), {.atol = 1.5}));
  EXPECT_THAT(channel(image, 2), testing::AllClose(std::vector<float>(64, 50), {.atol = 1.5}));
  write_file(folder / "gray.jpg", from_base64(testing::kGrayJpeg));
  const Image gray = decode_image(folder / "gray.jpg");
  EXPECT_EQ(gray.channels, 1);
  EXPECT_LT(channel(gray, 0)[0], 40);
  EXPECT_GT(channel(gray, 0)[63], 190);
}

TEST(Image, KeepsTheTypeOfRasters) {
  PARE_NEED_DECODER();
  const TempDir folder;
  write_file(folder / "u16.tif", tiff_file<std::uint16_t>(2, 1, 4, {1, 2, 3, 4000, 5, 6, 7, 65535}));
  const Image wide = decode_image(folder / "u16.tif");
  EXPECT_EQ(wide.dtype, DType::kUint16);
  EXPECT_EQ(wide.channels, 4);
  EXPECT_EQ(channel(wide, 3), (std::vector<float>{4000, 65535}));
  write_file(folder / "f32.tif", tiff_file<float>(2, 1, 1, {-0.5f, 1e6f}));
  const Image real = decode_image(folder / "f32.tif");
  EXPECT_EQ(real.dtype, DType::kFloat32);
  EXPECT_EQ(channel(real, 0), (std::vector<float>{-0.5f, 1e6f}));
  write_file(folder / "i16.tif", tiff_file<std::int16_t>(1, 1, 1, {-9999}));
  EXPECT_EQ(channel(decode_image(folder / "i16.tif"), 0), std::vector<float>{-9999});
}

TEST(Image, NamesAFileThatCannotBeDecodedAndPrintsNothing) {
  PARE_NEED_DECODER();
  const TempDir folder;
  const std::string png = png_file({.width = 9, .height = 9, .channels = 3, .pixels = std::string(243, 'x')});
  const std::string jpeg = from_base64(testing::kColorJpeg);
  write_file(folder / "cut.png", png.substr(0, png.size() / 2));
  write_file(folder / "cut.jpg", jpeg.substr(0, jpeg.size() - 8));
  write_file(folder / "cut.tif", tiff_file<float>(20, 20, 1, std::vector<float>(400)).substr(0, 700));
  write_file(folder / "text.jpg", "this is no picture");
  write_file(folder / "empty.png", "");
  ::testing::internal::CaptureStderr();
  for (const char* name : {"cut.png", "cut.jpg", "cut.tif", "text.jpg", "empty.png", "none.png"})
    expect_error([&] { (void)decode_image(folder / name); }, ErrorCode::kIo, {"cannot decode", name});
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(Image, IsDecodedBySeveralThreadsAtOnce) {
  PARE_NEED_DECODER();
  const TempDir folder;
  write_file(folder / "a.jpg", from_base64(testing::kColorJpeg));
  write_file(folder / "a.tif", tiff_file<float>(2, 1, 1, {-0.5f, 1e6f}));
  const std::vector<float> expected = channel(decode_image(folder / "a.jpg"), 0);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 25; ++k) {
        if (channel(decode_image(folder / "a.jpg"), 0) != expected) ++wrong;
        if (channel(decode_image(folder / "a.tif"), 0)[1] != 1e6f) ++wrong;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Labels, RefuseFractionsAndSeveralBands) {
  const float values[] = {1, 2.5};
  Image image = image_from_array(DType::kFloat32, {1, 2}, false);
  image.data = reinterpret_cast<const std::byte*>(values);
  expect_error([&] { (void)read_labels(image, "a.tif"); }, ErrorCode::kInvalidArgument, {"a.tif", "2.5"});
  const float whole[] = {3, -1};
  image.data = reinterpret_cast<const std::byte*>(whole);
  EXPECT_EQ(read_labels(image, "a.tif"), (std::vector<std::int64_t>{3, -1}));
  image.channels = 3;
  expect_error([&] { (void)read_labels(image, "a.tif"); }, ErrorCode::kInvalidArgument, {"a.tif has 3 bands"});
}

}  // namespace
}  // namespace pare::data
