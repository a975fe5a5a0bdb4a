#include "budget/time_parts.h"

#include "measure/fakes.h"
#include "support/support.h"

namespace pare::testing {
namespace {

/// A machine whose clock runs by what its sessions do, slower and slower as others come.
struct Machine {
  double now = 0, busy = 1, busier = 0;
  std::vector<std::unique_ptr<FakeSession>> sessions;
  Session& taking(double ms) {
    sessions.push_back(std::make_unique<FakeSession>(FakeSession({}, {}, [this, ms](const NamedTensors&) {
      now += ms * busy;
      busy += busier;
      return std::vector<Tensor>{};
    })));
    return *sessions.back();
  }
  Clocks clocks() {
    return {.wall = [this] { return now; }, .work = [this] { return now; }};
  }
};

TEST(TimeParts, TellsWhatEveryPartTakes) {
  Machine machine;
  Session& whole = machine.taking(2);
  const PartTimes times =
      time_parts(machine.clocks(), whole, {&machine.taking(0.1), &machine.taking(0.05), &machine.taking(0.07)});
  EXPECT_NEAR(times.whole_ms, 2, 1e-9);
  ASSERT_EQ(times.part_ms.size(), 3U);
  EXPECT_NEAR(times.part_ms[0], 0.1, 1e-9);
  EXPECT_NEAR(times.part_ms[1], 0.05, 1e-9);
  EXPECT_NEAR(times.part_ms[2], 0.07, 1e-9);
}

TEST(TimeParts, ALoadThatGrowsHitsAllAlike) {
  Machine machine;
  machine.busier = 0.0005;
  Session& whole = machine.taking(2);
  const PartTimes times = time_parts(machine.clocks(), whole, {&machine.taking(0.1), &machine.taking(0.05)},
                                     {.budget_s = 100, .max_rounds = 60});
  EXPECT_GT(times.whole_ms, 2.5);
  EXPECT_NEAR(times.part_ms[0] / times.whole_ms, 0.05, 0.0025);
  EXPECT_NEAR(times.part_ms[1] / times.part_ms[0], 0.5, 0.025);
}

TEST(TimeParts, KeepsItsBudgetAndItsLeastRounds) {
  Machine machine;
  Session& whole = machine.taking(50);
  (void)time_parts(machine.clocks(), whole, {&machine.taking(1)}, {.budget_s = 1});
  // 9 rounds at least; of the whole every third.
  EXPECT_LT(machine.now, 2000);
  EXPECT_GE(machine.sessions[1]->runs, 9);
  EXPECT_EQ(time_parts(machine.clocks(), whole, {}, {.budget_s = 0.1}).part_ms.size(), 0U);
}

}  // namespace
}  // namespace pare::testing
