#include "factorize/evbmf.h"

#include <cmath>

#include "core/random.h"
#include "fit/nets.h"
#include "support/support.h"

namespace pare::testing {
namespace {

/// Of that rank, each direction of about the same strength, and white noise.
Matrix of_rank(std::int64_t rows, std::int64_t cols, std::int64_t rank, double noise, std::uint64_t seed) {
  Matrix a(rows, cols);
  if (rank > 0) a = multiply(random_matrix(rows, rank, seed), random_matrix(rank, cols, seed + 1));
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

TEST(Evbmf, TakesFromTheSingularValuesWhatNoiseAddsToThem) {
  // One direction of strength s: the values seen are larger, about sqrt((s^2 + M v)(s^2 + L v)) / s.
  Matrix a(40, 200);
  const double strength = 60;
  for (double& value : a.values) value = strength / std::sqrt(40.0 * 200.0);
  Rng rng(9);
  for (double& value : a.values) value += rng.normal();
  const EvbmfRank found = evbmf_rank(a);
  ASSERT_EQ(found.rank, 1);
  EXPECT_NEAR(found.values[0], strength, 0.03 * strength);
  EXPECT_NEAR(found.noise_variance, 1, 0.05);
}

}  // namespace
}  // namespace pare::testing
