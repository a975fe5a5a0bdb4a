#include "measure/scores.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "measure/statistics.h"

namespace pare {
namespace {

void add_sample(const Scores& scores, std::int64_t sample, std::vector<double>& sums) {
  const float* row = scores.values.data() + sample * scores.width;
  for (std::size_t column = 0; column < sums.size(); ++column) sums[column] += row[column];
}

}  // namespace

Scores scores_of(const Evaluation& evaluation) {
  return {evaluation.metric, evaluation.score_width, evaluation.scores};
}

double value_from_sums(Metric metric, std::span<const double> sums, double samples) {
  if (metric == Metric::kMeanIou) {
    double total = 0;
    int present = 0;
    for (std::size_t column = 0; column + 1 < sums.size(); column += 2) {
      if (sums[column + 1] <= 0) continue;
      total += sums[column] / sums[column + 1];
      ++present;
    }
    return present == 0 ? std::numeric_limits<double>::quiet_NaN() : total / present;
  }
  if (metric == Metric::kRmse) return std::sqrt(sums[0] / sums[1]);
  if (sums.size() == 1) return sums[0] / samples;
  if (sums[1] > 0) return std::max(0.0, 1 - sums[0] / sums[1]);
  return sums[0] > 0 ? 0 : 1;
}

std::vector<double> column_sums(const Scores& scores) {
  std::vector<double> sums(static_cast<std::size_t>(scores.width), 0.0);
  for (std::int64_t sample = 0; sample < scores.samples(); ++sample) add_sample(scores, sample, sums);
  return sums;
}

double value_of(const Scores& scores) {
  return value_from_sums(scores.metric, column_sums(scores), static_cast<double>(scores.samples()));
}

std::vector<double> leave_one_out(const Scores& scores) {
  const std::vector<double> sums = column_sums(scores);
  std::vector<double> values, rest(sums.size());
  for (std::int64_t sample = 0; sample < scores.samples(); ++sample) {
    const float* row = scores.values.data() + sample * scores.width;
    for (std::size_t column = 0; column < sums.size(); ++column) rest[column] = sums[column] - row[column];
    values.push_back(value_from_sums(scores.metric, rest, static_cast<double>(scores.samples() - 1)));
  }
  return values;
}

int resample_count(const Scores& scores) {
  const double work = std::max<double>(1, static_cast<double>(scores.values.size()));
  return static_cast<int>(std::clamp(1.5e9 / work, 300.0, 2000.0));
}

std::vector<double> bootstrap(const Scores& scores, int count, Rng& rng) {
  const std::int64_t samples = scores.samples();
  std::vector<double> replicates(static_cast<std::size_t>(count)), sums(static_cast<std::size_t>(scores.width));
  for (double& replicate : replicates) {
    std::fill(sums.begin(), sums.end(), 0.0);
    for (std::int64_t draw = 0; draw < samples; ++draw) add_sample(scores, rng.below(samples), sums);
    replicate = value_from_sums(scores.metric, sums, static_cast<double>(samples));
  }
  return replicates;
}

std::vector<double> paired_bootstrap(const Scores& baseline, const Scores& other, int count, Rng& rng) {
  const std::int64_t samples = baseline.samples();
  const double n = static_cast<double>(samples);
  std::vector<double> replicates(static_cast<std::size_t>(count));
  std::vector<double> first(static_cast<std::size_t>(baseline.width)), second(static_cast<std::size_t>(other.width));
  for (double& replicate : replicates) {
    std::fill(first.begin(), first.end(), 0.0);
    std::fill(second.begin(), second.end(), 0.0);
    for (std::int64_t draw = 0; draw < samples; ++draw) {
      const std::int64_t sample = rng.below(samples);
      add_sample(baseline, sample, first);
      add_sample(other, sample, second);
    }
    replicate = value_from_sums(other.metric, second, n) - value_from_sums(baseline.metric, first, n);
  }
  return replicates;
}

Interval bootstrap_interval(const Scores& scores, std::uint64_t seed) {
  if (scores.samples() < 2) return {0, scores.metric == Metric::kRmse ? std::numeric_limits<double>::infinity() : 1.0};
  Rng rng(seed);
  return percentile_interval(bootstrap(scores, resample_count(scores), rng), scores.samples());
}

}  // namespace pare
