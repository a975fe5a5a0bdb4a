#include "fit/moments.h"

#include "fit/nets.h"
#include "support/support.h"

namespace pare::testing {
namespace {

TEST(Moments, AreMeansOfProducts) {
  constexpr std::int64_t kRows = 37, kWidth = 5, kOutputs = 3;
  const Matrix patches = random_matrix(kRows, kWidth, 1), targets = random_matrix(kRows, kOutputs, 2);
  const Matrix h = multiply(transposed(patches), patches), g = multiply(transposed(targets), patches);
  MomentSums<double> exact(kWidth, kOutputs);
  exact.add(patches.values.data(), targets.values.data(), 20);
  exact.add(patches.values.data() + 20 * kWidth, targets.values.data() + 20 * kOutputs, kRows - 20);
  const std::vector<float> p(patches.values.begin(), patches.values.end()),
      t(targets.values.begin(), targets.values.end());
  MomentSums<float> fast(kWidth, kOutputs);
  fast.add(p.data(), t.data(), kRows);
  EXPECT_EQ(exact.count(), kRows);
  const Moments slow = exact.mean(), quick = fast.mean();
  for (std::size_t i = 0; i < h.values.size(); ++i) {
    EXPECT_NEAR(slow.h.values[i], h.values[i] / kRows, 1e-12);
    EXPECT_NEAR(quick.h.values[i], h.values[i] / kRows, 1e-5);
  }
  for (std::size_t i = 0; i < g.values.size(); ++i) {
    EXPECT_NEAR(slow.g.values[i], g.values[i] / kRows, 1e-12);
    EXPECT_NEAR(quick.g.values[i], g.values[i] / kRows, 1e-5);
  }
  EXPECT_NEAR(slow.targets, inner_product(targets, targets) / kRows, 1e-12);
}

TEST(Moments, KnowTheErrorOfWeights) {
  const Matrix patches = random_matrix(50, 4, 1), targets = random_matrix(50, 2, 2), weights = random_matrix(2, 4, 3);
  MomentSums<double> sums(4, 2);
  sums.add(patches.values.data(), targets.values.data(), 50);
  const Matrix made = multiply(patches, transposed(weights));
  double error = 0;
  for (std::size_t i = 0; i < made.values.size(); ++i)
    error += (made.values[i] - targets.values[i]) * (made.values[i] - targets.values[i]) / 50;
  EXPECT_NEAR(sums.mean().error(weights), error, 1e-10);
}

TEST(Moments, OfTwoPartsAreThoseOfTheWhole) {
  const Matrix patches = random_matrix(30, 4, 1), targets = random_matrix(30, 2, 2);
  MomentSums<double> a(4, 2), b(4, 2), all(4, 2);
  a.add(patches.values.data(), targets.values.data(), 10);
  b.add(patches.values.data() + 40, targets.values.data() + 20, 20);
  all.add(patches.values.data(), targets.values.data(), 30);
  const Moments both = merged(a.mean(), b.mean()), whole = all.mean();
  for (std::size_t i = 0; i < both.h.values.size(); ++i) EXPECT_NEAR(both.h.values[i], whole.h.values[i], 1e-12);
  EXPECT_NEAR(both.targets, whole.targets, 1e-12);
  EXPECT_EQ(both.count, 30);
}

}  // namespace
}  // namespace pare::testing
