#include "measure/timing.h"

#include <cmath>
#include <memory>

#include "measure/fakes.h"
#include "support/support.h"

namespace pare::testing {
namespace {

/// A clock that only sessions move, and the noise that machines add to them.
struct World {
  explicit World(std::uint64_t seed) : rng(seed) {}
  double now = 0;
  Rng rng;
  std::string kind = "quiet";
  double state = 0;
  bool burst = false;
  std::int64_t readings = 0;
  double work = -1;  ///< CPU time, where it is not the same as wall time

  Clocks clocks() {
    return {[this] { return ++readings, now; }, [this] { return work < 0 ? now : work; }};
  }
  double slowdown() {
    if (kind == "noisy") return std::exp(0.03 * rng.normal()) * (rng.uniform() < 0.02 ? 4 : 1);
    if (kind == "drifting") {
      state = 0.999 * state + 0.01 * rng.normal();  // about 20 %, over a thousand runs
      return std::exp(state + 0.02 * rng.normal());
    }
    if (kind == "bursts") {
      if (rng.uniform() < 0.005) burst = !burst;
      return std::exp(0.02 * rng.normal()) * (burst ? 1 + rng.uniform() : 1);
    }
    return 1;
  }
};

FakeSession session_in(World& world, double ms, double first_ms = 0) {
  auto runs = std::make_shared<int>(0);
  return FakeSession({}, {}, [&world, ms, first_ms, runs](const NamedTensors&) -> std::vector<Tensor> {
    world.now += (*runs)++ == 0 && first_ms > 0 ? first_ms : ms * world.slowdown();
    return {};
  });
}

/// A fixed amount of arithmetic, about `ms` on a 3 GHz core: everything that disturbs a core shows in its time.
FakeSession working(double ms) {
  const auto steps = static_cast<std::int64_t>(ms * 925'000);
  auto sink = std::make_shared<std::uint64_t>(1);
  return FakeSession({}, {}, [steps, sink](const NamedTensors&) -> std::vector<Tensor> {
    std::uint64_t x = *sink;
    for (std::int64_t i = 0; i < steps; ++i)
      x = x * 6364136223846793005U + 1442695040888963407U;  // each waits for the last
    *sink = x;
    return {};
  });
}

/// Every opening of the same network lies elsewhere, and is a percent or so faster or slower for it.
class PlacedSession : public FakeSession {
 public:
  PlacedSession(World& world, double ms)
      : FakeSession(session_in(world, ms * std::exp(kSpread * world.rng.normal()))), world_(world), ms_(ms) {}
  std::unique_ptr<Session> reopen() const override {
    world_.now += 20;
    ++openings;
    return std::make_unique<PlacedSession>(world_, ms_);
  }

  static constexpr double kSpread = 0.01;
  static inline int openings = 0;

 private:
  World& world_;
  double ms_;
};

TEST(Benchmark, KeepsTheFirstRunApart) {
  World world(1);
  FakeSession session = session_in(world, 2, 500);
  const Timing timing = benchmark_with(world.clocks(), session, {}, silent_progress());
  EXPECT_DOUBLE_EQ(timing.first_ms, 500);
  EXPECT_NEAR(timing.median_ms, 2, 1e-9);
  EXPECT_NEAR(timing.p95_ms, 2, 1e-9);
  EXPECT_NEAR(static_cast<double>(timing.runs), 1500, 5);  // 3 s of 2 ms
}

TEST(Benchmark, GivesQuartilesOfSingleRuns) {
  World world(2);
  auto runs = std::make_shared<int>(0);
  FakeSession session({}, {}, [&world, runs](const NamedTensors&) -> std::vector<Tensor> {
    world.now += 1 + ((*runs)++ % 10 == 0 ? 9 : 0);
    return {};
  });
  const Timing timing = benchmark_with(world.clocks(), session, {}, silent_progress());
  EXPECT_NEAR(timing.median_ms, 1, 1e-9);
  EXPECT_NEAR(timing.q3_ms, 1, 1e-9);
  EXPECT_NEAR(timing.p95_ms, 10, 1e-9);
}

TEST(Benchmark, TakesManyVeryShortRunsBetweenTwoReadings) {
  World world(3);
  FakeSession session = session_in(world, 0.001);
  BenchmarkOptions options;
  options.budget_s = 0.1;
  const Timing timing = benchmark_with(world.clocks(), session, options, silent_progress());
  EXPECT_NEAR(timing.median_ms, 0.001, 1e-9);
  EXPECT_GT(timing.runs, 50'000);
  EXPECT_LT(world.readings, session.runs / 5);
}

TEST(Benchmark, RunsSlowNetworksAtLeastMinBlocksTimesWithLittleWarmUp) {
  World world(4);
  FakeSession session = session_in(world, 2000);
  BenchmarkOptions options;
  options.budget_s = 3;
  options.min_blocks = 5;
  const Timing timing = benchmark_with(world.clocks(), session, options, silent_progress());
  EXPECT_EQ(timing.runs, 5);
  EXPECT_LE(session.runs, 8);  // the first, two of warm-up, five timed
}

TEST(Benchmark, WarmsUpUntilBlocksAgreeButNoLongerThanAThirdOfTheBudget) {
  for (const double half_life : {40.0, 1e9}) {
    World world(5);
    FakeSession session({}, {}, [&world, half_life](const NamedTensors&) -> std::vector<Tensor> {
      world.now += 1 + 4 * std::exp2(-world.now / half_life);  // slow at first
      return {};
    });
    BenchmarkOptions options;
    options.budget_s = 0.6;
    const Timing timing = benchmark_with(world.clocks(), session, options, silent_progress());
    if (half_life < 100) {
      EXPECT_LT(timing.p95_ms, 1.3) << "warm-up counts";
    } else {
      EXPECT_LT(world.now, 600 + 200 + 25);
    }
  }
}

TEST(Benchmark, RefusesBudgetsThatMeanNothing) {
  World world(6);
  FakeSession session = session_in(world, 1);
  BenchmarkOptions options;
  options.budget_s = 0;
  expect_error([&] { (void)benchmark(session, options); }, ErrorCode::kInvalidArgument, {"0 s", "remedy"});
  options = {};
  options.min_blocks = 1;
  expect_error([&] { (void)benchmark(session, options); }, ErrorCode::kInvalidArgument, {"at least 1 blocks"});
}

TEST(Benchmark, TellsProgressAndStopsWhenAsked) {
  World world(7);
  FakeSession session = session_in(world, 1);
  Notes notes;
  (void)benchmark_with(world.clocks(), session, {}, notes);
  EXPECT_EQ(notes.last, 100);
  notes.cancel = true;
  expect_error([&] { (void)benchmark_with(world.clocks(), session, {}, notes); }, ErrorCode::kInterrupted, {});
}

TEST(CompareSpeed, OfAModelWithItselfIsNoDifference) {
  for (const char* kind : {"quiet", "noisy", "drifting", "bursts"}) {
    int different = 0, excluded = 0;
    constexpr int kTrials = 200;
    for (int trial = 0; trial < kTrials; ++trial) {
      World world(static_cast<std::uint64_t>(trial));
      world.kind = kind;
      FakeSession a = session_in(world, 0.5), b = session_in(world, 0.5);
      BenchmarkOptions options;
      options.budget_s = 0.4;
      options.seed = static_cast<std::uint64_t>(trial);
      const SpeedComparison result = compare_speed_with(world.clocks(), a, b, options, silent_progress());
      different += result.verdict != Verdict::kNoDifference;
      excluded += result.interval.low > 1 || result.interval.high < 1;
    }
    EXPECT_LE(different, kTrials / 20) << kind;
    EXPECT_LE(excluded, kTrials / 12) << kind;
  }
}

TEST(CompareSpeed, SeesTenPercentUnderAnyNoise) {
  for (const char* kind : {"quiet", "noisy", "drifting", "bursts"}) {
    int seen = 0, covered = 0;
    constexpr int kTrials = 60;
    for (int trial = 0; trial < kTrials; ++trial) {
      World world(static_cast<std::uint64_t>(trial + 1000));
      world.kind = kind;
      FakeSession a = session_in(world, 0.55), b = session_in(world, 0.5);
      BenchmarkOptions options;
      options.budget_s = 0.6;
      options.seed = static_cast<std::uint64_t>(trial);
      const SpeedComparison there = compare_speed_with(world.clocks(), a, b, options, silent_progress());
      const SpeedComparison back = compare_speed_with(world.clocks(), b, a, options, silent_progress());
      seen += there.verdict == Verdict::kFaster && back.verdict == Verdict::kSlower;
      covered += there.interval.low <= 1.1 + 1e-9 && 1.1 - 1e-9 <= there.interval.high;
    }
    EXPECT_GE(seen, kTrials * 9 / 10) << kind;
    EXPECT_GE(covered, kTrials * 9 / 10) << kind;
  }
}

TEST(CompareSpeed, KnowsThatPlacesInMemoryDiffer) {
  int different = 0, excluded = 0, seen = 0;
  constexpr int kTrials = 200;
  for (int trial = 0; trial < kTrials; ++trial) {
    World world(static_cast<std::uint64_t>(trial));
    world.kind = "noisy";
    PlacedSession a(world, 0.5), b(world, 0.5), c(world, 0.475);
    BenchmarkOptions options;
    options.budget_s = 0.4;
    options.seed = static_cast<std::uint64_t>(trial);
    const SpeedComparison same = compare_speed_with(world.clocks(), a, b, options, silent_progress());
    different += same.verdict != Verdict::kNoDifference;
    excluded += same.interval.low > 1 || same.interval.high < 1;
    seen += compare_speed_with(world.clocks(), a, c, options, silent_progress()).verdict == Verdict::kFaster;
  }
  EXPECT_LE(different, kTrials / 50);  // in one place each, 46 of these 200 are
  EXPECT_LE(excluded, kTrials / 12);
  EXPECT_GE(seen, kTrials * 8 / 10);  // 5 %
}

TEST(CompareSpeed, StopsMovingWhereOpeningIsDear) {
  World world(3);
  PlacedSession a(world, 5), b(world, 5);
  BenchmarkOptions options;
  options.budget_s = 0.03;
  PlacedSession::openings = 0;
  const SpeedComparison result = compare_speed_with(world.clocks(), a, b, options, silent_progress());
  EXPECT_EQ(PlacedSession::openings, 4);  // three places
  EXPECT_EQ(result.verdict, Verdict::kNoDifference);
}

TEST(CompareSpeed, IsNotMisledByASteadyDrift) {
  World world(8);
  const auto slowing = [&world] {
    return FakeSession({}, {}, [&world](const NamedTensors&) -> std::vector<Tensor> {
      world.now += 1 + world.now / 1000;  // twice as slow every second
      return {};
    });
  };
  FakeSession a = slowing(), b = slowing();
  BenchmarkOptions options;
  options.budget_s = 2;
  const SpeedComparison result = compare_speed_with(world.clocks(), a, b, options, silent_progress());
  EXPECT_NEAR(result.ratio, 1, 0.01);
  EXPECT_EQ(result.verdict, Verdict::kNoDifference);
  EXPECT_GT(result.other.q3_ms, 1.3 * result.other.q1_ms);
}

/// Others want the core too: after each `slice_ms` of work the session waits for as long as they take.
FakeSession contended(World& world, double ms, double slice_ms) {
  auto left = std::make_shared<double>(slice_ms);
  world.work = 0;
  return FakeSession({}, {}, [&world, ms, slice_ms, left](const NamedTensors&) -> std::vector<Tensor> {
    double work = ms;
    world.work += ms;
    while (work >= *left) {
      world.now += *left + slice_ms * (4 + 6 * world.rng.uniform());
      work -= *left;
      *left = slice_ms * (0.5 + world.rng.uniform());
    }
    world.now += work;
    *left -= work;
    return {};
  });
}

TEST(CompareSpeed, IsFairToLongRunsOnABusyMachine) {
  // Runs shorter than a slice of the scheduler are mostly not interrupted, longer ones always are: medians of single
  // runs would show 11 in place of 3.
  int covered = 0;
  for (std::uint64_t trial = 0; trial < 20; ++trial) {
    World world(trial);
    FakeSession a = contended(world, 4.5, 3), b = contended(world, 1.5, 3);
    BenchmarkOptions options;
    options.seed = trial;
    const SpeedComparison result = compare_speed_with(world.clocks(), a, b, options, silent_progress());
    EXPECT_GT(result.ratio, 2.2);
    EXPECT_LT(result.ratio, 4.1);
    covered += result.interval.low <= 3 && 3 <= result.interval.high;
  }
  EXPECT_GE(covered, 18);
}

TEST(CompareSpeed, WarnsWhenOthersUseTheMachine) {
  for (const bool busy : {false, true}) {
    World world(1);
    FakeSession a = busy ? contended(world, 2, 3) : session_in(world, 2);
    FakeSession b = busy ? contended(world, 2, 3) : session_in(world, 2);
    Notes notes;
    (void)compare_speed_with(world.clocks(), a, b, {}, notes);
    if (busy) {
      EXPECT_THAT(notes.notes, ::testing::ElementsAre(::testing::HasSubstr("other programs use this machine")));
    } else {
      EXPECT_TRUE(notes.notes.empty());
    }
  }
}

TEST(CompareSpeed, ComparesNetworksOfVeryDifferentSpeed) {
  World quiet(9);
  FakeSession a = session_in(quiet, 40, 400), b = session_in(quiet, 0.01, 90);
  const SpeedComparison result = compare_speed_with(quiet.clocks(), a, b, {}, silent_progress());
  EXPECT_NEAR(result.ratio, 4000, 1e-3);
  EXPECT_DOUBLE_EQ(result.baseline.first_ms, 400);
  EXPECT_DOUBLE_EQ(result.other.first_ms, 90);
  EXPECT_GT(result.baseline.runs, 15);

  World busy(9);
  FakeSession c = contended(busy, 40, 3), d = contended(busy, 0.01, 3);
  const SpeedComparison under_load = compare_speed_with(busy.clocks(), c, d, {}, silent_progress());
  EXPECT_NEAR(under_load.ratio, 4000, 600);
  EXPECT_LE(under_load.interval.low, 4000);
  EXPECT_GE(under_load.interval.high, 4000);
}

TEST(Judge, AsksForAWholeIntervalBeyondOnePercent) {
  EXPECT_EQ(judge({1.011, 1.03}), Verdict::kFaster);
  EXPECT_EQ(judge({0.99, 1.05}), Verdict::kNoDifference);
  EXPECT_EQ(judge({1.004, 1.03}), Verdict::kNoDifference);
  EXPECT_EQ(judge({0.97, 0.989}), Verdict::kSlower);
  EXPECT_EQ(judge({0.95, 0.995}), Verdict::kNoDifference);
}

TEST(CompareSpeed, OfRealWorkWithItselfIsNoDifferenceOnThisMachine) {
  int same = 0;
  for (std::uint64_t trial = 0; trial < 20; ++trial) {
    FakeSession a = working(0.3), b = working(0.3);
    BenchmarkOptions options;
    options.budget_s = 0.2;
    options.seed = trial;
    same += compare_speed(a, b, options).verdict == Verdict::kNoDifference;
  }
  EXPECT_GE(same, 19);
}

TEST(CompareSpeed, SeesTenPercentMoreWorkOnThisMachine) {
  // One comparison saw it in 19 of 20 on two cores with sixteen programs wanting them, so it is asked for in two of
  // three.
  int seen = 0;
  for (std::uint64_t trial = 0; trial < 3; ++trial) {
    FakeSession a = working(0.33), b = working(0.3);
    BenchmarkOptions options;
    options.budget_s = 2;
    options.seed = trial;
    const SpeedComparison result = compare_speed(a, b, options);
    EXPECT_LE(result.interval.low, result.ratio);
    EXPECT_GE(result.interval.high, result.ratio);
    EXPECT_NE(result.verdict, Verdict::kSlower);
    if (result.verdict != Verdict::kFaster) continue;
    EXPECT_NEAR(result.ratio, 1.1, 0.05);
    ++seen;
  }
  EXPECT_GE(seen, 2);
}

}  // namespace
}  // namespace pare::testing
