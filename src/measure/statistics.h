// statistics.h - quantiles, intervals and tests for evaluate, compare and compare_speed.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/random.h"
#include "pare/measure.h"

namespace pare {

/// Linear interpolation between order statistics (type 7, as in R and NumPy); NaN when there are no values.
[[nodiscard]] double quantile(std::span<const double> values, double probability);
[[nodiscard]] double median(std::span<const double> values);

[[nodiscard]] double normal_cdf(double x);
/// Inverse of normal_cdf; -infinity at 0, infinity at 1.
[[nodiscard]] double normal_quantile(double probability);
/// Student's t with `freedom` > 0 degrees of freedom.
[[nodiscard]] double student_cdf(double t, double freedom);
[[nodiscard]] double student_quantile(double probability, double freedom);

/// 95 % interval of a share, Wilson's score method; [0, 1] when nothing was tried.
[[nodiscard]] Interval wilson_interval(std::int64_t hits, std::int64_t tries);

/// Two-sided p of `successes` in `tries` fair coin throws, exact.
[[nodiscard]] double fair_coin_p(std::int64_t successes, std::int64_t tries);
/// McNemar's test from the discordant pairs: exact below 25 of them, else chi-square with continuity correction.
[[nodiscard]] double mcnemar_p(std::int64_t only_first, std::int64_t only_second);
/// 95 % interval of (only_second - only_first) / pairs for paired shares: Wald's with one more discordant pair of each
/// kind (Bonett and Price 2012), which keeps a width when no pair is discordant. `*variance` gets the variance of one
/// pair that it uses.
[[nodiscard]] Interval paired_share_interval(std::int64_t only_first, std::int64_t only_second, std::int64_t pairs,
                                             double* variance = nullptr);

/// 95 % interval from bootstrap replicates of a statistic of `samples` samples. The percentiles are taken further out
/// than 2.5 % for few samples, by Student's t (Hesterberg's expanded percentile interval): the plain ones are too
/// narrow there. Replicates that are NaN are left out.
[[nodiscard]] Interval percentile_interval(std::vector<double> replicates, std::int64_t samples);
/// Two-sided bootstrap p of "the statistic is 0".
[[nodiscard]] double bootstrap_p(std::span<const double> replicates);

/// By how much (at least 1) dependence between neighbours multiplies the variance of a series' median.
[[nodiscard]] double variance_inflation(std::span<const double> series);
/// 95 % interval of the median of a series in time: bootstrap, widened for dependence between neighbours.
[[nodiscard]] Interval median_interval(std::span<const double> series, Rng& rng, int resamples = 2000);

}  // namespace pare
