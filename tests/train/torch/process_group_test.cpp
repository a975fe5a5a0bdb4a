// Several workers in the threads of one process, over TCP on the loopback.
#include "train/torch/process_group.h"

#include <ATen/ATen.h>

#include <functional>
#include <set>
#include <thread>

#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "support/free_port.h"
#include "support/support.h"
#include "train/torch/share.h"

namespace pare::testing {
namespace {

std::vector<Workers> workers_of(int count, double timeout_s = 10) {
  const int port = free_port();
  std::vector<Workers> all;
  for (int rank = 0; rank < count; ++rank)
    all.push_back({.rank = rank, .count = count, .host = "127.0.0.1", .port = port, .timeout_s = timeout_s});
  return all;
}

/// Runs it in one thread a worker; what it threw, by rank.
std::vector<std::string> together(const std::vector<Workers>& all, const std::function<void(const Workers&)>& work) {
  std::vector<std::string> errors(all.size());
  std::vector<std::thread> threads;
  for (const Workers& one : all)
    threads.emplace_back([&, rank = static_cast<std::size_t>(one.rank)] {
      try {
        work(all[rank]);
      } catch (const std::exception& error) {
        errors[rank] = error.what();
      }
    });
  for (std::thread& thread : threads) thread.join();
  return errors;
}

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ProcessGroup, SumsAndCopies) {
  const auto errors = together(workers_of(3), [](const Workers& own) {
    ProcessGroup group(own);
    const auto number = static_cast<double>(own.rank);
    EXPECT_THAT(group.sum(std::vector<double>{1, number}), ElementsAre(3, 3));
    EXPECT_THAT(group.of_first({number, 7 + number}), ElementsAre(0, 7));
    EXPECT_THAT(group.of_first({number}, true), ElementsAre(0));
    const at::Tensor flat = at::full({1000}, number + 1, at::kFloat);
    group.sum(flat);
    EXPECT_TRUE(at::equal(flat, at::full({1000}, 6.0, at::kFloat)));
    // Strides of their own stay, and a leaf with a gradient is written into as well.
    const at::Tensor turned = at::arange(6, at::kFloat).add(10 * number).view({2, 3}).t();
    const at::Tensor weight = at::full({4}, number, at::kFloat).requires_grad_();
    group.copy_from_first({turned, weight});
    EXPECT_TRUE(at::equal(turned, at::arange(6, at::kFloat).view({2, 3}).t()));
    EXPECT_TRUE(at::equal(weight.detach(), at::zeros({4}, at::kFloat)));
    const at::Tensor statistic = at::full({2}, number, at::kFloat), other = at::full({1}, 3 * number, at::kFloat);
    average(group, {statistic, other});
    EXPECT_TRUE(at::equal(statistic, at::full({2}, 1.0, at::kFloat)));
    EXPECT_TRUE(at::equal(other, at::full({1}, 3.0, at::kFloat)));
    group.leave();
  });
  EXPECT_THAT(errors, Each(""));
}

TEST(ProcessGroup, WhoGoesWithoutAWordIsNamed) {
  const auto errors = together(workers_of(3), [](const Workers& own) {
    ProcessGroup group(own);
    (void)group.sum(std::vector<double>{1});
    if (own.rank == 1) return;
    (void)group.sum(std::vector<double>{1});
  });
  EXPECT_THAT(errors[0], HasSubstr("rank 1 was lost"));
  EXPECT_EQ(errors[1], "");
  EXPECT_THAT(errors[2], HasSubstr("was lost"));
}

TEST(ProcessGroup, WhoDoesNotComeIsNamed) {
  std::vector<Workers> all = workers_of(3, 0.3);
  all.pop_back();
  const auto errors = together(all, [](const Workers& own) { ProcessGroup group(own); });
  EXPECT_THAT(errors[0], HasSubstr("rank 2 of 3 did not come"));
  EXPECT_THAT(errors[0], HasSubstr("remedy"));
}

TEST(ProcessGroup, MeetsWhereALauncherListens) {
  c10d::TCPStoreOptions options;
  options.port = 0;
  options.isServer = true;
  options.waitWorkers = false;
  const c10d::TCPStore launcher("127.0.0.1", options);
  std::vector<Workers> all = workers_of(2);
  for (const char* run : {"first", "second"}) {  // a restart must not read what the run before it left
    for (Workers& one : all) {
      one.port = launcher.getPort();
      one.store = run;
    }
    const auto errors = together(all, [](const Workers& own) {
      ProcessGroup group(own);
      EXPECT_THAT(group.sum(std::vector<double>{1}), ElementsAre(2));
      group.leave();
    });
    EXPECT_THAT(errors, Each(""));
  }
}

TEST(ProcessGroup, RefusesAPlaceThatIsNone) {
  for (const Workers& wrong : {Workers{.rank = 2, .count = 2, .host = "127.0.0.1", .port = 1},
                               Workers{.rank = 0, .count = 2, .host = "", .port = 1},
                               Workers{.rank = 0, .count = 2, .host = "127.0.0.1", .port = 70000}})
    expect_error([&] { ProcessGroup group(wrong); }, ErrorCode::kInvalidArgument, {"no place among workers"});
  expect_error([&] { ProcessGroup group({.rank = 0, .count = 2, .host = "nowhere.invalid", .port = 29500}); },
               ErrorCode::kIo, {"no host 'nowhere.invalid'"});
}

TEST(Share, PartsOfABatchAreTheBatchAndHoldBothOfAPair) {
  std::vector<std::int64_t> order(23);
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = 100 + static_cast<std::int64_t>(i);
  for (const std::int64_t batch : {4, 7, 11})
    for (const int count : {1, 2}) {
      std::multiset<std::int64_t> seen;
      const std::int64_t whole = count == 1 ? 23 : 23 / batch * batch;
      for (int rank = 0; rank < count; ++rank) {
        const Workers own{.rank = rank, .count = count};
        const std::vector<std::int64_t> mine = share_of(order, batch, own);
        seen.insert(mine.begin(), mine.end());
        if (count == 1) continue;
        const std::int64_t size = share_size(batch, own);
        ASSERT_EQ(static_cast<std::int64_t>(mine.size()), size * (23 / batch));
        for (std::int64_t i = 0; i < static_cast<std::int64_t>(mine.size()); ++i) {
          const std::int64_t step = i / size,
                             partner = mine[static_cast<std::size_t>(step * size + size - 1 - i % size)];
          EXPECT_EQ(mine[static_cast<std::size_t>(i)] + partner, 2 * (100 + step * batch) + batch - 1);
        }
      }
      EXPECT_EQ(seen, std::multiset<std::int64_t>(order.begin(), order.begin() + whole)) << batch << " " << count;
    }
}

}  // namespace
}  // namespace pare::testing
