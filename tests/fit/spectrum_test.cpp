#include "fit/spectrum.h"

#include <cmath>

#include "fit/nets.h"
#include "support/support.h"

namespace pare::testing {
namespace {

double worst_from_identity(const Matrix& rows) {
  const Matrix gram = multiply_transposed(rows, rows);
  double worst = 0;
  for (std::int64_t i = 0; i < gram.rows; ++i)
    for (std::int64_t j = 0; j < gram.cols; ++j) worst = std::max(worst, std::abs(gram.at(i, j) - (i == j ? 1 : 0)));
  return worst;
}

/// Squares of x that its projection onto the rows does not have.
double lost(const Matrix& x, const Matrix& rows) {
  const Matrix inside = multiply_transposed(x, rows);
  return inner_product(x, x) - inner_product(inside, inside);
}

TEST(Spectrum, EigenvaluesFallAndVectorsSolve) {
  const Matrix x = random_matrix(20, 12, 3), a = multiply(transposed(x), x);
  const Spectrum spectrum = symmetric_spectrum(a);
  EXPECT_LT(worst_from_identity(spectrum.vectors), 1e-12);
  const Matrix product = multiply(spectrum.vectors, a);
  for (std::int64_t i = 0; i < 12; ++i) {
    if (i > 0) {
      EXPECT_LE(spectrum.values[static_cast<std::size_t>(i)], spectrum.values[static_cast<std::size_t>(i - 1)]);
    }
    for (std::int64_t j = 0; j < 12; ++j)
      EXPECT_NEAR(product.at(i, j), spectrum.values[static_cast<std::size_t>(i)] * spectrum.vectors.at(i, j), 1e-10);
  }
}

TEST(Spectrum, DependentRowsBecomeOrthonormalToo) {
  Matrix rows = random_matrix(6, 30, 4);
  for (std::int64_t c = 0; c < 30; ++c) rows.at(3, c) = 2 * rows.at(1, c);
  orthonormalize_rows(rows);
  EXPECT_LT(worst_from_identity(rows), 1e-12);
}

TEST(Spectrum, LargeMatricesLoseHardlyMoreThanTheBest) {
  // Direct, by the short side, by iteration; singular values fall like 1 / n.
  for (const auto& [m, n] : {std::pair<std::int64_t, std::int64_t>{50, 40}, {60, 700}, {700, 660}}) {
    const std::int64_t inner = std::min(m, n);
    Matrix left = random_matrix(m, inner, 5);
    for (std::int64_t r = 0; r < m; ++r)
      for (std::int64_t c = 0; c < inner; ++c) left.at(r, c) /= static_cast<double>(c + 1);
    const Matrix x = multiply(left, random_matrix(inner, n, 6));
    const Matrix rows = leading_directions(x, 20, 1);
    ASSERT_EQ(rows.rows, 20);
    EXPECT_LT(worst_from_identity(rows), 1e-10);
    const Spectrum spectrum = symmetric_spectrum(multiply_transposed(x, x));
    double best = 0;
    for (std::size_t i = 20; i < spectrum.values.size(); ++i) best += spectrum.values[i];
    EXPECT_LT(lost(x, rows), 1.01 * best) << m << " x " << n;
  }
}

TEST(Spectrum, MoreDirectionsThanRowsAreFilledUp) {
  const Matrix rows = leading_directions(random_matrix(5, 700, 7), 9, 1);
  EXPECT_EQ(rows.rows, 9);
  EXPECT_LT(worst_from_identity(rows), 1e-10);
}

}  // namespace
}  // namespace pare::testing
