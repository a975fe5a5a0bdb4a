#include "data/samples.h"

namespace pare::testing {
namespace {

const std::string kPixels("\0\1\2\3\4\5\6\7\10\11\12\13", 12);

TEST(Idx, FindsTheLabelsBesideTheImages) {
  const TempDir folder;
  write_file(folder / "train-images-idx3-ubyte", idx_file({2, 2, 3}, kPixels));
  write_file(folder / "train-labels-idx1-ubyte", idx_file({2}, std::string("\3\0", 2)));
  const auto data = open_dataset(folder / "train-images-idx3-ubyte");
  EXPECT_EQ(data->task(), Task::kClassification);
  EXPECT_EQ(data->class_count(), 4);
  EXPECT_EQ(data->description(), "2 images in train-images-idx3-ubyte (IDX)");
  const Batch batch = batch_of(*data, {0, 1});
  EXPECT_EQ(batch.labels, (std::vector<std::int64_t>{3, 0}));
  EXPECT_EQ(batch.inputs.at("x").shape(), (Shape{2, 1, 2, 3}));
  EXPECT_EQ(batch.inputs.at("x").to_floats(), (std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
}

TEST(Idx, ReadsGzip) {
  const TempDir folder;
  write_file(folder / "t-images-idx3-ubyte.gz",
             from_base64("H4sIAAAAAAACA2Ng4GBmYGBggmJmBkYmZhZWNnYOTi5uAHgeI4QcAAAA"));
  write_file(folder / "t-labels-idx1-ubyte.gz", gzip_file(idx_file({2}, "\1\2")));
  const Batch batch = batch_of(*open_dataset(folder / "t-images-idx3-ubyte.gz"), {1});
  EXPECT_EQ(batch.labels, (std::vector<std::int64_t>{2}));
  EXPECT_EQ(batch.inputs.at("x").to_floats(), (std::vector<float>{6, 7, 8, 9, 10, 11}));
}

TEST(Idx, WithoutLabelsIsUnlabelled) {
  const TempDir folder;
  write_file(folder / "images-idx3-ubyte", idx_file({2, 2, 3}, kPixels));
  const auto data = open_dataset(folder / "images-idx3-ubyte");
  EXPECT_EQ(data->task(), Task::kNone);
  EXPECT_THAT(data->description(), ::testing::HasSubstr("no labels"));
  EXPECT_THAT(batch_of(*data, {0}).labels, ::testing::IsEmpty());
}

TEST(Idx, NamesWhatDoesNotFit) {
  const TempDir folder;
  write_file(folder / "a-images-idx3-ubyte", idx_file({2, 2, 3}, kPixels));
  write_file(folder / "a-labels-idx1-ubyte", idx_file({3}, "\1\2\3"));
  expect_error([&] { (void)open_dataset(folder / "a-images-idx3-ubyte"); }, ErrorCode::kInvalidArgument,
               {"2 images", "a-labels-idx1-ubyte", "[3]"});
  expect_error([&] { (void)open_dataset(folder / "a-labels-idx1-ubyte"); }, ErrorCode::kInvalidArgument,
               {"holds labels", "remedy: pass the *-images* file"});
  write_file(folder / "b-images-idx3-ubyte", idx_file({3, 2, 3}, kPixels));
  expect_error([&] { (void)open_dataset(folder / "b-images-idx3-ubyte"); }, ErrorCode::kIo,
               {"b-images-idx3-ubyte", "truncated", "34", "28"});
  write_file(folder / "c-images-idx3-ubyte.gz", gzip_file(idx_file({3, 2, 3}, kPixels)));
  expect_error([&] { (void)open_dataset(folder / "c-images-idx3-ubyte.gz"); }, ErrorCode::kIo, {"truncated"});
  std::string other = idx_file({2, 2, 3}, kPixels);
  other[2] = 0x0d;
  write_file(folder / "d-images-idx3-ubyte", other);
  expect_error([&] { (void)open_dataset(folder / "d-images-idx3-ubyte"); }, ErrorCode::kUnsupported, {"type 0x0d"});
  write_file(folder / "e-images-idx3-ubyte", "just a text file");
  expect_error([&] { (void)open_dataset(folder / "e-images-idx3-ubyte"); }, ErrorCode::kInvalidArgument, {"no IDX"});
}

TEST(Idx, FashionMnistHasAllItsImages) {
  const std::filesystem::path folder = "/usr/share/datasets/fashion-mnist";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "the package dataset-fashion-mnist is not installed";
  EXPECT_EQ(open_dataset(folder / "train-images-idx3-ubyte.gz")->size(), 60000);
  const auto data = open_dataset(folder / "t10k-images-idx3-ubyte.gz");
  ASSERT_EQ(data->size(), 10000);
  EXPECT_EQ(data->class_count(), 10);
  EXPECT_EQ(batch_of(*data, {0, 1, 2, 3}).labels, (std::vector<std::int64_t>{9, 2, 1, 1}));
  EXPECT_EQ(batch_of(*data, {9999}).labels, (std::vector<std::int64_t>{5}));
}

}  // namespace
}  // namespace pare::testing
