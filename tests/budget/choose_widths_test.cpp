#include "budget/choose_widths.h"

#include <cmath>

#include "budget/small_flow.h"

namespace pare::testing {
namespace {

/// Products of neighbouring widths, as MACs of a chain are; the layers' units are random.
Cost chain_cost(const ChannelFlow& flow, const std::vector<ErrorCurve>& curves, std::uint64_t seed,
                std::vector<std::int64_t> drops_of_layer = {}) {
  Rng rng(seed);
  const auto factor = [&](std::int64_t group, double otherwise) -> CostFactor {
    if (group < 0 || group >= static_cast<std::int64_t>(curves.size())) return {.fixed = otherwise};
    CostTable table{.group = group};
    const auto width = static_cast<double>(flow.groups[static_cast<std::size_t>(group)].classes.size());
    for (std::size_t n = 0; n < curves[static_cast<std::size_t>(group)].error.size(); ++n)
      table.by_removed.push_back(width - static_cast<double>(n));
    return {.tables = {table}};
  };
  std::vector<CostPart> parts;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(flow.layers.size()); ++i) {
    CostPart part{.in = factor(i - 1, 3), .out = factor(i, 10)};
    const double unit = rng.uniform(1, 100);
    part.out.fixed *= unit;
    for (CostTable& table : part.out.tables)
      for (double& value : table.by_removed) value *= unit;
    if (!drops_of_layer.empty() && drops_of_layer[static_cast<std::size_t>(i)] >= 0)
      part.drops = {drops_of_layer[static_cast<std::size_t>(i)]};
    parts.push_back(std::move(part));
  }
  return {5, std::move(parts), static_cast<std::int64_t>(flow.groups.size())};
}

struct Problem {
  ChannelFlow flow;
  std::vector<ErrorCurve> curves;
  Cost cost;
};
Problem problem(const std::vector<std::int64_t>& widths, std::uint64_t seed) {
  Problem result{.flow = chain_flow(widths), .curves = {}, .cost = {}};
  result.curves = random_curves(result.flow, seed);
  result.cost = chain_cost(result.flow, result.curves, seed + 1);
  return result;
}

TEST(ChooseWidths, HoldsEveryLimitAtEveryBudget) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Problem p = problem({16, 40, 24, 64, 12}, seed);
    WidthOptions options;
    options.limits = {.align = 8, .most = 0.6};
    options.by_group[3] = {.align = 4, .most = 0.9, .floor = 10};
    options.by_group[4] = {.excluded = "by the user"};
    double last_error = std::numeric_limits<double>::infinity(), last_got = 0;
    for (int step = 0; step <= 20; ++step) {
      options.keep = 0.05 * step;
      const WidthPlan plan = choose_widths(p.flow, p.curves, {}, p.cost, options);
      for (std::size_t g = 0; g < 5; ++g) {
        const std::int64_t width = static_cast<std::int64_t>(p.flow.groups[g].classes.size()),
                           gone = plan.widths.removed[g], kept = width - gone;
        const std::int64_t align = g == 3 ? 4 : 8;
        EXPECT_TRUE(gone == 0 || kept % align == 0) << kept;
        EXPECT_LE(static_cast<double>(gone), (g == 3 ? 0.9 : 0.6) * static_cast<double>(width));
        EXPECT_GE(kept, g == 3 ? 10 : 1);
      }
      EXPECT_EQ(plan.widths.removed[4], 0);
      EXPECT_NEAR(plan.got, p.cost.total(plan.widths), 1e-9 * plan.before);
      EXPECT_NEAR(plan.error, error_of(plan.widths, p.curves, {}), 1e-12);
      EXPECT_EQ(plan.reached, plan.got <= plan.asked * (1 + 1e-9));
      EXPECT_EQ(plan.reached, plan.note.empty()) << plan.note;
      if (plan.reached) {
        EXPECT_LE(plan.error, last_error) << "more budget, more error";
        last_error = plan.error;
      } else {
        EXPECT_GE(plan.got, last_got);
        last_got = plan.got;
      }
    }
  }
}

TEST(ChooseWidths, ComesNearTheBestPlan) {
  double sum = 0, worst = 1;
  int cases = 0;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const Problem p = problem({8, 10, 6}, seed);
    for (const double keep : {0.3, 0.5, 0.7, 0.9}) {
      const WidthPlan plan = choose_widths(p.flow, p.curves, {}, p.cost, {.keep = keep});
      double best = std::numeric_limits<double>::infinity();
      Widths widths = full_widths(p.flow, {});
      for (widths.removed[0] = 0; widths.removed[0] < 8; ++widths.removed[0])
        for (widths.removed[1] = 0; widths.removed[1] < 10; ++widths.removed[1])
          for (widths.removed[2] = 0; widths.removed[2] < 6; ++widths.removed[2])
            if (p.cost.total(widths) <= plan.asked) best = std::min(best, error_of(widths, p.curves, {}));
      ASSERT_TRUE(plan.reached);
      ASSERT_GE(plan.error, best - 1e-12);
      sum += plan.error / best, ++cases;
      worst = std::max(worst, plan.error / best);
    }
  }
  RecordProperty("mean", std::to_string(sum / cases));
  RecordProperty("worst", std::to_string(worst));
  EXPECT_LT(sum / cases, 1.03);
  EXPECT_LT(worst, 1.35);
}

TEST(ChooseWidths, LooksOverACutThatSavesNothing) {
  // A staircase: 7 of 8 channels cost more than 8, and only at 4 something is saved.
  const ChannelFlow flow = chain_flow({8});
  const std::vector<ErrorCurve> curves = random_curves(flow, 1);
  const CostTable stairs{.group = 0, .by_removed = {10, 12, 12, 12, 6, 8, 8, 5}};
  const Cost cost(0, {{.in = {.fixed = 1}, .out = {.tables = {stairs}}}}, 1);
  const WidthPlan plan = choose_widths(flow, curves, {}, cost, {.keep = 0.7});
  EXPECT_EQ(plan.widths.removed[0], 4);
  EXPECT_TRUE(plan.reached);
  const WidthPlan best_possible = choose_widths(flow, curves, {}, cost, {.keep = 0.3});
  EXPECT_EQ(best_possible.widths.removed[0], 7);
  EXPECT_FALSE(best_possible.reached);
  EXPECT_THAT(best_possible.note, ::testing::HasSubstr("50.0 % of the cost remain at least, 30.0 % were asked for"));
}

TEST(ChooseWidths, ALayerOfTinyWeightsKeepsItsFloor) {
  ChannelFlow flow = chain_flow({16, 16, 16});
  std::vector<ErrorCurve> curves = random_curves(flow, 1);
  for (double& error : curves[1].error) error *= 1e-6;
  const Cost cost = chain_cost(flow, curves, 2);
  const WidthPlan plan = choose_widths(flow, curves, {}, cost, {.keep = 0.4, .limits = {.floor = 2}});
  EXPECT_EQ(16 - plan.widths.removed[1], 2);
  const WidthPlan capped = choose_widths(flow, curves, {}, cost, {.keep = 0.4, .limits = {.align = 8, .most = 0.5}});
  for (const std::int64_t removed : capped.widths.removed) EXPECT_LE(removed, 8);
}

TEST(ChooseWidths, DropsBlocksThatAreCheapToLose) {
  const ChannelFlow flow = chain_flow({16, 16, 16});
  const std::vector<ErrorCurve> curves = random_curves(flow, 1);
  // Layers 1 and 2 are the body of a block, group 1 lies inside it.
  std::vector<DropCandidate> drops = {{.add = 10, .body = {1, 2}, .groups = {1}, .error = 1e-3}};
  const Cost cost = chain_cost(flow, curves, 2, {-1, 0, 0, -1});
  WidthPlan plan = choose_widths(flow, curves, drops, cost, {.keep = 0.6});
  EXPECT_TRUE(plan.widths.dropped[0]);
  EXPECT_NEAR(plan.error, error_of(plan.widths, curves, drops), 1e-12);
  for (const ChannelClass gone : removed_classes(plan.widths, curves, drops))
    EXPECT_NE(flow.group_of_class[static_cast<std::size_t>(gone)], 1);
  drops[0].error = 1e6;
  plan = choose_widths(flow, curves, drops, cost, {.keep = 0.6});
  EXPECT_FALSE(plan.widths.dropped[0]);
  drops[0].error = 1e-3;
  plan = choose_widths(flow, curves, drops, cost, {.keep = 0.6, .by_group = {{1, {.excluded = "by the user"}}}});
  EXPECT_FALSE(plan.widths.dropped[0]);
}

TEST(ChooseWidths, OverlappingBlocksExcludeEachOther) {
  const ChannelFlow flow = chain_flow({16, 16, 16});
  const std::vector<ErrorCurve> curves = random_curves(flow, 1);
  const std::vector<DropCandidate> drops = {{.add = 10, .body = {1, 2}, .groups = {1}, .error = 0.1},
                                            {.add = 11, .body = {0, 1, 2, 3, 10}, .groups = {0, 1, 2}, .error = 0.3}};
  const Cost cost = chain_cost(flow, curves, 2, {-1, 0, 0, -1});
  const WidthPlan plan = choose_widths(flow, curves, drops, cost, {.keep = 0.01});
  EXPECT_FALSE(plan.widths.dropped[0] && plan.widths.dropped[1]);
}

TEST(ChooseWidths, KeepAllChangesNothing) {
  const Problem p = problem({8, 16}, 4);
  const WidthPlan plan = choose_widths(p.flow, p.curves, {}, p.cost, {.keep = 1});
  EXPECT_TRUE(removed_classes(plan.widths, p.curves, {}).empty());
  EXPECT_EQ(plan.error, 0);
  expect_error([&] { (void)choose_widths(p.flow, p.curves, {}, p.cost, {.keep = 1.5}); }, ErrorCode::kInvalidArgument,
               {"share between 0 and 1"});
}

TEST(ChooseWidths, WideLayersAreRefinedToTheLastChannel) {
  const Problem p = problem({512, 1024, 700}, 4);
  const WidthPlan plan = choose_widths(p.flow, p.curves, {}, p.cost, {.keep = 0.5});
  EXPECT_TRUE(plan.reached);
  EXPECT_GT(plan.got / plan.asked, 0.995);
}

TEST(EvenWidths, TakesTheSameShareOfEveryGroup) {
  const ChannelFlow flow = chain_flow({64, 16, 20});
  const std::vector<ErrorCurve> curves = random_curves(flow, 1);
  const WidthPlan plan = even_widths(flow, curves, 0.5);
  EXPECT_EQ(plan.widths.removed, (std::vector<std::int64_t>{32, 8, 10}));
  EXPECT_EQ(plan.got, 0.5);
}

TEST(EvenWidths, SaysWhatRoundingMade) {
  // 0.3 of 64 in blocks of 8 keeps 48: 25 % are gone.
  const ChannelFlow flow = chain_flow({64});
  const WidthPlan plan = even_widths(flow, random_curves(flow, 1), 0.3, {.limits = {.align = 8}});
  EXPECT_EQ(plan.widths.removed[0], 16);
  EXPECT_DOUBLE_EQ(plan.asked, 0.7);
  EXPECT_DOUBLE_EQ(plan.got, 0.75);
}

TEST(Schedule, IsRelativeToTheOriginalWidths) {
  // 64 channels, 30 % in 6 steps: 45 stay, not 64 * 0.7^6.
  std::int64_t width = 64;
  for (std::int64_t step = 1; step <= 6; ++step) {
    const ChannelFlow flow = chain_flow({width});
    WidthOptions options;
    options.limits.original = 64;
    const WidthPlan plan = even_widths(flow, random_curves(flow, 1), 1 - scheduled_keep(0.7, step, 6), options);
    width -= plan.widths.removed[0];
  }
  EXPECT_EQ(width, 45);
}

TEST(Schedule, ABudgetIsRelativeToTheOriginalCost) {
  const Problem whole = problem({64, 32}, 5);
  const double original = whole.cost.total(full_widths(whole.flow, {}));
  std::vector<std::int64_t> widths = {64, 32};
  double got = original;
  for (std::int64_t step = 1; step <= 5; ++step) {
    const Problem p = problem(widths, 5);
    const WidthPlan plan =
        choose_widths(p.flow, p.curves, {}, p.cost, {.keep = scheduled_keep(0.5, step, 5), .original = original});
    for (std::size_t g = 0; g < 2; ++g) widths[g] -= plan.widths.removed[g];
    got = plan.got;
  }
  EXPECT_LE(got, 0.5 * original);
  EXPECT_GT(got, 0.47 * original);
}

}  // namespace
}  // namespace pare::testing
