#include "factorize/choose_kinds.h"

#include "support/support.h"

namespace pare::testing {
namespace {

/// Two layers of 3 x 3 that can become two by any kind.
struct Case {
  std::vector<RankCandidate> candidates;
  LayerOptions options;
};

constexpr FactorKind kKinds[] = {FactorKind::kVertical, FactorKind::kPoint, FactorKind::kTucker};

Case make_case() {
  Case made;
  for (int layer = 0; layer < 2; ++layer) {
    RankCandidate candidate{.layer = {}, .label = "c", .op_type = "Conv", .node_output = "y", .ways = {}};
    candidate.layer.taps = 9;
    for (const FactorKind kind : kKinds)
      candidate.ways.push_back({.fold = {.kind = kind, .order = {}}, .macs = {}, .parameters = {}, .points = {}});
    made.candidates.push_back(candidate);
    // Spatial keeps most; point saves much time in the first layer, Tucker-2 loses time everywhere.
    std::vector<LayerOption> own = {{.cost = 130}};
    for (const std::int64_t rank : {4, 8}) {
      const double cost = 10.0 * static_cast<double>(rank), error = 1.0 / static_cast<double>(rank);
      own.push_back({.way = 0, .rank = rank, .cost = cost, .error = error, .saved_ms = 1});
      own.push_back({.way = 1, .rank = rank, .cost = cost, .error = 1.5 * error, .saved_ms = layer == 0 ? 3.0 : 0.5});
      own.push_back({.way = 2, .rank = rank, .cost = cost, .error = 1.2 * error, .saved_ms = -2});
    }
    made.options.of.push_back(own);
  }
  return made;
}

double foretold(const Case& made, const KindPlan& plan) {
  double time = 10;
  for (std::size_t c = 0; c < 2; ++c) time -= made.options.of[c][plan.option[c]].saved_ms;
  return time;
}

KindChoice choose(const Case& made, double budget) {
  return choose_kinds(made.candidates, made.options, budget, 10, [&](const std::vector<KindPlan>& plans) {
    std::vector<double> times;
    for (const KindPlan& plan : plans) times.push_back(foretold(made, plan));
    return times;
  });
}

TEST(ChooseKinds, MixesWhereThatIsFasterThanAnyKindAloneAndKeepsMore) {
  const Case made = make_case();
  const KindChoice choice = choose(made, 160);
  ASSERT_EQ(choice.single.size(), 3U);
  for (const KindPlan& plan : choice.single) EXPECT_LE(choice.best.time, plan.time) << plan.kind;
  EXPECT_EQ(choice.best.kind, "mixed");
  EXPECT_EQ(made.options.of[0][choice.best.option[0]].way, 1U);
  EXPECT_EQ(made.options.of[1][choice.best.option[1]].way, 0U);
  EXPECT_LT(choice.best.error, choice.single[1].error);
  EXPECT_LE(choice.best.cost, 160);
}

TEST(ChooseKinds, WhatWasMeasuredCountsMoreThanWhatTheTableForetold) {
  const Case made = make_case();
  // In truth every mixture is slow.
  const KindChoice choice =
      choose_kinds(made.candidates, made.options, 160, 10, [&](const std::vector<KindPlan>& plans) {
        std::vector<double> times;
        for (const KindPlan& plan : plans) times.push_back(plan.kind == "mixed" ? 20 : foretold(made, plan));
        return times;
      });
  EXPECT_EQ(choice.best.kind, "point");
}

TEST(ChooseKinds, OutOfReachIsSaidAndTheCheapestIsTaken) {
  const KindChoice choice = choose(make_case(), 10);
  EXPECT_FALSE(choice.best.reached);
  EXPECT_TRUE(choice.single.empty());
  EXPECT_EQ(choice.best.cost, 80);
}

}  // namespace
}  // namespace pare::testing
