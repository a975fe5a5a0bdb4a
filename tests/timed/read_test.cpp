// Reading in random order with augmentation must not hold training up.
#include <algorithm>
#include <chrono>

#include "data/samples.h"
#include "pare/augment.h"
#include "pare/split.h"

namespace pare::testing {
namespace {

TEST(Reading, GivesManyTimesWhatTrainingTakes) {
  const TempDir folder;
  write_file(folder / "a.bin", cifar_file(6000));
  const std::shared_ptr<const Dataset> data = open_dataset(
      folder / "a.bin",
      {.preprocess = parse_preprocess(R"({"scale": 0.004, "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.2]})")});
  double best = 0;
  for (std::int64_t epoch = 0; epoch < 5; ++epoch) {
    const std::shared_ptr<const Dataset> changed = augmented(data, parse_augment("cifar"), 1 + epoch);
    const auto order = subset(changed, shuffled_indices(data->size(), 1, epoch));
    const auto start = std::chrono::steady_clock::now();
    BatchReader reader(*order, 128, 1);
    std::int64_t images = 0;
    while (const auto batch = reader.next()) images += batch->size;
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    EXPECT_EQ(images, 6000);
    best = std::max(best, static_cast<double>(images) / seconds);
  }
  RecordProperty("images_per_second", std::to_string(best));
  EXPECT_GT(best, 20000);  // a ResNet-20 trains on some 400 to 800 a second and core
}

}  // namespace
}  // namespace pare::testing
