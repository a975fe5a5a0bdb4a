#include <filesystem>

#include "data/samples.h"

namespace pare::testing {
namespace {

TEST(OpenDataset, NamesAMissingPathAndItsNearest) {
  const TempDir folder;
  write_file(folder / "train.bin", "");
  expect_error([&] { (void)open_dataset(folder / "trian.bin"); }, ErrorCode::kIo,
               {"there is no", "trian.bin", "'train.bin'"});
}

TEST(OpenDataset, SaysWhatAFolderHoldsInstead) {
  const TempDir folder;
  expect_error([&] { (void)open_dataset(folder.path()); }, ErrorCode::kInvalidArgument,
               {"found nothing", "understood: a folder with one subfolder per class"});
  write_file(folder / "a.txt", "");
  write_file(folder / "b.txt", "");
  write_file(folder / "sub/c.webp", "");
  expect_error([&] { (void)open_dataset(folder.path()); }, ErrorCode::kInvalidArgument,
               {"found 2 .txt, 1 folder (sub)"});
  write_file(folder / "data_batch_1.bin", cifar_file(1));
  expect_error([&] { (void)open_dataset(folder.path()); }, ErrorCode::kInvalidArgument,
               {"remedy: pass the file itself", "data_batch_1.bin"});
}

TEST(OpenDataset, DoesNotGuessBetweenLooseImagesAndFolders) {
  const TempDir folder;
  write_file(folder / "a.png", "");
  write_file(folder / "sub/b.png", "");
  expect_error([&] { (void)open_dataset(folder.path()); }, ErrorCode::kInvalidArgument,
               {"images and folders with images", "a.png"});
}

TEST(OpenDataset, NamesAnUnknownKindOfFile) {
  const TempDir folder;
  write_file(folder / "a.csv", "1,2");
  expect_error([&] { (void)open_dataset(folder / "a.csv"); }, ErrorCode::kInvalidArgument, {"a.csv", "understood:"});
}

TEST(OpenDataset, LimitsToTheFirstSamples) {
  const TempDir folder;
  write_file(folder / "a.bin", cifar_file(9));
  const auto data = open_dataset(folder / "a.bin", {.limit = 4});
  EXPECT_EQ(data->size(), 4);
  EXPECT_EQ(data->description(), "the first 4 of 9 images in a.bin (CIFAR-10 binary)");
  expect_error([&] { (void)batch_of(*data, {4}); }, ErrorCode::kInvalidArgument, {"sample 4", "4 samples"});
  EXPECT_EQ(open_dataset(folder / "a.bin", {.limit = 40})->size(), 9);
  expect_error([&] { (void)open_dataset(folder / "a.bin", {.limit = -1}); }, ErrorCode::kInvalidArgument, {"-1"});
}

TEST(OpenDataset, ChecksGivenClassNames) {
  const TempDir folder;
  write_file(folder / "a.bin", cifar_file(1));
  expect_error([&] { (void)open_dataset(folder / "a.bin", {.class_names = {"one", "two"}}); },
               ErrorCode::kInvalidArgument, {"2 class names", "10"});
}

TEST(OpenDataset, RefusesSeveralInputsFromOneImage) {
  const TempDir folder;
  write_file(folder / "a.bin", cifar_file(1));
  const DatasetOptions options{.inputs = {input_info("left", {-1, 3, 32, 32}), input_info("right", {-1, 3, 32, 32})}};
  expect_error([&] { (void)open_dataset(folder / "a.bin", options); }, ErrorCode::kInvalidArgument,
               {"2 inputs ('left', 'right')", ".npz"});
}

TEST(TaskName, IsOneWord) {
  EXPECT_EQ(task_name(Task::kNone), "none");
  EXPECT_EQ(task_name(Task::kClassification), "classification");
  EXPECT_EQ(task_name(Task::kSegmentation), "segmentation");
  EXPECT_EQ(task_name(Task::kRegression), "regression");
}

}  // namespace
}  // namespace pare::testing
