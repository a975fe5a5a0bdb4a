// scores.h - what the per-sample scores of an Evaluation mean, and resampling of them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/random.h"
#include "pare/measure.h"

namespace pare {

/// Scores of one set of samples: `width` floats per sample, whose sums over the samples decide the metric:
///   top-1, top-5, agreement with width 1: share of hits;   value = sum / samples
///   mean IoU: per class intersection and union in pixels;  value = mean over classes of intersection / union
///   RMSE: squared error, number of values;                 value = sqrt(error / number)
///   agreement with width 2: squared difference, variation; value = max(0, 1 - difference / variation)
struct Scores {
  Metric metric = Metric::kTop1;
  std::int64_t width = 1;
  std::span<const float> values;
  [[nodiscard]] std::int64_t samples() const noexcept { return static_cast<std::int64_t>(values.size()) / width; }
};
[[nodiscard]] Scores scores_of(const Evaluation& evaluation);

/// The metric from the sums of the scores over `samples` samples.
[[nodiscard]] double value_from_sums(Metric metric, std::span<const double> sums, double samples);
[[nodiscard]] std::vector<double> column_sums(const Scores& scores);
[[nodiscard]] double value_of(const Scores& scores);
/// The metric with each sample left out in turn.
[[nodiscard]] std::vector<double> leave_one_out(const Scores& scores);

/// How many times to resample so that it stays within seconds, at least 300.
[[nodiscard]] int resample_count(const Scores& scores);
/// The metric of `count` samples drawn with replacement, again and again.
[[nodiscard]] std::vector<double> bootstrap(const Scores& scores, int count, Rng& rng);
/// The same samples drawn for both: other minus baseline.
[[nodiscard]] std::vector<double> paired_bootstrap(const Scores& baseline, const Scores& other, int count, Rng& rng);
/// 95 % interval of the metric by bootstrap over samples. One sample alone says nothing about others: all values that
/// the metric can have.
[[nodiscard]] Interval bootstrap_interval(const Scores& scores, std::uint64_t seed);

}  // namespace pare
