#include "fit/eliminate.h"

#include <algorithm>
#include <numeric>

#include "fit/nets.h"
#include "fit/ridge.h"
#include "support/support.h"

namespace pare::testing {
namespace {

struct Problem {
  Moments moments;
  RidgeFit fit;
  std::vector<std::vector<std::int64_t>> columns;
};

/// Items of `size` columns each and a constant column at the end; inputs are correlated.
Problem problem(std::int64_t items, std::int64_t size, std::int64_t outputs, std::uint64_t seed) {
  const std::int64_t width = items * size + 1, rows = 4 * width;
  Matrix patches = multiply(random_matrix(rows, width, seed), random_matrix(width, width, seed + 1));
  for (std::int64_t r = 0; r < rows; ++r) patches.at(r, width - 1) = 1;
  const Matrix targets = multiply(patches, transposed(random_matrix(outputs, width, seed + 2)));
  MomentSums<double> sums(width, outputs);
  sums.add(patches.values.data(), targets.values.data(), rows);
  Problem p{.moments = sums.mean(), .fit = {}, .columns = {}};
  p.fit = fit_ridge(p.moments, random_matrix(outputs, width, seed + 3), 1e-2, true);
  for (std::int64_t i = 0; i < items; ++i) {
    std::vector<std::int64_t> columns;
    for (std::int64_t k = 0; k < size; ++k) columns.push_back(i * size + k);
    p.columns.push_back(columns);
  }
  return p;
}

/// The least of E|t - W p|^2 + D |W - W0|^2 over W that is 0 in the removed columns, by solving for the rest anew, up
/// to a constant: -tr(G' H'^-1 G'^T) over the columns that stay.
double objective(const Matrix& h, const Matrix& g, const std::vector<std::int64_t>& kept) {
  Matrix inverse = take_both(h, kept);
  EXPECT_TRUE(invert_spd(inverse));
  const Matrix part = take_columns(g, kept);
  return -inner_product(multiply(part, inverse), part);
}

struct Pulled {
  Matrix h, g;  ///< H', G' from M and W
};
Pulled pulled(const RidgeFit& fit) {
  Pulled p{.h = fit.inverse, .g = {}};
  EXPECT_TRUE(invert_spd(p.h));
  p.g = multiply(fit.weights, p.h);
  return p;
}

std::vector<std::int64_t> kept_columns(const Problem& p, const std::vector<std::int64_t>& removed) {
  std::vector<std::int64_t> kept;
  for (std::int64_t c = 0; c < p.fit.inverse.rows; ++c) {
    const bool gone = std::any_of(removed.begin(), removed.end(), [&](std::int64_t item) {
      const auto& columns = p.columns[static_cast<std::size_t>(item)];
      return std::find(columns.begin(), columns.end(), c) != columns.end();
    });
    if (!gone) kept.push_back(c);
  }
  return kept;
}

TEST(Eliminate, EveryStepIsTheCheapestAndTheRestIsRefittedExactly) {
  const Problem p = problem(7, 3, 4, 11);
  const Pulled full = pulled(p.fit);
  Eliminator eliminator({{.inverse = p.fit.inverse, .weights = p.fit.weights, .columns = p.columns}});
  std::vector<std::int64_t> removed;
  for (int step = 0; step < 6; ++step) {
    const double before = objective(full.h, full.g, kept_columns(p, removed));
    double least = 1e300;
    std::int64_t cheapest = -1;
    for (std::int64_t item = 0; item < 7; ++item) {
      if (std::find(removed.begin(), removed.end(), item) != removed.end()) continue;
      std::vector<std::int64_t> tried = removed;
      tried.push_back(item);
      const double cost = objective(full.h, full.g, kept_columns(p, tried)) - before;
      if (cost < least) {
        least = cost;
        cheapest = item;
      }
    }
    eliminator.remove_cheapest(1);
    removed.push_back(cheapest);
    ASSERT_EQ(eliminator.order(), removed);
    EXPECT_NEAR(eliminator.costs().back(), least, 1e-8 * std::abs(before));
    const std::vector<std::int64_t> kept = kept_columns(p, removed);
    Matrix inverse = take_both(full.h, kept);
    ASSERT_TRUE(invert_spd(inverse));
    const Matrix weights = multiply(take_columns(full.g, kept), inverse), got = eliminator.weights(0);
    for (std::int64_t o = 0; o < weights.rows; ++o)
      for (std::size_t c = 0; c < kept.size(); ++c)
        EXPECT_NEAR(got.at(o, kept[c]), weights.at(o, static_cast<std::int64_t>(c)), 1e-7);
    for (const std::int64_t column : p.columns[static_cast<std::size_t>(cheapest)])
      for (std::int64_t o = 0; o < got.rows; ++o) EXPECT_EQ(got.at(o, column), 0);
  }
}

TEST(Eliminate, SumsOverConsumersAndFixedCosts) {
  const Problem a = problem(5, 2, 3, 21), b = problem(5, 1, 2, 31);
  const std::vector<double> fixed = {0, 1e9, 0, 0, 0};
  const auto part = [](const Problem& p, double scale) {
    return EliminationPart{.inverse = p.fit.inverse, .weights = p.fit.weights, .columns = p.columns, .scale = scale};
  };
  Eliminator both({part(a, 0.5), part(b, 2)}, fixed), first({part(a, 0.5)}), second({part(b, 2)});
  both.remove_cheapest(5);
  EXPECT_EQ(both.order().back(), 1);
  EXPECT_EQ(both.left(), 0);
  first.remove(both.order());
  second.remove(both.order());
  for (std::size_t i = 0; i < 5; ++i) {
    const double own = first.costs()[i] + second.costs()[i] + fixed[static_cast<std::size_t>(both.order()[i])];
    EXPECT_NEAR(both.costs()[i], own, 1e-8 * own);
  }
}

TEST(Eliminate, OnlyAmongSomeItems) {
  const Problem p = problem(6, 2, 3, 41);
  Eliminator eliminator({{.inverse = p.fit.inverse, .weights = p.fit.weights, .columns = p.columns}});
  eliminator.remove_cheapest(2, {1, 3, 4});
  EXPECT_EQ(eliminator.order().size(), 2u);
  for (const std::int64_t item : eliminator.order()) EXPECT_TRUE(item == 1 || item == 3 || item == 4);
  eliminator.remove_cheapest(9, {1, 3, 4});
  EXPECT_EQ(eliminator.order().size(), 3u);
}

TEST(Eliminate, SeveralAtATimeStaysExact) {
  const Problem p = problem(200, 4, 6, 51);  // wide enough
  const Pulled full = pulled(p.fit);
  Eliminator eliminator({{.inverse = p.fit.inverse, .weights = p.fit.weights, .columns = p.columns}});
  eliminator.remove_cheapest(80);
  const double total = std::accumulate(eliminator.costs().begin(), eliminator.costs().end(), 0.0);
  const double wanted =
      objective(full.h, full.g, kept_columns(p, eliminator.order())) - objective(full.h, full.g, kept_columns(p, {}));
  EXPECT_NEAR(total, wanted, 1e-6 * wanted);
  Eliminator random({{.inverse = p.fit.inverse, .weights = p.fit.weights, .columns = p.columns}});
  std::vector<std::int64_t> first(80);
  std::iota(first.begin(), first.end(), 0);
  random.remove(first);
  EXPECT_LT(total, std::accumulate(random.costs().begin(), random.costs().end(), 0.0));
}

}  // namespace
}  // namespace pare::testing
