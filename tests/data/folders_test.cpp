// Class folders, images beside masks, images without labels.
#include <filesystem>
#include <set>

#include "data/image.h"
#include "data/samples.h"

namespace pare::testing {
namespace {

class Folders : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!data::can_decode_images()) GTEST_SKIP() << "a build without GDAL";
  }
  void add_gray(const std::string& name, int width, int height, char value) {
    write_file(folder_ / name, png_file({.width = width,
                                         .height = height,
                                         .pixels = std::string(static_cast<std::size_t>(width * height), value)}));
  }
  void add_mask(const std::string& name, const std::string& values) {
    write_file(folder_ / name, png_file({.width = 2, .height = 2, .pixels = values}));
  }
  [[nodiscard]] std::unique_ptr<Dataset> open(const DatasetOptions& options = {}) const {
    return open_dataset(folder_.path(), options);
  }
  TempDir folder_;
};
using ClassFolders = Folders;
using ImageMasks = Folders;
using PlainImages = Folders;

TEST_F(ClassFolders, NumberTheSortedFolders) {
  add_gray("dog/2.png", 2, 2, 20);
  add_gray("cat/1.png", 2, 2, 10);
  add_gray("cat/0.PNG", 2, 2, 5);
  add_gray(".cache/9.png", 2, 2, 9);
  add_gray("cat/.hidden.png", 2, 2, 9);
  write_file(folder_ / "cat/notes.txt", "not an image");
  const auto data = open();
  EXPECT_EQ(data->task(), Task::kClassification);
  EXPECT_EQ(data->class_names(), (std::vector<std::string>{"cat", "dog"}));
  ASSERT_EQ(data->size(), 3);
  EXPECT_THAT(data->description(), ::testing::StartsWith("3 images of 2 classes in "));
  const Batch batch = batch_of(*data, {0, 1, 2});
  EXPECT_EQ(batch.labels, (std::vector<std::int64_t>{0, 0, 1}));
  EXPECT_EQ(batch.inputs.at("x").shape(), (Shape{3, 1, 2, 2}));
  EXPECT_EQ(batch.inputs.at("x").data<float>()[0], 5);
}

TEST_F(ClassFolders, TakeTheOrderOfGivenNames) {
  add_gray("cat/1.png", 2, 2, 10);
  add_gray("dog/2.png", 2, 2, 20);
  const auto data = open({.class_names = {"dog", "bird", "cat"}});
  EXPECT_EQ(data->class_count(), 3);
  EXPECT_THAT(data->description(), ::testing::HasSubstr("no images of 'bird'"));
  EXPECT_EQ(batch_of(*data, {0, 1}).labels, (std::vector<std::int64_t>{0, 2}));
  expect_error([&] { (void)open({.class_names = {"cat", "dogs"}}); }, ErrorCode::kInvalidArgument,
               {"folder 'dog'", "'dogs'"});
}

TEST_F(ClassFolders, NameTheOnesWithoutImages) {
  add_gray("cat/1.png", 2, 2, 10);
  add_gray("dog/2.png", 2, 2, 20);
  std::filesystem::create_directories(folder_ / "old_stuff");
  const auto data = open();
  EXPECT_EQ(data->class_count(), 3);
  EXPECT_EQ(data->class_names().back(), "old_stuff");
  EXPECT_THAT(data->description(), ::testing::EndsWith("no images of 'old_stuff'"));
}

TEST_F(ClassFolders, MixGrayColourAndAlphaForAColourNetwork) {
  add_gray("a/1.png", 2, 2, 10);
  write_file(folder_ / "a/2.png", png_file({.width = 2, .height = 2, .channels = 4, .pixels = std::string(16, 30)}));
  write_file(folder_ / "a/3.png", png_file({.width = 2, .height = 2, .channels = 3, .pixels = std::string(12, 40)}));
  add_gray("b/4.png", 2, 2, 50);
  const Batch batch = batch_of(*open({.inputs = {input_info("in", {-1, 3, 2, 2})}}), {0, 1, 2, 3});
  ASSERT_EQ(batch.inputs.at("in").shape(), (Shape{4, 3, 2, 2}));
  const auto values = batch.inputs.at("in").data<float>();
  for (std::size_t i = 0; i < 48; ++i) EXPECT_EQ(values[i], (std::vector<float>{10, 30, 40, 50})[i / 12]);
}

TEST_F(ClassFolders, OfDifferentSizesAskForResize) {
  add_gray("a/1.png", 2, 2, 10);
  add_gray("a/2.png", 3, 2, 20);
  const auto data = open();
  EXPECT_EQ(batch_of(*data, {1}).inputs.at("x").shape(), (Shape{1, 1, 2, 3}));
  expect_error([&] { (void)batch_of(*data, {0, 1}); }, ErrorCode::kInvalidArgument,
               {"2.png is 1 x 2 x 3", "1.png", "\"resize\""});
  expect_error([&] { (void)batch_of(*open({.inputs = {input_info("in", {-1, 1, 2, 2})}}), {1}); },
               ErrorCode::kInvalidArgument, {"[N, 1, 2, 2]", "2.png is 1 x 2 x 3", "\"resize\": [2, 2]"});
  const auto resized = open({.preprocess = {.resize = {{4, 4}}}});
  EXPECT_EQ(batch_of(*resized, {0, 1}).inputs.at("x").shape(), (Shape{2, 1, 4, 4}));
}

TEST_F(ClassFolders, NameACorruptImage) {
  add_gray("a/1.png", 2, 2, 10);
  write_file(folder_ / "a/2.png", "broken");
  const auto data = open();
  expect_error([&] { (void)batch_of(*data, {0, 1}); }, ErrorCode::kIo, {"cannot decode", "a/2.png"});
}

TEST_F(ClassFolders, FingerprintFollowsNamesAndSizes) {
  add_gray("a/1.png", 2, 2, 10);
  const std::string before = open()->fingerprint();
  EXPECT_EQ(before, open()->fingerprint());
  add_gray("a/2.png", 2, 2, 10);
  const std::string after = open()->fingerprint();
  EXPECT_NE(before, after);
  std::filesystem::rename(folder_ / "a/2.png", folder_ / "a/3.png");
  EXPECT_NE(after, open()->fingerprint());
}

TEST_F(ImageMasks, PairByStem) {
  for (const char* name : {"a", "b"}) add_gray("images/" + std::string(name) + ".png", 2, 2, 7);
  add_mask("masks/a.png", std::string("\0\1\2\377", 4));
  add_mask("masks/b.png", std::string("\1\1\1\0", 4));
  const auto data = open();
  EXPECT_EQ(data->task(), Task::kSegmentation);
  const Tensor target = batch_of(*data, {1, 0}).target;
  EXPECT_EQ(target.shape(), (Shape{2, 2, 2}));
  EXPECT_EQ(target.to_int64s(), (std::vector<std::int64_t>{1, 1, 1, 0, 0, 1, 2, -1}));
}

TEST_F(ImageMasks, MapListedValuesToClasses) {
  add_gray("images/a.png", 2, 2, 7);
  add_mask("masks/a.png", std::string("\0\1\2\377", 4));
  const auto data = open({.preprocess = parse_preprocess(R"({"mask_values": [2, 1]})")});
  EXPECT_EQ(data->class_count(), 2);
  EXPECT_EQ(batch_of(*data, {0}).target.to_int64s(), (std::vector<std::int64_t>{-1, 1, 0, -1}));
  const auto nodata = open({.preprocess = {.nodata = 0}});
  EXPECT_EQ(batch_of(*nodata, {0}).target.to_int64s(), (std::vector<std::int64_t>{-1, 1, 2, -1}));
}

TEST_F(ImageMasks, AreResizedToTheNearest) {
  add_gray("images/a.png", 2, 2, 7);
  add_mask("masks/a.png", std::string("\0\1\2\3", 4));
  const Batch batch = batch_of(*open({.preprocess = {.resize = {{4, 2}}}}), {0});
  EXPECT_EQ(batch.inputs.at("x").shape(), (Shape{1, 1, 4, 2}));
  EXPECT_EQ(batch.target.to_int64s(), (std::vector<std::int64_t>{0, 1, 0, 1, 2, 3, 2, 3}));
}

TEST_F(ImageMasks, OfZeroAnd255AreNotGuessed) {
  add_gray("images/a.png", 2, 2, 7);
  add_mask("masks/a.png", std::string("\0\377\0\377", 4));
  expect_error([&] { (void)open(); }, ErrorCode::kInvalidArgument, {"only 0 and 255", "\"mask_values\": [0, 255]"});
  const auto data = open({.preprocess = parse_preprocess(R"({"mask_values": [0, 255]})")});
  EXPECT_EQ(batch_of(*data, {0}).target.to_int64s(), (std::vector<std::int64_t>{0, 1, 0, 1}));
}

TEST_F(ImageMasks, NameWhatDoesNotFit) {
  add_gray("images/a.png", 2, 2, 7);
  add_gray("images/b.png", 2, 2, 7);
  add_mask("masks/a.png", std::string("\0\1\2\3", 4));
  expect_error([&] { (void)open(); }, ErrorCode::kInvalidArgument, {"1 of 2 images", "b.png"});
  add_gray("masks/b.png", 3, 2, 1);
  expect_error([&] { (void)batch_of(*open(), {1}); }, ErrorCode::kInvalidArgument,
               {"b.png is 2 x 3", "its image 2 x 2"});
  expect_error([&] { (void)batch_of(*open({.class_names = {"x", "y"}}), {0}); }, ErrorCode::kInvalidArgument,
               {"a.png holds 2", "0 to 1", "mask_values"});
  write_file(folder_ / "masks/b.png", png_file({.width = 2, .height = 2, .channels = 3, .pixels = std::string(12, 0)}));
  expect_error([&] { (void)batch_of(*open(), {1}); }, ErrorCode::kInvalidArgument, {"b.png has 3 bands"});
}

TEST_F(ImageMasks, WithoutOneOfTheFoldersSaySo) {
  add_gray("images/a.png", 2, 2, 7);
  expect_error([&] { (void)open(); }, ErrorCode::kInvalidArgument, {"images/ but no masks/"});
}

TEST_F(PlainImages, HaveNoLabels) {
  add_gray("b.png", 2, 2, 20);
  add_gray("a.png", 2, 2, 10);
  const auto data = open();
  EXPECT_EQ(data->task(), Task::kNone);
  ASSERT_EQ(data->size(), 2);
  EXPECT_EQ(batch_of(*data, {0}).inputs.at("x").data<float>()[0], 10);
  const auto single = open_dataset(folder_ / "b.png");
  EXPECT_EQ(single->size(), 1);
  EXPECT_EQ(batch_of(*single, {0}).inputs.at("x").data<float>()[0], 20);
}

TEST_F(PlainImages, PickBandsOfARaster) {
  write_file(folder_ / "r.tif", tiff_file<std::uint16_t>(2, 1, 4, {1, 2, 3, 4000, 5, 6, 7, 8000}));
  const DatasetOptions options{.preprocess = {.scale = 0.001, .bands = {4, 1}},
                               .inputs = {input_info("in", {-1, 2, -1, -1})}};
  EXPECT_THAT(batch_of(*open_dataset(folder_ / "r.tif", options), {0}).inputs.at("in").to_floats(),
              AllClose(std::vector<float>{4, 8, 0.001f, 0.005f}, {.atol = 1e-6}));
}

TEST_F(Folders, SharedAerialScenesHaveThirtyClasses) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  const auto data = open_dataset(shared / "data/aid96/val", {.inputs = {input_info("in", {-1, 3, 96, 96})}});
  EXPECT_EQ(data->size(), 900);
  EXPECT_EQ(data->class_names().size(), 30U);
  const Batch batch = batch_of(*data, sample_indices(900, 60, 1));
  EXPECT_EQ(batch.inputs.at("in").shape(), (Shape{60, 3, 96, 96}));
  EXPECT_EQ(std::set<std::int64_t>(batch.labels.begin(), batch.labels.end()).size(), 30U);
  expect_error([&] { (void)open_dataset(shared / "data/aid96"); }, ErrorCode::kInvalidArgument,
               {"no images but further folders", "aid96/train"});
}

TEST_F(Folders, SharedForestMasksAlign) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  const auto data =
      open_dataset(shared / "data/s2_forest/val", {.preprocess = parse_preprocess(R"({"mask_values": [1, 2]})")});
  std::vector<std::int64_t> counts(3);
  BatchReader reader(*data, 8);
  std::int64_t samples = 0;
  while (const std::optional<Batch> batch = reader.next()) {
    EXPECT_EQ(batch->inputs.at("x").shape(), (Shape{batch->size, 3, 201, 201}));
    EXPECT_EQ(batch->target.shape(), (Shape{batch->size, 201, 201}));
    for (const std::int64_t label : batch->target.data<std::int64_t>())
      ++counts.at(static_cast<std::size_t>(label + 1));
    samples += batch->size;
  }
  EXPECT_EQ(samples, data->size());
  // Counted with another reader: no pixel of these masks is unlabelled.
  EXPECT_EQ(counts, (std::vector<std::int64_t>{0, 1021334, 1402726}));
}

TEST_F(Folders, EverySharedGeotiffIsRead) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  for (const auto& entry : std::filesystem::directory_iterator(shared / "data/geotiff")) {
    const Batch batch = batch_of(*open_dataset(entry.path()), {0});
    EXPECT_EQ(batch.inputs.at("x").rank(), 4) << entry.path();
  }
}

}  // namespace
}  // namespace pare::testing
