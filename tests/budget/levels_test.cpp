#include "budget/levels.h"

#include "budget/small_flow.h"

namespace pare::testing {
namespace {

std::vector<std::int64_t> levels(std::int64_t width, const GroupLimits& limits) {
  const ChannelFlow flow = chain_flow({width});
  return allowed_removals(flow, random_curves(flow, 1)[0], limits);
}

using L = std::vector<std::int64_t>;

TEST(AllowedRemovals, LeaveOneClassAndWhatTheFloorSays) {
  EXPECT_EQ(levels(4, {}), (L{0, 1, 2, 3}));
  EXPECT_EQ(levels(6, {.floor = 4}), (L{0, 1, 2}));
  EXPECT_EQ(levels(4, {.floor = 9}), (L{0}));
}

TEST(AllowedRemovals, KeepMultiplesOfTheBlockOrAll) {
  EXPECT_EQ(levels(32, {.align = 8}), (L{0, 8, 16, 24}));
  EXPECT_EQ(levels(20, {.align = 8}), (L{0, 4, 12}));
  EXPECT_EQ(levels(16, {.align = 16}), (L{0}));
}

TEST(AllowedRemovals, KeepTheCapAfterRounding) {
  EXPECT_EQ(levels(32, {.align = 8, .most = 0.5}), (L{0, 8, 16}));
  EXPECT_EQ(levels(20, {.align = 8, .most = 0.5}), (L{0, 4}));
  EXPECT_EQ(levels(10, {.most = 0}), (L{0}));
}

TEST(AllowedRemovals, CountFromTheOriginalWidth) {
  // 64 channels were 64, 20 of them went earlier, half may go in all: 12 more.
  EXPECT_EQ(levels(44, {.most = 0.5, .original = 64}).back(), 12);
}

TEST(AllowedRemovals, ExcludedGroupsLoseNothing) { EXPECT_EQ(levels(8, {.excluded = "by the user"}), (L{0})); }

TEST(AllowedRemovals, RefuseNonsense) {
  expect_error([] { (void)levels(8, {.align = 0}); }, ErrorCode::kInvalidArgument, {"'layer0'"});
  expect_error([] { (void)levels(8, {.most = 1.5}); }, ErrorCode::kInvalidArgument, {"'layer0'"});
}

}  // namespace
}  // namespace pare::testing
