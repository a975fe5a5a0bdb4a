#include <algorithm>
#include <set>

#include "data/samples.h"

namespace pare::testing {
namespace {

TEST(SampleIndices, AreDifferentSpreadAndTheSameForTheSameSeed) {
  for (const std::int64_t count : {1, 7, 64, 999}) {
    const auto indices = sample_indices(1000, count, 5);
    ASSERT_EQ(indices.size(), static_cast<std::size_t>(count));
    EXPECT_EQ(std::set<std::int64_t>(indices.begin(), indices.end()).size(), indices.size());
    EXPECT_EQ(indices, sample_indices(1000, count, 5));
    for (std::int64_t i = 0; i < count; ++i) {
      EXPECT_GE(indices[static_cast<std::size_t>(i)], i * 1000 / count);
      EXPECT_LT(indices[static_cast<std::size_t>(i)], (i + 1) * 1000 / count);
    }
  }
  EXPECT_NE(sample_indices(1000, 64, 1), sample_indices(1000, 64, 2));
}

TEST(SampleIndices, GiveAllWhenMoreAreAskedFor) {
  EXPECT_EQ(sample_indices(3, 10, 0), (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_THAT(sample_indices(0, 10, 0), ::testing::IsEmpty());
  EXPECT_THAT(sample_indices(10, 0, 0), ::testing::IsEmpty());
  expect_error([] { (void)sample_indices(3, -1, 0); }, ErrorCode::kInvalidArgument, {"-1"});
}

NamedTensors image_and_flag() {
  return {{"image", Tensor::zeros(DType::kFloat32, {1, 3, 4, 4})},
          {"half", Tensor::zeros(DType::kFloat16, {1, 50})},
          {"ids", Tensor::zeros(DType::kInt64, {5, 2})}};
}

TEST(RandomDataset, GivesFittingTypesAndShapes) {
  const auto data = random_dataset(image_and_flag(), 10, 3);
  EXPECT_EQ(data->task(), Task::kNone);
  const Batch batch = batch_of(*data, {0, 9, 4});
  EXPECT_EQ(batch.inputs.at("image").shape(), (Shape{3, 3, 4, 4}));
  EXPECT_EQ(batch.inputs.at("ids").shape(), (Shape{3, 2}));
  for (const char* name : {"image", "half"})
    for (const float value : batch.inputs.at(name).to_floats()) EXPECT_TRUE(value >= 0 && value <= 1) << value;
  for (const std::int64_t value : batch.inputs.at("ids").data<std::int64_t>()) EXPECT_TRUE(value == 0 || value == 1);
}

TEST(RandomDataset, SampleDependsOnSeedAndIndexAlone) {
  const auto data = random_dataset(image_and_flag(), 10, 3), again = random_dataset(image_and_flag(), 10, 3);
  const Batch one = batch_of(*data, {4}), in_pair = batch_of(*again, {4, 5});
  const auto alone = one.inputs.at("image").data<float>(), beside = in_pair.inputs.at("image").data<float>();
  EXPECT_TRUE(std::equal(alone.begin(), alone.end(), beside.begin()));
  EXPECT_FALSE(std::equal(alone.begin(), alone.end(), beside.begin() + 48));
  EXPECT_EQ(data->fingerprint(), again->fingerprint());
  EXPECT_NE(data->fingerprint(), random_dataset(image_and_flag(), 10, 4)->fingerprint());
  expect_error([&] { (void)batch_of(*data, {10}); }, ErrorCode::kInvalidArgument, {"sample 10", "10 samples"});
}

TEST(Subset, GivesChosenSamplesInOrder) {
  const TempDir folder;
  write_file(folder / "a.bin", cifar_file(10));
  const std::shared_ptr<const Dataset> whole = open_dataset(folder / "a.bin");
  const auto part = subset(whole, {7, 2, 7});
  EXPECT_EQ(part->size(), 3);
  EXPECT_EQ(part->class_count(), 10);
  EXPECT_EQ(batch_of(*part, {0, 1, 2}).labels, (std::vector<std::int64_t>{7, 2, 7}));
  EXPECT_EQ(part->description(), "3 of 10 images in a.bin (CIFAR-10 binary)");
  EXPECT_NE(part->fingerprint(), subset(whole, {2, 7, 7})->fingerprint());
  EXPECT_EQ(part->fingerprint(), subset(whole, {7, 2, 7})->fingerprint());
  expect_error([&] { (void)subset(whole, {10}); }, ErrorCode::kInvalidArgument, {"sample 10"});
  expect_error([&] { (void)batch_of(*part, {3}); }, ErrorCode::kInvalidArgument, {"sample 3", "3 samples"});
}

}  // namespace
}  // namespace pare::testing
