#include "factorize/choose_ranks.h"

#include <cmath>

#include "core/random.h"
#include "support/support.h"

namespace pare::testing {
namespace {

using Layers = std::vector<std::vector<RankOption>>;

/// Falling errors over rising costs, the last option without error.
Layers random_layers(std::uint64_t seed) {
  Rng rng(seed);
  Layers layers(4);
  for (std::vector<RankOption>& layer : layers) {
    const double scale = rng.uniform(0.1, 3), decay = rng.uniform(0.2, 1);
    for (int o = 0; o < 6; ++o)
      layer.push_back({.cost = (o + 1) * scale, .error = o == 5 ? 0 : rng.uniform(0.8, 1.2) * std::exp(-decay * o)});
  }
  return layers;
}

double best_error(const Layers& layers, double budget) {
  double best = 1e300;
  for (int code = 0; code < 6 * 6 * 6 * 6; ++code) {
    double cost = 0, error = 0;
    for (int l = 0, rest = code; l < 4; ++l, rest /= 6) {
      const RankOption& option = layers[static_cast<std::size_t>(l)][static_cast<std::size_t>(rest % 6)];
      cost += option.cost;
      error += option.error;
    }
    if (cost <= budget) best = std::min(best, error);
  }
  return best;
}

TEST(ChooseRanks, IsNearTheBestOfAllPlansAndWithinTheBudget) {
  double sum = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const Layers layers = random_layers(seed);
    double whole = 0;
    for (const auto& layer : layers) whole += layer.back().cost;
    for (const double share : {0.3, 0.5, 0.8}) {
      const RankChoice choice = choose_ranks(layers, share * whole);
      ASSERT_TRUE(choice.reached);
      EXPECT_LE(choice.cost, share * whole);
      const double best = best_error(layers, share * whole);
      EXPECT_LE(choice.error, 1.5 * best + 1e-12) << "seed " << seed << ", share " << share;
      sum += choice.error / std::max(best, 1e-12);
    }
  }
  EXPECT_LT(sum / 90, 1.06);
}

TEST(ChooseRanks, AWideBudgetCostsNoAccuracy) {
  const Layers layers = random_layers(3);
  EXPECT_EQ(choose_ranks(layers, 1e9).error, 0);
}

TEST(ChooseRanks, SaysThatABudgetIsOutOfReachAndTakesTheCheapest) {
  const Layers layers = random_layers(4);
  const RankChoice choice = choose_ranks(layers, 0.01);
  EXPECT_FALSE(choice.reached);
  for (const std::size_t option : choice.option) EXPECT_EQ(option, 0U);
}

}  // namespace
}  // namespace pare::testing
