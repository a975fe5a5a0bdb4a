#include "fit/ridge.h"

#include "fit/nets.h"
#include "support/support.h"

namespace pare::testing {
namespace {

/// Patches of 4 numbers and a 1.
Moments sample(std::uint64_t seed, const Matrix& truth) {
  Matrix patches = random_matrix(200, 5, seed);
  for (std::int64_t r = 0; r < 200; ++r) patches.at(r, 4) = 1;
  const Matrix targets = multiply(patches, transposed(truth));
  MomentSums<double> sums(5, truth.rows);
  sums.add(patches.values.data(), targets.values.data(), 200);
  return sums.mean();
}

TEST(Ridge, FindsTheWeightsThatMadeTheTargets) {
  const Matrix truth = random_matrix(3, 5, 1);
  const RidgeFit fit = fit_ridge(sample(2, truth), Matrix(3, 5), 1e-9, true);
  for (std::size_t i = 0; i < truth.values.size(); ++i) EXPECT_NEAR(fit.weights.values[i], truth.values[i], 1e-6);
}

TEST(Ridge, SatisfiesItsNormalEquations) {
  const Matrix old = random_matrix(3, 5, 7);
  const Moments moments = sample(2, random_matrix(3, 5, 1));
  const RidgeFit fit = fit_ridge(moments, old, 0.1, true);
  // (W H - G) + D (W - W0) = 0
  const Matrix product = multiply(fit.weights, moments.h);
  double mean = 0;
  for (std::int64_t i = 0; i < 4; ++i) mean += moments.h.at(i, i) / 4;
  EXPECT_NEAR(fit.damping, 0.1 * mean, 1e-12);
  for (std::int64_t o = 0; o < 3; ++o)
    for (std::int64_t c = 0; c < 5; ++c) {
      const double damping = c < 4 ? fit.damping : 1e-9;
      EXPECT_NEAR(product.at(o, c) - moments.g.at(o, c) + damping * (fit.weights.at(o, c) - old.at(o, c)), 0, 1e-10);
    }
}

TEST(Ridge, KeepsTheOldWeightsWhereTheDataSaysNothing) {
  Moments moments;
  moments.h = Matrix(3, 3);
  moments.g = Matrix(2, 3);
  moments.count = 10;
  const Matrix old = random_matrix(2, 3, 5);
  const RidgeFit fit = fit_ridge(moments, old, 1e-3, false);
  for (std::size_t i = 0; i < old.values.size(); ++i) EXPECT_NEAR(fit.weights.values[i], old.values[i], 1e-9);
}

TEST(Ridge, RefusesNaN) {
  Moments moments;
  moments.h = Matrix(2, 2);
  moments.h.at(0, 0) = std::numeric_limits<double>::quiet_NaN();
  moments.g = Matrix(1, 2);
  expect_error([&] { static_cast<void>(fit_ridge(moments, Matrix(1, 2), 1e-3, false)); }, ErrorCode::kNumeric, {"NaN"});
}

}  // namespace
}  // namespace pare::testing
