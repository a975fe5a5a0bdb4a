#include "pare/split.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "data/samples.h"

namespace pare::testing {
namespace {

class Numbered final : public Dataset {
 public:
  Numbered(std::int64_t size, std::vector<std::int64_t> labels, std::vector<std::int64_t> groups)
      : size_(size), labels_(std::move(labels)), groups_(std::move(groups)) {}
  [[nodiscard]] Task task() const override { return Task::kNone; }
  [[nodiscard]] std::int64_t size() const override { return size_; }
  [[nodiscard]] std::vector<std::string> class_names() const override { return {}; }
  [[nodiscard]] std::string description() const override { return "numbered samples"; }
  [[nodiscard]] std::string fingerprint() const override { return ""; }
  [[nodiscard]] Batch batch(std::span<const std::int64_t>) const override {
    ADD_FAILURE() << "pixels were read";
    return {};
  }
  [[nodiscard]] std::vector<std::int64_t> labels() const override { return labels_; }
  [[nodiscard]] std::vector<std::int64_t> groups() const override { return groups_; }

 private:
  std::int64_t size_;
  std::vector<std::int64_t> labels_, groups_;
};

void expect_partition(const Split& split, std::int64_t size) {
  std::vector<std::int64_t> all = split.train, expected(static_cast<std::size_t>(size));
  all.insert(all.end(), split.validation.begin(), split.validation.end());
  std::sort(all.begin(), all.end());
  std::iota(expected.begin(), expected.end(), std::int64_t{0});
  EXPECT_EQ(all, expected);
  EXPECT_TRUE(std::is_sorted(split.train.begin(), split.train.end()));
  EXPECT_TRUE(std::is_sorted(split.validation.begin(), split.validation.end()));
}

std::map<std::int64_t, std::int64_t> counts(const std::vector<std::int64_t>& numbers,
                                            const std::vector<std::int64_t>& indices) {
  std::map<std::int64_t, std::int64_t> result;
  for (const std::int64_t index : indices) ++result[numbers[static_cast<std::size_t>(index)]];
  return result;
}

TEST(SplitDataset, GivesEveryClassItsShare) {
  std::vector<std::int64_t> labels;
  for (const auto& [label, count] : std::vector<std::pair<std::int64_t, int>>{{0, 100}, {1, 50}, {2, 7}, {3, 1}})
    labels.insert(labels.end(), static_cast<std::size_t>(count), label);
  const Numbered data(158, labels, {});
  const Split split = split_dataset(data, 0.1, 3);
  expect_partition(split, 158);
  // 15.8 rounds to 16: 10, 5 and 0.7 of class 2, which has the largest remainder; the only one of class 3 trains.
  EXPECT_EQ(counts(labels, split.validation), (std::map<std::int64_t, std::int64_t>{{0, 10}, {1, 5}, {2, 1}}));
  EXPECT_EQ(split_dataset(data, 0.1, 3).validation, split.validation);
  EXPECT_NE(split_dataset(data, 0.1, 4).validation, split.validation);
}

TEST(SplitDataset, HoldsForEveryShareAndSize) {
  for (const std::int64_t size : {2, 3, 10, 101})
    for (const double share : {0.01, 0.1, 0.5, 0.99}) {
      std::vector<std::int64_t> labels;
      for (std::int64_t i = 0; i < size; ++i) labels.push_back(i % 3);
      const Split plain = split_dataset(Numbered(size, {}, {}), share, 1);
      const Split by_class = split_dataset(Numbered(size, labels, {}), share, 1);
      for (const Split& split : {plain, by_class}) {
        expect_partition(split, size);
        EXPECT_EQ(static_cast<std::int64_t>(split.validation.size()),
                  std::clamp<std::int64_t>(std::llround(share * static_cast<double>(size)), 1, size - 1));
      }
    }
}

TEST(SplitDataset, KeepsGroupsTogether) {
  std::vector<std::int64_t> groups;
  for (std::int64_t i = 0; i < 60; ++i) groups.push_back(i / 6);
  for (const std::uint64_t seed : {1, 2, 3}) {
    const Split split = split_dataset(Numbered(60, {}, groups), 0.25, seed);
    expect_partition(split, 60);
    for (const auto& [group, count] : counts(groups, split.validation)) EXPECT_EQ(count, 6) << group;
    EXPECT_TRUE(split.validation.size() == 12 || split.validation.size() == 18) << split.validation.size();
  }
  // Groups larger than the share: the smallest one.
  const Split uneven = split_dataset(Numbered(10, {}, {5, 5, 5, 5, 5, 5, 5, 8, 8, 8}), 0.1, 1);
  EXPECT_EQ(uneven.validation, (std::vector<std::int64_t>{7, 8, 9}));
}

TEST(SetAside, TakesHalfAndKeepsGroupsTogether) {
  std::vector<std::int64_t> groups;
  for (std::int64_t i = 0; i < 60; ++i) groups.push_back(i / 6);
  for (const std::uint64_t seed : {0U, 1U, 2U}) {
    const Split split = set_aside(Numbered(60, {}, groups), 10000, seed);
    expect_partition(split, 60);
    EXPECT_EQ(split.validation.size(), 30U);
    for (const auto& [group, count] : counts(groups, split.validation)) EXPECT_EQ(count, 6) << group;
  }
  EXPECT_EQ(set_aside(Numbered(60, {}, groups), 7, 1).validation.size(), 6U);
  const Split single = set_aside(Numbered(61, {}, {}), 10000, 1);
  expect_partition(single, 61);
  EXPECT_EQ(single.validation.size(), 30U);
  expect_error([] { (void)set_aside(Numbered(4, {}, {0, 0, 0, 0}), 10000, 1); }, ErrorCode::kInvalidArgument,
               {"one block", "--eval"});
  expect_error([] { (void)set_aside(Numbered(1, {}, {}), 10000, 1); }, ErrorCode::kInvalidArgument, {"at least 2"});
}

TEST(SplitDataset, RefusesWhatCannotBeDivided) {
  expect_error([] { (void)split_dataset(Numbered(1, {}, {}), 0.1, 1); }, ErrorCode::kInvalidArgument,
               {"numbered samples", "1 sample", "remedy"});
  expect_error([] { (void)split_dataset(Numbered(4, {}, {7, 7, 7, 7}), 0.5, 1); }, ErrorCode::kInvalidArgument,
               {"neighbouring tiles"});
  for (const double share : {-0.1, 1.0, std::nan("")})
    expect_error([&] { (void)split_dataset(Numbered(4, {}, {}), share, 1); }, ErrorCode::kInvalidArgument, {"share"});
  EXPECT_THAT(split_dataset(Numbered(4, {}, {}), 0, 1).train, ::testing::SizeIs(4));
}

TEST(SplitDataset, KnowsTheLabelsOfFilesAndSubsets) {
  const TempDir folder;
  write_file(folder / "a.bin", cifar_file(40));
  const std::shared_ptr<const Dataset> data = open_dataset(folder / "a.bin", {.limit = 30});
  const auto even = subset(data, {0, 2, 4, 6, 8, 10, 12, 14, 16, 18});
  EXPECT_EQ(data->labels().size(), 30U);
  EXPECT_EQ(even->labels(), (std::vector<std::int64_t>{0, 2, 4, 6, 8, 0, 2, 4, 6, 8}));
  const Split split = split_dataset(*even, 0.5, 9);
  EXPECT_EQ(counts(even->labels(), split.validation),
            (std::map<std::int64_t, std::int64_t>{{0, 1}, {2, 1}, {4, 1}, {6, 1}, {8, 1}}));
}

TEST(ShuffledIndices, AreAllOfThemInAnotherOrderEachEpoch) {
  const auto first = shuffled_indices(1000, 5, 0), second = shuffled_indices(1000, 5, 1);
  EXPECT_EQ(std::set<std::int64_t>(first.begin(), first.end()).size(), 1000U);
  EXPECT_EQ(*std::max_element(first.begin(), first.end()), 999);
  EXPECT_EQ(first, shuffled_indices(1000, 5, 0));
  EXPECT_NE(first, second);
  EXPECT_NE(second, shuffled_indices(1000, 6, 0));
  std::int64_t in_place = 0;
  for (std::size_t i = 0; i < first.size(); ++i) in_place += first[i] == static_cast<std::int64_t>(i);
  EXPECT_LT(in_place, 8);  // one on average
  EXPECT_THAT(shuffled_indices(0, 1, 0), ::testing::IsEmpty());
  expect_error([] { (void)shuffled_indices(-1, 1, 0); }, ErrorCode::kInvalidArgument, {"-1"});
}

}  // namespace
}  // namespace pare::testing
