#include "factorize/evbmf.h"

#include <cmath>

#include "core/random.h"
#include "fit/nets.h"
#include "fit/spectrum.h"
#include "support/support.h"

namespace pare::testing {
namespace {

/// Orthogonal directions of one strength, 1.2 times or more what noise of variance 1 hides, and white noise.
Matrix of_rank(std::int64_t rows, std::int64_t cols, std::int64_t rank, double noise, std::uint64_t seed) {
  Matrix a(rows, cols);
  if (rank > 0) {
    Matrix left = random_matrix(rank, rows, seed), right = random_matrix(rank, cols, seed + 1);
    orthonormalize_rows(left);
    orthonormalize_rows(right);
    for (double& value : left.values) value *= 2.5 * std::sqrt(static_cast<double>(std::max(rows, cols)));
    a = multiply(transposed(left), right);
  }
  Rng rng(seed + 2);
  for (double& value : a.values) value += noise * rng.normal();
  return a;
}

TEST(Evbmf, FindsTheRankUnderNoise) {
  for (const std::int64_t rank : {2, 5, 9})
    for (const double noise : {0.1, 0.5, 1.0}) {
      const EvbmfRank wide = evbmf_rank(of_rank(24, 60, rank, noise, 7)),
                      tall = evbmf_rank(of_rank(60, 24, rank, noise, 8));
      EXPECT_EQ(wide.rank, rank) << noise;
      EXPECT_EQ(tall.rank, rank) << noise;
      EXPECT_NEAR(wide.noise_variance, noise * noise, 0.25 * noise * noise);
    }
}

TEST(Evbmf, OfALargeMatrixAndOfASquareOne) {
  EXPECT_EQ(evbmf_rank(of_rank(128, 576, 40, 1, 3)).rank, 40);
  EXPECT_EQ(evbmf_rank(of_rank(100, 100, 11, 1, 4)).rank, 11);
}

TEST(Evbmf, WithoutNoiseTheRankIsExact) { EXPECT_EQ(evbmf_rank(of_rank(30, 50, 6, 0, 5)).rank, 6); }

TEST(Evbmf, NoiseAloneHasNone) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) EXPECT_EQ(evbmf_rank(of_rank(64, 576, 0, 0.1, seed)).rank, 0);
  EXPECT_EQ(evbmf_rank(Matrix(4, 9)).rank, 0);
}

}  // namespace
}  // namespace pare::testing
