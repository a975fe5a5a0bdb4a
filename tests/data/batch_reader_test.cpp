#include <atomic>
#include <chrono>
#include <thread>

#include "data/samples.h"

namespace pare::testing {
namespace {

/// Sample i has label i; some are slow, one may fail.
class Numbers final : public Dataset {
 public:
  explicit Numbers(std::int64_t size, std::int64_t failing = -1) : size_(size), failing_(failing) {}
  [[nodiscard]] Task task() const override { return Task::kClassification; }
  [[nodiscard]] std::int64_t size() const override { return size_; }
  [[nodiscard]] std::vector<std::string> class_names() const override { return {}; }
  [[nodiscard]] std::string description() const override { return "numbers"; }
  [[nodiscard]] std::string fingerprint() const override { return "numbers"; }
  [[nodiscard]] Batch batch(std::span<const std::int64_t> indices) const override {
    if (indices[0] % 3 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    Batch batch;
    batch.size = static_cast<std::int64_t>(indices.size());
    batch.labels.assign(indices.begin(), indices.end());
    for (const std::int64_t index : indices)
      if (index == failing_) throw Error(ErrorCode::kIo, "sample 13 is broken");
    ++batches_read;
    return batch;
  }
  mutable std::atomic<int> batches_read = 0;

 private:
  std::int64_t size_, failing_;
};

TEST(BatchReader, GivesAllBatchesInOrder) {
  for (const int workers : {1, 2, 5}) {
    const Numbers data(103);
    BatchReader reader(data, 10, workers);
    std::vector<std::int64_t> seen;
    int batches = 0;
    while (const std::optional<Batch> batch = reader.next()) {
      seen.insert(seen.end(), batch->labels.begin(), batch->labels.end());
      ++batches;
    }
    EXPECT_EQ(batches, 11);
    ASSERT_EQ(seen.size(), 103U);
    for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], static_cast<std::int64_t>(i));
    EXPECT_FALSE(reader.next());
  }
}

TEST(BatchReader, ReadsOnlyAFewBatchesAhead) {
  const Numbers data(1000);
  BatchReader reader(data, 1, 2);
  (void)reader.next();
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  EXPECT_LE(data.batches_read, 8);
}

TEST(BatchReader, RethrowsAfterTheBatchesBefore) {
  const Numbers data(100, 13);
  BatchReader reader(data, 5, 3);
  EXPECT_EQ(reader.next()->labels[0], 0);
  EXPECT_EQ(reader.next()->labels[0], 5);
  expect_error([&] { (void)reader.next(); }, ErrorCode::kIo, {"sample 13 is broken"});
  EXPECT_FALSE(reader.next());
}

TEST(BatchReader, MayBeLeftEarly) {
  const Numbers data(100000);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 5; ++i) BatchReader reader(data, 2, 2);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

TEST(BatchReader, OfNothingGivesNothing) {
  const Numbers data(0);
  BatchReader reader(data, 4);
  EXPECT_FALSE(reader.next());
  expect_error([&] { BatchReader wrong(data, 0); }, ErrorCode::kInvalidArgument, {"batches of 0"});
}

}  // namespace
}  // namespace pare::testing
