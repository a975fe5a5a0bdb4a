// With L <= M the sizes, alpha = L / M, g the singular values and x = g^2 / (M v):
//   t0 = 2.5129 sqrt(alpha), x0 = (1 + t0)(1 + alpha / t0): what is below x0 is noise,
//   t(x) = (x - (1 + alpha) + sqrt((x - (1 + alpha))^2 - 4 alpha)) / 2,
//   v minimises the sum over x <= x0 of x - ln x, over x > x0 of x - t + ln((t + 1) / x) + alpha ln(t / alpha + 1).
#include "factorize/evbmf.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "fit/spectrum.h"

namespace pare {
namespace {

constexpr int kGrid = 400, kRefinements = 60;
constexpr double kRounding = 1e-13;  ///< squares below that share of the largest one are rounding

struct Problem {
  std::vector<double> squares;  ///< of the singular values, descending
  double longer = 0, alpha = 0, least = 0;

  [[nodiscard]] double energy(double variance) const {
    double sum = 0;
    for (const double square : squares) {
      const double x = square / (longer * variance);
      if (x <= least) {
        sum += x - std::log(x);
        continue;
      }
      const double rest = x - (1 + alpha), t = (rest + std::sqrt(std::max(0.0, rest * rest - 4 * alpha))) / 2;
      sum += x - t + std::log((t + 1) / x) + alpha * std::log(t / alpha + 1);
    }
    return sum;
  }
};

/// A grid in the logarithm, since there are several minima, then the golden section around the best.
double best_variance(const Problem& problem, double low, double high) {
  const double from = std::log(low), step = (std::log(high) - from) / kGrid;
  int best = 0;
  double least = problem.energy(low);
  for (int i = 1; i <= kGrid; ++i)
    if (const double now = problem.energy(std::exp(from + i * step)); now < least) {
      least = now;
      best = i;
    }
  double a = from + std::max(0, best - 1) * step, b = from + std::min(kGrid, best + 1) * step;
  const double golden = (std::sqrt(5.0) - 1) / 2;
  for (int i = 0; i < kRefinements; ++i) {
    const double left = b - golden * (b - a), right = a + golden * (b - a);
    if (problem.energy(std::exp(left)) < problem.energy(std::exp(right)))
      b = right;
    else
      a = left;
  }
  return std::exp((a + b) / 2);
}

}  // namespace

EvbmfRank evbmf_rank(const Matrix& a) {
  const Spectrum spectrum =
      symmetric_spectrum(a.rows <= a.cols ? multiply_transposed(a, a) : multiply(transposed(a), a));
  const auto count = static_cast<std::int64_t>(spectrum.values.size());
  if (count == 0 || !(spectrum.values[0] > 0)) return {};
  Problem problem;
  double total = 0;
  for (const double value : spectrum.values) {
    problem.squares.push_back(std::max(value, kRounding * spectrum.values[0]));
    total += problem.squares.back();
  }
  const auto shorter = static_cast<double>(count);
  problem.longer = static_cast<double>(std::max(a.rows, a.cols));
  problem.alpha = shorter / problem.longer;
  const double t0 = 2.5129 * std::sqrt(problem.alpha);
  problem.least = (1 + t0) * (1 + problem.alpha / t0);
  // At most so many are more than noise; what is behind them bounds the variance from below.
  const auto most = static_cast<std::int64_t>(std::ceil(shorter / (1 + problem.alpha))) - 1;
  const auto first = static_cast<std::size_t>(std::clamp<std::int64_t>(most, 0, count - 1));
  double behind = 0;
  for (std::size_t i = first; i < problem.squares.size(); ++i) behind += problem.squares[i];
  behind /= static_cast<double>(problem.squares.size() - first);
  const double high = total / (shorter * problem.longer);
  const double low =
      std::min(high, std::max(problem.squares[first] / (problem.longer * problem.least), behind / problem.longer));
  EvbmfRank result;
  result.noise_variance = best_variance(problem, low, high);
  const double v = result.noise_variance;
  for (const double square : problem.squares) result.rank += square > problem.longer * v * problem.least ? 1 : 0;
  return result;
}

}  // namespace pare
