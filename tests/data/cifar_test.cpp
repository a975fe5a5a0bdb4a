#include "core/words.h"
#include "data/samples.h"

namespace pare::testing {
namespace {

TEST(Cifar, ReadsRecords) {
  const TempDir folder;
  write_file(folder / "some.bin", cifar_file(12));
  const auto data = open_dataset(folder / "some.bin");
  EXPECT_EQ(data->task(), Task::kClassification);
  EXPECT_EQ(data->size(), 12);
  EXPECT_EQ(data->class_count(), 10);
  EXPECT_THAT(data->class_names(), ::testing::IsEmpty());
  EXPECT_EQ(data->description(), "12 images in some.bin (CIFAR-10 binary)");
  const Batch batch = batch_of(*data, {11, 2});
  EXPECT_EQ(batch.size, 2);
  EXPECT_EQ(batch.labels, (std::vector<std::int64_t>{1, 2}));
  const Tensor& x = batch.inputs.at("x");
  EXPECT_EQ(x.shape(), (Shape{2, 3, 32, 32}));
  EXPECT_EQ(x.data<float>()[0], 110);
  EXPECT_EQ(x.data<float>()[3 * 1024 - 1], 112);
  EXPECT_EQ(x.data<float>()[3 * 1024 + 1024], 21);
}

TEST(Cifar, ReadsXzAsItReadsPlain) {
  const TempDir folder;
  write_file(folder / "a.bin", cifar_file(3));
  write_file(folder / "a.bin.xz", from_base64(kCifarXz));
  const auto plain = open_dataset(folder / "a.bin"), packed = open_dataset(folder / "a.bin.xz");
  ASSERT_EQ(packed->size(), 3);
  const Batch a = batch_of(*plain, {2, 0, 1}), b = batch_of(*packed, {2, 0, 1});
  EXPECT_TRUE(a.inputs.at("x").same_as(b.inputs.at("x")));
  EXPECT_EQ(a.labels, b.labels);
}

TEST(Cifar, TakesClassNamesFromBeside) {
  const TempDir folder;
  write_file(folder / "a.bin", cifar_file(1));
  write_file(folder / "classes.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
  EXPECT_EQ(open_dataset(folder / "a.bin")->class_names(), split("a b c d e f g h i j", ' '));
}

TEST(Cifar, NamesATruncatedFile) {
  const TempDir folder;
  write_file(folder / "cut.bin", cifar_file(3).substr(0, 7000));
  expect_error([&] { (void)open_dataset(folder / "cut.bin"); }, ErrorCode::kInvalidArgument,
               {"cut.bin", "truncated", "7,000 bytes", "2 records", "854 bytes over"});
  write_file(folder / "empty.bin", "");
  expect_error([&] { (void)open_dataset(folder / "empty.bin"); }, ErrorCode::kInvalidArgument, {"empty.bin"});
  write_file(folder / "fine.bin", std::string(3074 * 2, '\0'));
  expect_error([&] { (void)open_dataset(folder / "fine.bin"); }, ErrorCode::kInvalidArgument, {"CIFAR-100"});
}

TEST(Cifar, NamesALabelOutOfRange) {
  const TempDir folder;
  std::string bytes = cifar_file(3);
  bytes[3073] = 42;
  write_file(folder / "a.bin", bytes);
  const auto data = open_dataset(folder / "a.bin");
  expect_error([&] { (void)batch_of(*data, {0, 1}); }, ErrorCode::kInvalidArgument,
               {"sample 1 of a.bin", "label 42", "0 to 9"});
}

TEST(Cifar, FingerprintFollowsContentAndLimit) {
  const TempDir folder;
  write_file(folder / "a.bin", cifar_file(3));
  write_file(folder / "b.bin", cifar_file(3));
  std::string bytes = cifar_file(3);
  bytes[5000] = 1;
  write_file(folder / "c.bin", bytes);
  const std::string a = open_dataset(folder / "a.bin")->fingerprint();
  EXPECT_EQ(a, open_dataset(folder / "b.bin")->fingerprint());
  EXPECT_NE(a, open_dataset(folder / "c.bin")->fingerprint());
  EXPECT_NE(a, open_dataset(folder / "a.bin", {.limit = 2})->fingerprint());
}

TEST(Cifar, SharedTestSetHasTenThousandBalancedImages) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  const auto data = open_dataset(shared / "data/cifar10/test.bin.xz");
  ASSERT_EQ(data->size(), 10000);
  EXPECT_EQ(data->class_names().at(0), "airplane");
  std::vector<std::int64_t> first(1000), counts(10);
  for (std::size_t i = 0; i < first.size(); ++i) first[i] = static_cast<std::int64_t>(i);
  const Batch batch = data->batch(first);
  for (const std::int64_t label : batch.labels) ++counts[static_cast<std::size_t>(label)];
  for (const std::int64_t count : counts) EXPECT_THAT(count, ::testing::AllOf(::testing::Gt(60), ::testing::Lt(140)));
}

}  // namespace
}  // namespace pare::testing
