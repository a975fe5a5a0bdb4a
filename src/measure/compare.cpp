// The paired test: two evaluations of the same samples.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/fail.h"
#include "core/words.h"
#include "measure/scores.h"
#include "measure/statistics.h"

namespace pare {
namespace {

void check_pairs(const Evaluation& baseline, const Evaluation& other) {
  if (baseline.metric != other.metric)
    fail(ErrorCode::kInvalidArgument, "cannot compare {} with {}\n  remedy: evaluate both models on the same data",
         metric_name(baseline.metric), metric_name(other.metric));
  if (baseline.samples != other.samples)
    fail(ErrorCode::kInvalidArgument,
         "cannot compare {} samples with {}\n  remedy: evaluate both models on the same samples",
         with_commas(baseline.samples), with_commas(other.samples));
  if (baseline.score_width != other.score_width || baseline.scores.size() != other.scores.size())
    fail(ErrorCode::kInvalidArgument,
         "cannot compare: {} scores per sample in one evaluation, {} in the other\n  remedy: evaluate both models on "
         "the same data",
         baseline.score_width, other.score_width);
  if (static_cast<std::int64_t>(baseline.scores.size()) != baseline.samples * baseline.score_width)
    fail(ErrorCode::kInvalidArgument, "cannot compare: {} scores for {} samples of width {}", baseline.scores.size(),
         baseline.samples, baseline.score_width);
  if (baseline.samples == 0) fail(ErrorCode::kInvalidArgument, "cannot compare: no samples");
  if (baseline.metric != Metric::kRmse) return;
  for (std::size_t i = 1; i < baseline.scores.size(); i += 2)
    if (baseline.scores[i] != other.scores[i])
      fail(ErrorCode::kInvalidArgument,
           "cannot compare: sample {} has {} target values in one evaluation, {} in the other\n  remedy: evaluate both "
           "models on the same samples",
           i / 2, baseline.scores[i], other.scores[i]);
}

bool all_hits(const Evaluation& evaluation) {
  return evaluation.score_width == 1 && std::all_of(evaluation.scores.begin(), evaluation.scores.end(),
                                                    [](float score) { return score == 0 || score == 1; });
}

PairedTest mcnemar(const Evaluation& baseline, const Evaluation& other) {
  std::int64_t lost = 0, won = 0;
  for (std::size_t i = 0; i < baseline.scores.size(); ++i) {
    lost += baseline.scores[i] > other.scores[i];
    won += baseline.scores[i] < other.scores[i];
  }
  PairedTest test;
  test.samples = baseline.samples;
  test.difference = static_cast<double>(won - lost) / static_cast<double>(test.samples);
  test.interval = paired_share_interval(lost, won, test.samples, &test.variance_per_sample);
  test.p_value = mcnemar_p(lost, won);
  test.method = fmt::format("McNemar, {} samples", with_commas(test.samples));
  return test;
}

/// Variance of the difference times the number of samples, by the jackknife.
double jackknife_variance(const Scores& baseline, const Scores& other) {
  const std::vector<double> first = leave_one_out(baseline), second = leave_one_out(other);
  double mean = 0, spread = 0;
  const double n = static_cast<double>(first.size());
  for (std::size_t i = 0; i < first.size(); ++i) mean += (second[i] - first[i]) / n;
  for (std::size_t i = 0; i < first.size(); ++i) spread += std::pow(second[i] - first[i] - mean, 2);
  return spread * (n - 1);
}

}  // namespace

PairedTest compare(const Evaluation& baseline, const Evaluation& other, std::uint64_t seed) {
  check_pairs(baseline, other);
  if (all_hits(baseline) && all_hits(other)) return mcnemar(baseline, other);
  const Scores first = scores_of(baseline), second = scores_of(other);
  PairedTest test;
  test.samples = baseline.samples;
  test.difference = value_of(second) - value_of(first);
  test.method = fmt::format("paired bootstrap, {} samples", with_commas(test.samples));
  if (test.samples < 2) {
    const double widest = baseline.metric == Metric::kRmse ? std::numeric_limits<double>::infinity() : 1;
    test.interval = {-widest, widest};
    return test;
  }
  Rng rng(seed);
  const std::vector<double> replicates = paired_bootstrap(first, second, resample_count(first), rng);
  test.p_value = bootstrap_p(replicates);
  test.interval = percentile_interval(replicates, test.samples);
  test.variance_per_sample = jackknife_variance(first, second);
  return test;
}

std::int64_t PairedTest::samples_for(double half_width) const {
  if (!(half_width > 0))
    fail(ErrorCode::kInvalidArgument, "the half width of an interval must be above 0, not {}", half_width);
  const double z = normal_quantile(0.975);
  const double needed = std::ceil(z * z * variance_per_sample / (half_width * half_width));
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::min(needed, 9e18)));
}

}  // namespace pare
