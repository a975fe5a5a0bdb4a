#include "factorize/low_rank.h"

#include <cmath>
#include <limits>

#include "factorize/layer_matrix.h"
#include "fit/nets.h"
#include "fit/spectrum.h"
#include "support/support.h"

namespace pare::testing {
namespace {

struct Problem {
  LinearLayer layer;
  CentredMoments moments;
};

/// A 3 x 3 convolution of 4 to 7 channels on correlated inputs whose means are not 0; targets with noise.
Problem problem(double noise) {
  Problem made;
  made.layer.convolution = true;
  made.layer.inputs = 4;
  made.layer.outputs = 7;
  made.layer.kernel = {3, 3};
  made.layer.taps = 9;
  const Matrix weights = random_matrix(7, 36, 1);
  made.layer.weight.assign(weights.values.begin(), weights.values.end());
  made.layer.bias.assign(7, 0.5F);
  const Matrix mix = random_matrix(36, 36, 2), raw = random_matrix(4000, 36, 3), extra = random_matrix(4000, 7, 4);
  Matrix rows = multiply(raw, mix), patches(4000, 37);
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    for (std::int64_t c = 0; c < 36; ++c) patches.at(r, c) = rows.at(r, c) + 2;
    patches.at(r, 36) = 1;
  }
  Matrix with_bias(7, 37);
  for (std::int64_t o = 0; o < 7; ++o)
    for (std::int64_t c = 0; c < 37; ++c) with_bias.at(o, c) = c < 36 ? weights.at(o, c) : 0.5;
  Matrix targets = multiply_transposed(patches, with_bias);
  for (std::size_t i = 0; i < targets.values.size(); ++i) targets.values[i] += noise * extra.values[i];
  MomentSums<double> sums(37, 7);
  sums.add(patches.values.data(), targets.values.data(), 4000);
  made.moments = centred(sums.mean(), weights, true, 1e-6);
  return made;
}

TEST(LowRank, NeverLosesByMoreRankOrByFittingOn) {
  const Problem made = problem(0.5);
  for (const FactorKind kind :
       {FactorKind::kVertical, FactorKind::kHorizontal, FactorKind::kChannel, FactorKind::kPoint}) {
    const Fold fold = make_fold(made.layer, kind);
    const LowRank low_rank(folded(made.moments, fold), fold, 100, 1);
    double last = std::numeric_limits<double>::infinity();
    for (std::int64_t rank = 1; rank <= low_rank.most(); ++rank) {
      Factors factors = low_rank.start(rank);
      const double started = low_rank.error(low_rank.product(factors));
      EXPECT_LE(started, last * (1 + 1e-9));
      last = started;
      low_rank.fit_first(factors, 12);
      const double middle = low_rank.error(low_rank.product(factors));
      low_rank.fit_second(factors);
      const double fitted = low_rank.error(low_rank.product(factors));
      EXPECT_LE(middle, started * (1 + 1e-9));
      EXPECT_LE(fitted, middle * (1 + 1e-9));
    }
  }
}

TEST(LowRank, TuckerNeverLosesByFittingOnAndIsNoWorseThanCuttingTheOutputsAfterwards) {
  const Problem made = problem(0.5);
  const Fold fold = make_fold(made.layer, FactorKind::kTucker);
  const LowRank low_rank(folded(made.moments, fold), fold, 4, 1);
  for (const auto& [rank, outer] : {std::pair{1, 1}, {2, 5}, {3, 3}, {4, 2}, {4, 7}}) {
    Factors factors = low_rank.start(rank, outer);
    EXPECT_EQ(factors.last.cols, outer);
    double last = low_rank.error(low_rank.product(factors));
    for (int sweep = 0; sweep < 3; ++sweep) {
      low_rank.fit_first(factors, 12);
      low_rank.fit_second(factors);
      const double now = low_rank.error(low_rank.product(factors));
      EXPECT_LE(now, last * (1 + 1e-9)) << rank << ", " << outer;
      last = now;
    }
    const Matrix before = low_rank.product(factors);
    balance(factors);
    const Matrix after = low_rank.product(factors);
    for (std::size_t i = 0; i < before.values.size(); ++i) EXPECT_NEAR(before.values[i], after.values[i], 1e-12);
  }
  // Against the last factor from the weights alone, without the inputs' moments: U of A A^T.
  const Factors fitted = low_rank.start(4, 2), whole = low_rank.start(4);
  Factors plain = fitted;
  const Spectrum spectrum = symmetric_spectrum(multiply_transposed(whole.second, whole.second));
  Matrix directions(2, 7);
  std::copy_n(spectrum.vectors.values.begin(), 14, directions.values.begin());
  plain.second = multiply(directions, whole.second);
  plain.last = transposed(directions);
  EXPECT_LT(low_rank.error(low_rank.product(fitted)), 0.99 * low_rank.error(low_rank.product(plain)));
}

TEST(LowRank, TuckerFindsTheRanksThatAreThere) {
  Problem made = problem(0);
  const Matrix first = random_matrix(2, 4, 11), core = random_matrix(3, 9 * 2, 12), last = random_matrix(7, 3, 13);
  const Fold fold = make_fold(made.layer, FactorKind::kTucker);
  const Factors factors{.rank = 2, .outer = 3, .first = first, .second = core, .last = last};
  const Matrix exact = unfolded(reshaped(multiply(reshaped(factors.after_first(), 7 * 9, 2), first), 7, 36), fold);
  const LowRank low_rank(folded(without_data(exact), fold), fold, 4, 1);
  const auto error = [&](std::int64_t rank, std::int64_t outer) {
    return low_rank.error(low_rank.product(low_rank.start(rank, outer))) / inner_product(exact, exact);
  };
  EXPECT_LT(error(2, 3), 1e-12);
  EXPECT_GT(error(1, 3), 1e-3);
  EXPECT_GT(error(2, 2), 1e-3);
}

TEST(LowRank, TheErrorIsTheOneOfTheUnfoldedWeights) {
  const Problem made = problem(0.5);
  const Fold fold = make_fold(made.layer, FactorKind::kVertical);
  const LowRank low_rank(folded(made.moments, fold), fold, 5, 1);
  const Matrix product = low_rank.product(low_rank.start(5));
  EXPECT_NEAR(low_rank.error(product), made.moments.error(unfolded(product, fold)), 1e-9);
}

TEST(LowRank, OfOneTapIsTheBestThereIs) {
  // Reduced-rank regression: error of rank r = that of full rank + the energies of the outputs' other directions.
  const Problem made = problem(0);
  const Fold fold = make_fold(made.layer, FactorKind::kChannel);
  const LowRank low_rank(folded(made.moments, fold), fold, 7, 1);
  Factors factors = low_rank.start(3);
  const double started = low_rank.error(low_rank.product(factors));
  for (int i = 0; i < 20; ++i) {
    low_rank.fit_first(factors, 20);
    low_rank.fit_second(factors);
  }
  EXPECT_NEAR(low_rank.error(low_rank.product(factors)), started, 1e-6 * started);
}

TEST(LowRank, BalanceChangesNothingButTheNorms) {
  const Problem made = problem(0.5);
  const Fold fold = make_fold(made.layer, FactorKind::kVertical);
  const LowRank low_rank(folded(made.moments, fold), fold, 4, 1);
  Factors factors = low_rank.start(4);
  const Matrix before = low_rank.product(factors);
  balance(factors);
  const Matrix after = low_rank.product(factors);
  for (std::size_t i = 0; i < before.values.size(); ++i) EXPECT_NEAR(before.values[i], after.values[i], 1e-12);
}

TEST(LowRank, InputsThatNeverVaryAreNoTrouble) {
  Problem made = problem(0);
  for (std::int64_t i = 0; i < 36; ++i)
    for (std::int64_t j = 0; j < 36; ++j)
      if (i < 9 || j < 9) made.moments.g.at(i, j) = 0;
  made.moments.r = multiply(made.moments.weights, made.moments.g);
  const Fold fold = make_fold(made.layer, FactorKind::kVertical);
  const LowRank low_rank(folded(made.moments, fold), fold, 12, 1);
  Factors factors = low_rank.start(12);
  low_rank.fit_first(factors, 12);
  for (const double value : low_rank.product(factors).values) EXPECT_TRUE(std::isfinite(value));
}

}  // namespace
}  // namespace pare::testing
