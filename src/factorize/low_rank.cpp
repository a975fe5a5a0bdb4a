#include "factorize/low_rank.h"

#include <algorithm>
#include <cmath>

#include "core/fail.h"
#include "fit/ridge.h"
#include "fit/spectrum.h"

namespace pare {
namespace {

constexpr double kPull = 1e-4;

double mean_diagonal(const Matrix& a) {
  double sum = 0;
  for (std::int64_t i = 0; i < a.rows; ++i) sum += a.at(i, i);
  return a.rows > 0 ? sum / static_cast<double>(a.rows) : 0;
}

/// (a + d I)^-1, d next to nothing, but as large as it must be. Throws Error(kNumeric) on NaN.
Matrix damped_inverse(const Matrix& a, double relative) {
  const double mean = mean_diagonal(a);
  if (!std::isfinite(mean)) fail(ErrorCode::kNumeric, "factorize: the data holds NaN or infinity");
  for (int tries = 0; tries < 14; ++tries, relative *= 10) {
    Matrix inverse = a;
    for (std::int64_t i = 0; i < a.rows; ++i) inverse.at(i, i) += std::max(relative * mean, 1e-300);
    if (invert_spd(inverse)) return inverse;
  }
  fail(ErrorCode::kNumeric, "factorize: the moments of a layer's input cannot be inverted");
}

/// Lower Cholesky factor, damped likewise.
Matrix damped_cholesky(const Matrix& a, double relative) {
  const double mean = mean_diagonal(a);
  for (int tries = 0; tries < 14; ++tries, relative *= 10) {
    Matrix factor = a;
    for (std::int64_t i = 0; i < a.rows; ++i) factor.at(i, i) += std::max(relative * mean, 1e-300);
    if (!cholesky(factor.values.data(), factor.rows)) continue;
    for (std::int64_t i = 0; i < a.rows; ++i) std::fill(factor.row(i) + i + 1, factor.row(i) + a.rows, 0.0);
    return factor;
  }
  fail(ErrorCode::kNumeric, "factorize: the moments of a layer's input cannot be inverted");
}

/// a (rows x taps * columns) times the first factor of every tap: rows x (taps * rank).
Matrix through_first(Matrix a, const Matrix& first, std::int64_t taps) {
  const std::int64_t rows = a.rows;
  return reshaped(multiply_transposed(reshaped(std::move(a), rows * taps, first.cols), first), rows, taps * first.rows);
}

/// Adds |(W - M) d^(1/2)|^2 to the error, M the weights to be near to: where the inputs seen so far do not vary, the
/// factors follow M instead of anything.
CentredMoments pulled(CentredMoments moments) {
  const double pull = std::max(kPull * mean_diagonal(moments.g), 1e-30);
  for (std::int64_t i = 0; i < moments.g.rows; ++i) moments.g.at(i, i) += pull;
  for (std::size_t i = 0; i < moments.r.values.size(); ++i) moments.r.values[i] += pull * moments.weights.values[i];
  moments.targets += pull * inner_product(moments.weights, moments.weights);
  return moments;
}

}  // namespace

double CentredMoments::error(const Matrix& now) const {
  if (g.rows == 0) return std::max(0.0, targets - 2 * inner_product(now, r) + inner_product(now, now));
  return std::max(0.0, targets - 2 * inner_product(now, r) + inner_product(multiply(now, g), now));
}

CentredMoments centred(const Moments& moments, const Matrix& weights, bool constant, double damping) {
  const std::int64_t outputs = weights.rows, width = moments.h.rows - (constant ? 1 : 0);
  CentredMoments result;
  result.p.resize(static_cast<std::size_t>(width), 0.0);
  result.t.resize(static_cast<std::size_t>(outputs), 0.0);
  for (std::int64_t i = 0; i < width && constant; ++i) result.p[static_cast<std::size_t>(i)] = moments.h.at(i, width);
  for (std::int64_t o = 0; o < outputs && constant; ++o) result.t[static_cast<std::size_t>(o)] = moments.g.at(o, width);
  result.g = Matrix(width, width);
  result.r = Matrix(outputs, width);
  for (std::int64_t i = 0; i < width; ++i)
    for (std::int64_t j = 0; j < width; ++j)
      result.g.at(i, j) =
          moments.h.at(i, j) - result.p[static_cast<std::size_t>(i)] * result.p[static_cast<std::size_t>(j)];
  for (std::int64_t o = 0; o < outputs; ++o)
    for (std::int64_t j = 0; j < width; ++j)
      result.r.at(o, j) =
          moments.g.at(o, j) - result.t[static_cast<std::size_t>(o)] * result.p[static_cast<std::size_t>(j)];
  result.targets = moments.targets;
  for (const double mean : result.t) result.targets -= mean * mean;
  result.weights = weights;
  const Matrix now = multiply(weights, result.g);
  if (!std::isfinite(damping)) {
    result.r = now;
    result.targets = inner_product(now, weights);
    return pulled(std::move(result));
  }
  Matrix rest = result.r;
  for (std::size_t i = 0; i < rest.values.size(); ++i) rest.values[i] -= now.values[i];
  const Matrix change = multiply(rest, damped_inverse(result.g, damping));
  for (std::size_t i = 0; i < change.values.size(); ++i) result.weights.values[i] += change.values[i];
  return pulled(std::move(result));
}

CentredMoments without_data(const Matrix& weights) {
  CentredMoments result;
  result.r = result.weights = weights;
  result.targets = inner_product(weights, weights);
  result.p.resize(static_cast<std::size_t>(weights.cols), 0.0);
  result.t.resize(static_cast<std::size_t>(weights.rows), 0.0);
  return result;
}

CentredMoments folded(const CentredMoments& moments, const Fold& fold) {
  if (std::is_sorted(fold.order.begin(), fold.order.end())) return moments;
  CentredMoments result = moments;
  if (moments.g.rows > 0) result.g = take_both(moments.g, fold.order);
  result.r = take_columns(moments.r, fold.order);
  result.weights = take_columns(moments.weights, fold.order);
  for (std::size_t i = 0; i < fold.order.size(); ++i) result.p[i] = moments.p[static_cast<std::size_t>(fold.order[i])];
  return result;
}

Matrix unfolded(const Matrix& weights, const Fold& fold) {
  Matrix result(weights.rows, weights.cols);
  for (std::int64_t o = 0; o < weights.rows; ++o)
    for (std::int64_t i = 0; i < weights.cols; ++i)
      result.at(o, fold.order[static_cast<std::size_t>(i)]) = weights.at(o, i);
  return result;
}

LowRank::LowRank(CentredMoments moments, const Fold& fold, std::int64_t most, std::uint64_t seed)
    : moments_(std::move(moments)), taps_(fold.taps), columns_(fold.columns) {
  const std::int64_t outputs = moments_.weights.rows, rank = std::min(most, fold.full_rank());
  const Matrix rows = reshaped(moments_.weights, outputs * taps_, columns_);
  if (moments_.g.rows == 0) {
    directions_ = leading_directions(rows, rank, seed);
    return;
  }
  Matrix block(columns_, columns_);
  for (std::int64_t a = 0; a < taps_; ++a)
    for (std::int64_t i = 0; i < columns_; ++i) {
      const double* row = moments_.g.row(a * columns_ + i) + a * columns_;
      for (std::int64_t j = 0; j < columns_; ++j) block.at(i, j) += row[j] / static_cast<double>(taps_);
    }
  // Q: leading directions of M L, G = L L^T; the first factor is Q L^-1.
  const Matrix lower = damped_cholesky(block, 1e-9);
  directions_ = leading_directions(multiply(rows, lower), rank, seed);
  solve_lower_right(lower.values.data(), columns_, directions_.values.data(), directions_.rows);
  block_inverse_ = damped_inverse(block, 1e-6);
}

Factors LowRank::start(std::int64_t rank, std::int64_t outer) const {
  Factors factors{.rank = std::min(rank, most()), .outer = outer, .first = {}, .second = {}, .last = {}};
  factors.first = Matrix(factors.rank, columns_);
  std::copy_n(directions_.values.begin(), factors.rank * columns_, factors.first.values.begin());
  fit_second(factors);
  return factors;
}

void LowRank::fit_second(Factors& factors) const {
  Matrix inner;                // F G F^T, F the first factor of every tap
  if (moments_.g.rows == 0) {  // the rows of F are orthonormal
    factors.second = through_first(moments_.r, factors.first, taps_);
  } else {
    // A = R F^T (F G F^T)^-1.
    const Matrix half = through_first(moments_.g, factors.first, taps_);
    inner = through_first(transposed(half), factors.first, taps_);
    factors.second = multiply(through_first(moments_.r, factors.first, taps_), damped_inverse(inner, 1e-12));
  }
  if (factors.outer == 0) return;
  // Of outer rank q the best is U U^T A, U the q leading eigenvectors of A (F G F^T) A^T: the outputs' second moments.
  const Matrix half = inner.rows == 0 ? factors.second : multiply(factors.second, inner);
  const Spectrum spectrum = symmetric_spectrum(multiply_transposed(half, factors.second));
  Matrix directions(std::min(factors.outer, spectrum.vectors.rows), spectrum.vectors.cols);
  std::copy_n(spectrum.vectors.values.begin(), directions.values.size(), directions.values.begin());
  factors.outer = directions.rows;
  factors.second = multiply(directions, factors.second);
  factors.last = transposed(directions);
}

Matrix LowRank::apply(const Matrix& s, const Matrix& first) const {
  const std::int64_t rank = first.rows, all = taps_ * columns_;
  Matrix seen(taps_ * rank, all);
  for (std::int64_t a = 0; a < taps_; ++a)
    add_product({first.row(0), columns_}, {moments_.g.row(a * columns_), all}, rank, all, columns_, seen.row(a * rank));
  Matrix result(rank, columns_);
  for (std::int64_t a = 0; a < taps_; ++a)
    add_product({s.row(a * rank), s.cols}, {seen.row(0) + a * columns_, all}, rank, columns_, taps_ * rank,
                result.row(0));
  return result;
}

void LowRank::fit_first(Factors& factors, int steps) const {
  if (moments_.g.rows == 0) return;
  const Matrix after = factors.after_first(), second = transposed(after), s = multiply(second, after);
  const std::int64_t rank = factors.rank, outputs = after.rows;
  Matrix diagonal(rank, rank), wanted(rank, columns_);
  for (std::int64_t a = 0; a < taps_; ++a) {
    for (std::int64_t i = 0; i < rank; ++i)
      for (std::int64_t j = 0; j < rank; ++j) diagonal.at(i, j) += s.at(a * rank + i, a * rank + j);
    add_product({second.row(a * rank), outputs}, {moments_.r.row(0) + a * columns_, moments_.r.cols}, rank, columns_,
                outputs, wanted.row(0));
  }
  const Matrix left = damped_inverse(diagonal, 1e-9);
  const auto precondition = [&](const Matrix& x) { return multiply(multiply(left, x), block_inverse_); };
  Matrix rest = apply(s, factors.first);
  for (std::size_t i = 0; i < rest.values.size(); ++i) rest.values[i] = wanted.values[i] - rest.values[i];
  Matrix z = precondition(rest), direction = z;
  double now = inner_product(rest, z);
  const double begin = now;
  for (int step = 0; step < steps && now > 1e-14 * begin && now > 0; ++step) {
    const Matrix ahead = apply(s, direction);
    const double curvature = inner_product(direction, ahead);
    if (!(curvature > 0)) break;
    const double length = now / curvature;
    for (std::size_t i = 0; i < rest.values.size(); ++i) {
      factors.first.values[i] += length * direction.values[i];
      rest.values[i] -= length * ahead.values[i];
    }
    z = precondition(rest);
    const double next = inner_product(rest, z);
    for (std::size_t i = 0; i < z.values.size(); ++i)
      direction.values[i] = z.values[i] + next / now * direction.values[i];
    now = next;
  }
}

Matrix LowRank::product(const Factors& factors) const {
  Matrix after = factors.after_first();
  const std::int64_t outputs = after.rows;
  return reshaped(multiply(reshaped(std::move(after), outputs * taps_, factors.rank), factors.first), outputs,
                  taps_ * columns_);
}

void balance(Factors& factors) {
  const std::int64_t taps = factors.second.cols / std::max<std::int64_t>(1, factors.rank);
  for (std::int64_t k = 0; k < factors.rank; ++k) {
    double first = 0, second = 0;
    for (std::int64_t i = 0; i < factors.first.cols; ++i) first += factors.first.at(k, i) * factors.first.at(k, i);
    for (std::int64_t o = 0; o < factors.second.rows; ++o)
      for (std::int64_t a = 0; a < taps; ++a)
        second += factors.second.at(o, a * factors.rank + k) * factors.second.at(o, a * factors.rank + k);
    if (!(first > 0) || !(second > 0)) continue;
    const double scale = std::pow(second / first, 0.25);
    for (std::int64_t i = 0; i < factors.first.cols; ++i) factors.first.at(k, i) *= scale;
    for (std::int64_t o = 0; o < factors.second.rows; ++o)
      for (std::int64_t a = 0; a < taps; ++a) factors.second.at(o, a * factors.rank + k) /= scale;
  }
  for (std::int64_t q = 0; q < factors.outer; ++q) {
    double core = 0, last = 0;
    for (std::int64_t i = 0; i < factors.second.cols; ++i) core += factors.second.at(q, i) * factors.second.at(q, i);
    for (std::int64_t o = 0; o < factors.last.rows; ++o) last += factors.last.at(o, q) * factors.last.at(o, q);
    if (!(core > 0) || !(last > 0)) continue;
    const double scale = std::pow(last / core, 0.25);
    for (std::int64_t i = 0; i < factors.second.cols; ++i) factors.second.at(q, i) *= scale;
    for (std::int64_t o = 0; o < factors.last.rows; ++o) factors.last.at(o, q) /= scale;
  }
}

}  // namespace pare
