// Rasters as training sets: tiles, bands, nodata, masks and values beside, parts.
#include <cmath>
#include <set>

#include "data/image.h"
#include "data/samples.h"
#include "pare/augment.h"
#include "pare/split.h"

namespace pare::testing {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// Band b of pixel (y, x) holds 1000 b + 16 y + x.
template <class T>
std::vector<T> ramps(int width, int height, int bands) {
  std::vector<T> values;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int b = 1; b <= bands; ++b) values.push_back(static_cast<T>(1000 * b + 16 * y + x));
  return values;
}

class Rasters : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!data::can_decode_images()) GTEST_SKIP() << "a build without GDAL";
  }
  [[nodiscard]] std::unique_ptr<Dataset> open(const std::string& name, const std::string& preprocess,
                                              std::vector<ValueInfo> inputs = {}) const {
    return open_dataset(folder_ / name, {.preprocess = parse_preprocess(preprocess), .inputs = std::move(inputs)});
  }
  void add(const std::string& name, const std::string& content) { write_file(folder_ / name, content); }
  TempDir folder_;
};

TEST_F(Rasters, AreCutIntoTiles) {
  add("scene.tif", tiff_file<std::uint16_t>(10, 7, 3, ramps<std::uint16_t>(10, 7, 3)));
  const auto data = open("scene.tif", R"({"tile": 3, "scale": 0.5})");
  EXPECT_EQ(data->task(), Task::kNone);
  ASSERT_EQ(data->size(), 6);
  EXPECT_THAT(data->description(), ::testing::HasSubstr("6 tiles of 3 x 3 in"));
  const Batch batch = batch_of(*data, {4, 0});
  ASSERT_EQ(batch.inputs.at("x").shape(), (Shape{2, 3, 3, 3}));
  const auto values = batch.inputs.at("x").data<float>();
  EXPECT_EQ(values[0], 0.5f * (1000 + 16 * 3 + 3));  // second row of tiles, second column
  EXPECT_EQ(values[26], 0.5f * (3000 + 16 * 5 + 5));
  EXPECT_EQ(values[27], 500);
  EXPECT_EQ(open("scene.tif", R"({"tile": 3, "tile_step": 1})")->size(), 5 * 8);
  EXPECT_EQ(open("scene.tif", R"({"tile": 7})")->size(), 1);
  expect_error([&] { (void)open("scene.tif", R"({"tile": 8})"); }, ErrorCode::kInvalidArgument,
               {"no tile of 8 x 8", "scene.tif is 7 x 10", "remedy"});
}

TEST_F(Rasters, PredictOneBandFromOthers) {
  add("scene.tif", tiff_file<std::uint16_t>(8, 8, 4, ramps<std::uint16_t>(8, 8, 4)));
  const auto data = open("scene.tif", R"({"tile": 4, "target_bands": [3]})");
  EXPECT_EQ(data->task(), Task::kRegression);
  EXPECT_THAT(data->description(), ::testing::HasSubstr("to predict band 3"));
  const Batch batch = batch_of(*data, {3});
  EXPECT_EQ(batch.inputs.at("x").shape(), (Shape{1, 3, 4, 4}));
  EXPECT_EQ(batch.inputs.at("x").data<float>()[32], 4000 + 16 * 4 + 4);  // bands 1, 2, 4
  ASSERT_EQ(batch.target.shape(), (Shape{1, 1, 4, 4}));
  EXPECT_EQ(batch.target.data<float>()[0], 3000 + 16 * 4 + 4);
  EXPECT_EQ(batch.target.data<float>()[15], 3000 + 16 * 7 + 7);

  const auto chosen = open("scene.tif", R"({"tile": 4, "bands": [4, 1], "target_bands": [3, 2], "layout": "nhwc",
                           "mean": [4000, 1000]})",
                           {input_info("image", {-1, 4, 4, 2})});
  const Batch other = batch_of(*chosen, {0, 1});
  EXPECT_EQ(other.inputs.at("image").shape(), (Shape{2, 4, 4, 2}));
  EXPECT_EQ(other.inputs.at("image").data<float>()[0], 0);
  EXPECT_EQ(other.inputs.at("image").data<float>()[1], 0);
  EXPECT_EQ(other.target.shape(), (Shape{2, 2, 4, 4}));
  EXPECT_EQ(other.target.data<float>()[16], 2000);
  EXPECT_TRUE(chosen->layout("image").channels_last);

  expect_error([&] { (void)open("scene.tif", R"({"target_bands": [5]})"); }, ErrorCode::kInvalidArgument,
               {"'target_bands' asks for band 5", "4 bands"});
  expect_error([&] { (void)open("scene.tif", R"({"bands": [1, 5], "tile": 4})"); }, ErrorCode::kInvalidArgument,
               {"'bands' asks for band 5", "4 bands"});
  expect_error([&] { (void)open("scene.tif", R"({"bands": [1, 2], "target_bands": [2]})"); },
               ErrorCode::kInvalidArgument, {"band 2 is in 'bands' and in 'target_bands'"});
  expect_error([&] { (void)open("scene.tif", R"({"target_bands": [1, 2, 3, 4]})"); }, ErrorCode::kInvalidArgument,
               {"none is left"});
  expect_error([&] { (void)open("scene.tif", R"({"target_bands": [1], "resize": [4, 4]})"); },
               ErrorCode::kInvalidArgument, {"'resize'", "'tile'"});
}

TEST_F(Rasters, MissingPixelsAreNaNInTargetsAndZeroInInputs) {
  std::vector<float> values = ramps<float>(4, 4, 2);
  values[0] = values[3] = -9999;  // band 1 of the first pixel, band 2 of the second
  values[2] = kNaN;               // band 1 of the second
  values[5] = -1;                 // band 2 of the third
  add("scene.tif", tiff_file<float>(4, 4, 2, values, {.nodata = "-9999"}));
  for (const auto& [key, at_third] :
       std::vector<std::pair<std::string, bool>>{{"", false}, {R"(, "nodata": -1)", true}}) {
    const auto data = open("scene.tif", R"({"tile": 4, "target_bands": [2], "mean": 500)" + key + "}");
    const Batch batch = batch_of(*data, {0});
    const auto input = batch.inputs.at("x").data<float>(), target = batch.target.data<float>();
    EXPECT_EQ(input[0], at_third ? -10499 : 0);  // what the description says replaces what the file declares
    EXPECT_EQ(input[1], 0);                      // NaN
    EXPECT_EQ(input[2], 502);
    EXPECT_EQ(target[0], 2000);
    EXPECT_TRUE(std::isnan(target[1]));
    EXPECT_EQ(std::isnan(target[2]), at_third);
    EXPECT_EQ(target[3], 2003);
  }
}

TEST_F(Rasters, TakeClassesFromTheRasterBeside) {
  add("scene.tif", tiff_file<std::uint8_t>(6, 6, 3, ramps<std::uint8_t>(6, 6, 3)));
  std::vector<std::uint8_t> classes(36, 1);
  classes[0] = 0, classes[1] = 7, classes[2] = 255;
  add("scene_mask.tif", tiff_file<std::uint8_t>(6, 6, 1, classes, {.nodata = "7"}));
  const auto data = open("scene.tif", R"({"tile": 3})");
  EXPECT_EQ(data->task(), Task::kSegmentation);
  ASSERT_EQ(data->size(), 4);
  const Batch batch = batch_of(*data, {0, 3});
  ASSERT_EQ(batch.target.shape(), (Shape{2, 3, 3}));
  const auto labels = batch.target.to_int64s();
  EXPECT_EQ(std::vector<std::int64_t>(labels.begin(), labels.begin() + 5),
            (std::vector<std::int64_t>{0, -1, -1, 1, 1}));
  const auto valued = batch_of(*open("scene.tif", R"({"tile": 3, "mask_values": [1, 7]})"), {0}).target.to_int64s();
  EXPECT_EQ(std::vector<std::int64_t>(valued.begin(), valued.begin() + 4), (std::vector<std::int64_t>{-1, 1, -1, 0}));
  EXPECT_EQ(open("scene.tif", "{}")->task(), Task::kSegmentation);  // the whole raster is one sample
  EXPECT_EQ(batch_of(*open("scene.tif", "{}"), {0}).target.shape(), (Shape{1, 6, 6}));
}

TEST_F(Rasters, NodataOfTheImageSaysNothingOfTheMask) {
  add("scene.tif", tiff_file<std::uint8_t>(2, 2, 1, {0, 5, 6, 7}, {.nodata = "0"}));
  add("scene_labels.tif", tiff_file<std::uint8_t>(2, 2, 1, {0, 0, 1, 1}));
  const Batch batch = batch_of(*open("scene.tif", R"({"tile": 2, "mean": 5})"), {0});
  EXPECT_EQ(batch.target.to_int64s(), (std::vector<std::int64_t>{0, 0, 1, 1}));
  EXPECT_EQ(batch.inputs.at("x").to_floats(), (std::vector<float>{0, 0, 1, 2}));
}

TEST_F(Rasters, TakeValuesFromTheRasterBeside) {
  add("a/one.tif", tiff_file<std::uint8_t>(4, 2, 1, {1, 2, 3, 4, 5, 6, 7, 8}));
  add("a/one_target.tif", tiff_file<float>(4, 2, 1, {0, -1, 2.5f, 3, 4, 5, 6, 7}, {.nodata = "-1"}));
  add("a/two.tif", tiff_file<std::uint8_t>(2, 2, 1, {1, 2, 3, 4}));
  add("a/two_target.tif", tiff_file<float>(2, 2, 1, {10, 11, 12, 13}));
  const auto data = open("a", R"({"tile": 2})");
  EXPECT_EQ(data->task(), Task::kRegression);
  EXPECT_THAT(data->description(), ::testing::HasSubstr("(2 rasters)"));
  EXPECT_EQ(data->groups(), (std::vector<std::int64_t>{0, 1, 2}));  // too few for larger blocks
  const Batch batch = batch_of(*data, {0, 1, 2});
  EXPECT_THAT(batch.target.to_floats(), AllClose(std::vector<float>{0, kNaN, 4, 5, 2.5f, 3, 6, 7, 10, 11, 12, 13}));
  add("a/three.tif", tiff_file<std::uint8_t>(2, 2, 1, {1, 2, 3, 4}));
  expect_error([&] { (void)open("a", R"({"tile": 2})"); }, ErrorCode::kInvalidArgument,
               {"not alike", "three.tif", "no mask"});
}

TEST_F(Rasters, CutImagesBesideMasks) {
  add("images/p.tif", tiff_file<std::uint16_t>(4, 4, 2, ramps<std::uint16_t>(4, 4, 2)));
  add("masks/p.tif", tiff_file<std::uint8_t>(4, 4, 1, std::vector<std::uint8_t>(16, 2)));
  const auto data =
      open_dataset(folder_.path(), {.preprocess = parse_preprocess(R"({"tile": 2, "mask_values": [1, 2]})")});
  EXPECT_EQ(data->task(), Task::kSegmentation);
  EXPECT_EQ(data->class_count(), 2);
  EXPECT_EQ(batch_of(*data, {3}).target.to_int64s(), (std::vector<std::int64_t>{1, 1, 1, 1}));
}

TEST_F(Rasters, RefuseWhatDoesNotLieOnTheSameGrid) {
  add("a.tif", tiff_file<std::uint8_t>(2, 2, 1, {1, 2, 3, 4}, {.corner = {{1000, 2000}}}));
  add("a_mask.tif", tiff_file<std::uint8_t>(2, 2, 1, {0, 1, 1, 0}, {.corner = {{1001, 2000}}}));
  EXPECT_EQ(open("a.tif", R"({"tile": 2})")->size(), 1);
  add("a_mask.tif", tiff_file<std::uint8_t>(2, 2, 1, {0, 1, 1, 0}, {.corner = {{1060, 2000}}}));
  expect_error([&] { (void)open("a.tif", R"({"tile": 2})"); }, ErrorCode::kInvalidArgument,
               {"different places", "1060", "gdalwarp"});
  add("a_mask.tif", tiff_file<std::uint8_t>(3, 2, 1, {0, 1, 1, 0, 1, 1}));
  expect_error([&] { (void)open("a.tif", R"({"tile": 2})"); }, ErrorCode::kInvalidArgument,
               {"a_mask.tif is 2 x 3", "a.tif is 2 x 2"});
  add("a_mask.tif", tiff_file<std::uint8_t>(2, 2, 2, {0, 1, 1, 0, 1, 1, 0, 0}));
  expect_error([&] { (void)open("a.tif", R"({"tile": 2})"); }, ErrorCode::kInvalidArgument,
               {"2 bands", "a mask has one"});
}

TEST_F(Rasters, PartsOfOneRasterAreApart) {
  add("scene.tif", tiff_file<std::uint16_t>(40, 40, 2, ramps<std::uint16_t>(40, 40, 2)));
  const auto pixels_of = [&](const std::string& name, const std::string& json) {
    const auto data = open(name, json);
    std::set<float> seen;
    for (std::int64_t i = 0; i < data->size(); ++i)
      for (const float value : batch_of(*data, {i}).target.to_floats()) seen.insert(value);
    return seen;
  };
  // 16 y + x is not one value a pixel, 64 y + x is.
  std::vector<std::uint16_t> unique;
  for (int i = 0; i < 1600; ++i) unique.push_back(0), unique.push_back(static_cast<std::uint16_t>(i));
  add("scene.tif", tiff_file<std::uint16_t>(40, 40, 2, unique));
  const auto train = pixels_of("scene.tif", R"({"tile": 4, "tile_step": 2, "target_bands": [2], "part": "train"})");
  const auto test = pixels_of("scene.tif", R"({"tile": 4, "tile_step": 2, "target_bands": [2], "part": "test"})");
  EXPECT_GT(train.size(), 900U);
  EXPECT_GT(test.size(), 250U);
  for (const float value : test) ASSERT_FALSE(train.contains(value));
  const std::string json = R"({"tile": 4, "target_bands": [2]})";
  EXPECT_EQ(open("scene.tif#test", json)->fingerprint(),
            open("scene.tif", R"({"tile": 4, "target_bands": [2], "part": "test"})")->fingerprint());
  EXPECT_NE(open("scene.tif#test", json)->fingerprint(), open("scene.tif#train", json)->fingerprint());
  EXPECT_THAT(open("scene.tif#test", json)->description(), ::testing::HasSubstr("test part, "));
  // Validation out of the training part keeps blocks together as well.
  const auto whole = open("scene.tif#train", json);
  const auto groups = whole->groups();
  const Split split = split_dataset(*whole, 0.2, 1);
  std::set<std::int64_t> held;
  for (const std::int64_t index : split.validation) held.insert(groups[static_cast<std::size_t>(index)]);
  for (const std::int64_t index : split.train) EXPECT_FALSE(held.contains(groups[static_cast<std::size_t>(index)]));
}

TEST_F(Rasters, KeysForRastersElsewhereAreAnError) {
  write_file(folder_ / "a.bin", cifar_file(3));
  expect_error([&] { (void)open("a.bin", R"({"tile": 8})"); }, ErrorCode::kInvalidArgument,
               {"'tile'", "a.bin", "remedy"});
  add("classes/cat/1.png", png_file({.width = 1, .height = 1, .pixels = "a"}));
  expect_error([&] { (void)open("classes", R"({"tile": 8})"); }, ErrorCode::kInvalidArgument, {"'tile'", "classes"});
  add("junk.tif", "no raster");
  expect_error([&] { (void)open("junk.tif", R"({"tile": 8})"); }, ErrorCode::kIo, {"junk.tif"});
  expect_error([&] { (void)open("nothing.tif#test", "{}"); }, ErrorCode::kIo, {"there is no", "nothing.tif"});
}

TEST_F(Rasters, ThreadsReadTheSame) {
  add("scene.tif", tiff_file<std::uint16_t>(60, 60, 2, ramps<std::uint16_t>(60, 60, 2)));
  const std::shared_ptr<const Dataset> data = open("scene.tif", R"({"tile": 4, "target_bands": [2]})");
  const auto moving = augmented(data, parse_augment("aerial"), 1);
  BatchReader reader(*moving, 16, 4);
  std::int64_t index = 0;
  while (const auto batch = reader.next()) {
    const auto input = batch->inputs.at("x").data<float>(), target = batch->target.data<float>();
    for (std::size_t i = 0; i < input.size(); ++i) ASSERT_EQ(input[i] + 1000, target[i]);
    index += batch->size;
  }
  EXPECT_EQ(index, 225);
}

TEST_F(Rasters, LandsatBandFromTheOthers) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  const std::string json = R"({"tile": 32, "target_bands": [6], "scale": 0.00392156862745098)";
  const auto file = shared / "data" / "geotiff" / "L7_ETMs.tif";
  const auto train = open_dataset(file, {.preprocess = parse_preprocess(json + R"(, "part": "train"})"),
                                         .inputs = {input_info("bands", {-1, 5, 32, 32})}});
  const auto test = open_dataset(file.string() + "#test", {.preprocess = parse_preprocess(json + "}"),
                                                           .inputs = {input_info("bands", {-1, 5, 32, 32})}});
  EXPECT_EQ(train->task(), Task::kRegression);
  EXPECT_EQ(train->size() + test->size(), 110);  // 352 x 349: 11 x 10 tiles
  EXPECT_NEAR(static_cast<double>(test->size()), 27.5, 5);
  const Batch batch = batch_of(*test, {0, 1});
  EXPECT_EQ(batch.inputs.at("bands").shape(), (Shape{2, 5, 32, 32}));
  EXPECT_EQ(batch.target.shape(), (Shape{2, 1, 32, 32}));
  for (const float value : batch.target.data<float>()) ASSERT_TRUE(value >= 0 && value <= 255) << value;
}

TEST_F(Rasters, ForestMasksOpenForTraining) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  const auto data = open_dataset(shared / "data" / "s2_forest" / "train",
                                 {.preprocess = parse_preprocess(R"({"tile": 96, "mask_values": [2, 1]})"),
                                  .inputs = {input_info("image", {-1, 3, 96, 96})}});
  EXPECT_EQ(data->task(), Task::kSegmentation);
  EXPECT_EQ(data->class_count(), 2);
  EXPECT_EQ(data->size(), 4 * 220);  // 201 x 201: 2 x 2 tiles
  const Batch batch = batch_of(*data, {0, 400, 879});
  EXPECT_EQ(batch.target.shape(), (Shape{3, 96, 96}));
  for (const std::int64_t label : batch.target.data<std::int64_t>()) ASSERT_TRUE(label >= -1 && label < 2) << label;
}

}  // namespace
}  // namespace pare::testing
