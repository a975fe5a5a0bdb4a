#include "measure/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pare {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kZ95 = 1.9599639845400545;  // normal_quantile(0.975)

/// Takes the values in any order and reorders them.
double quantile_in_place(std::vector<double>& values, double probability) {
  if (values.empty()) return kNaN;
  const double position = std::clamp(probability, 0.0, 1.0) * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::ptrdiff_t>(position);
  std::nth_element(values.begin(), values.begin() + below, values.end());
  const double low = values[static_cast<std::size_t>(below)];
  const double share = position - static_cast<double>(below);
  if (share == 0) return low;
  return low + share * (*std::min_element(values.begin() + below + 1, values.end()) - low);
}

/// Continued fraction of the regularized incomplete beta function (Lentz's method).
double beta_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  double c = 1, d = 1 - (a + b) * x / (a + 1);
  d = 1 / (std::abs(d) < kTiny ? kTiny : d);
  double result = d;
  for (int m = 1; m <= 1000; ++m) {
    for (const double term : {m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                              -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))}) {
      d = 1 + term * d;
      c = 1 + term / c;
      d = 1 / (std::abs(d) < kTiny ? kTiny : d);
      if (std::abs(c) < kTiny) c = kTiny;
      result *= d * c;
    }
    if (std::abs(d * c - 1) < 1e-15) break;
  }
  return result;
}

double incomplete_beta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
  return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

}  // namespace

double quantile(std::span<const double> values, double probability) {
  std::vector<double> copy(values.begin(), values.end());
  return quantile_in_place(copy, probability);
}
double median(std::span<const double> values) { return quantile(values, 0.5); }

double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

double normal_quantile(double probability) {
  if (probability <= 0) return -std::numeric_limits<double>::infinity();
  if (probability >= 1) return std::numeric_limits<double>::infinity();
  if (probability > 0.5) return -normal_quantile(1 - probability);
  // Start from the tail's leading term, then Newton on the logarithm, which is concave and so converges from anywhere.
  double x = -std::sqrt(-2 * std::log(2 * probability));
  for (int step = 0; step < 60; ++step) {
    const double below = normal_cdf(x);
    const double density = std::exp(-0.5 * x * x) / std::sqrt(2 * M_PI);
    const double move = (std::log(below) - std::log(probability)) * below / density;
    x -= move;
    if (std::abs(move) <= 1e-14 * std::max(1.0, std::abs(x))) break;
  }
  return x;
}

double student_cdf(double t, double freedom) {
  const double tail = 0.5 * incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t));
  return t > 0 ? 1 - tail : tail;
}

double student_quantile(double probability, double freedom) {
  if (probability > 0.5) return -student_quantile(1 - probability, freedom);
  if (probability <= 0) return -std::numeric_limits<double>::infinity();
  double low = -1, high = 0;
  while (student_cdf(low, freedom) > probability) low *= 2;
  for (int step = 0; step < 200 && high - low > 1e-14 * std::abs(low); ++step) {
    const double middle = 0.5 * (low + high);
    (student_cdf(middle, freedom) > probability ? high : low) = middle;
  }
  return 0.5 * (low + high);
}

Interval wilson_interval(std::int64_t hits, std::int64_t tries) {
  if (tries <= 0) return {0, 1};
  const double n = static_cast<double>(tries), p = static_cast<double>(hits) / n, z2 = kZ95 * kZ95;
  const double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kZ95 / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  return {hits == 0 ? 0 : std::max(0.0, centre - half), hits == tries ? 1 : std::min(1.0, centre + half)};
}

double fair_coin_p(std::int64_t successes, std::int64_t tries) {
  const std::int64_t smaller = std::min(successes, tries - successes);
  const double n = static_cast<double>(tries);
  double sum = 0;
  for (std::int64_t k = 0; k <= smaller; ++k) {
    const double x = static_cast<double>(k);
    sum += std::exp(std::lgamma(n + 1) - std::lgamma(x + 1) - std::lgamma(n - x + 1) - n * std::log(2.0));
  }
  return std::min(1.0, 2 * sum);
}

double mcnemar_p(std::int64_t only_first, std::int64_t only_second) {
  const std::int64_t discordant = only_first + only_second;
  if (discordant < 25) return fair_coin_p(only_first, discordant);
  const double excess = std::max(0.0, std::abs(static_cast<double>(only_first - only_second)) - 1);
  return std::erfc(std::sqrt(excess * excess / static_cast<double>(discordant) / 2));
}

Interval paired_share_interval(std::int64_t only_first, std::int64_t only_second, std::int64_t pairs,
                               double* variance) {
  const double n = static_cast<double>(pairs) + 2;
  const double lost = (static_cast<double>(only_first) + 1) / n, won = (static_cast<double>(only_second) + 1) / n;
  const double spread = lost + won - (lost - won) * (lost - won);
  if (variance != nullptr) *variance = spread;
  const double half = kZ95 * std::sqrt(spread / n);
  return {std::max(-1.0, won - lost - half), std::min(1.0, won - lost + half)};
}

Interval percentile_interval(std::vector<double> replicates, std::int64_t samples) {
  std::erase_if(replicates, [](double value) { return std::isnan(value); });
  if (replicates.empty() || samples < 2) return {kNaN, kNaN};
  const double n = static_cast<double>(samples);
  const double tail = normal_cdf(std::sqrt(n / (n - 1)) * student_quantile(0.025, n - 1));
  return {quantile_in_place(replicates, tail), quantile_in_place(replicates, 1 - tail)};
}

double bootstrap_p(std::span<const double> replicates) {
  std::int64_t below = 0, above = 0, count = 0;
  for (const double value : replicates) {
    if (std::isnan(value)) continue;
    ++count;
    below += value <= 0;
    above += value >= 0;
  }
  if (count == 0) return 1;
  return std::min(1.0, 2 * static_cast<double>(std::min(below, above) + 1) / static_cast<double>(count + 1));
}

double variance_inflation(std::span<const double> series) {
  const std::size_t n = series.size();
  if (n < 8) return 1;
  // The median depends on the signs of the deviations alone, and so does its dependence on neighbours.
  const double middle = median(series);
  std::vector<double> signs(n);
  double mean = 0;
  for (std::size_t i = 0; i < n; ++i) mean += signs[i] = (series[i] > middle) - (series[i] < middle);
  mean /= static_cast<double>(n);
  double variance = 0;
  for (double& sign : signs) sign -= mean, variance += sign * sign;
  if (variance == 0) return 1;
  const auto lags = std::max<std::size_t>(1, static_cast<std::size_t>(std::sqrt(static_cast<double>(n))));
  double first = 0, window = 0;
  for (std::size_t lag = 1; lag <= lags; ++lag) {
    double product = 0;
    for (std::size_t i = lag; i < n; ++i) product += signs[i] * signs[i - lag];
    // A series about its own centre shows too small a correlation, by (1 + 4 r) / n at the first lag.
    const double raw = product / variance, correlation = raw + (1 + 4 * std::max(0.0, raw)) / static_cast<double>(n);
    if (lag == 1) first = correlation;
    window += (1 - static_cast<double>(lag) / static_cast<double>(lags + 1)) * correlation;
  }
  // Two estimates of the long-run variance, the larger: a window over the lags, and the model that each deviation is a
  // share phi of the one before plus something new. For normal deviations correlated by r their signs are correlated by
  // 2 / pi * asin(r).
  const double phi = std::sin(M_PI / 2 * std::clamp(first, 0.0, 0.75));
  double model = 0;
  for (double power = phi; power > 1e-4; power *= phi) model += 2 / M_PI * std::asin(power);
  return 1 + 2 * std::max({0.0, window, model});
}

namespace {

/// Medians of samples drawn from sorted values with replacement, by counting how often each is drawn.
std::vector<double> bootstrap_medians(const std::vector<double>& sorted, Rng& rng, int resamples) {
  const auto n = static_cast<std::int64_t>(sorted.size());
  std::vector<double> medians(static_cast<std::size_t>(resamples));
  std::vector<std::int64_t> times(sorted.size());
  for (double& value : medians) {
    std::fill(times.begin(), times.end(), 0);
    for (std::int64_t draw = 0; draw < n; ++draw) ++times[static_cast<std::size_t>(rng.below(n))];
    const auto at_rank = [&](std::int64_t rank) {
      std::size_t index = 0;
      for (std::int64_t seen = times[0]; seen <= rank; seen += times[++index]) {
      }
      return sorted[index];
    };
    value = n % 2 == 1 ? at_rank(n / 2) : 0.5 * (at_rank(n / 2 - 1) + at_rank(n / 2));
  }
  return medians;
}

}  // namespace

Interval median_interval(std::span<const double> series, Rng& rng, int resamples) {
  const double n = static_cast<double>(series.size());
  if (n < 2) return {kNaN, kNaN};
  std::vector<double> sorted(series.begin(), series.end());
  std::sort(sorted.begin(), sorted.end());
  const Interval plain =
      percentile_interval(bootstrap_medians(sorted, rng, resamples), static_cast<std::int64_t>(series.size()));
  // n dependent values tell as much as n / inflation independent ones; fewer values also tell less of their spread.
  const double inflation = variance_inflation(series), worth = std::max(3.0, n / inflation);
  const double stretch =
      inflation == 1 ? 1 : std::sqrt(inflation) * student_quantile(0.975, worth - 1) / student_quantile(0.975, n - 1);
  const double centre = median(series);
  return {centre - stretch * (centre - plain.low), centre + stretch * (plain.high - centre)};
}

}  // namespace pare
