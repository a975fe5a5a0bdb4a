#include "measure/timing.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/fail.h"
#include "measure/statistics.h"

namespace pare {
namespace {

/// One reading of the clock covers at least this much, so that the reading itself (some 30 ns) does not count.
constexpr double kMinSampleMs = 0.02;
constexpr double kStableWithin = 0.03;
constexpr std::size_t kStableBlocks = 3;

/// One session being timed. A sample is one or, for very short runs, several runs between two readings of the clock; a
/// block is as many samples as last min_block_ms. A block's time is the median of its samples: the scheduler's
/// interruptions hit single runs.
class Subject {
 public:
  Subject(const Clock& clock, Session& session, double min_block_ms)
      : clock_(clock), session_(session), min_block_ms_(min_block_ms) {
    first_ms_ = time_runs(1);
  }

  /// Milliseconds per run; the number of runs follows what was seen before.
  double block() {
    if (runs_per_sample_ * samples_per_block_ >= 4) session_.run_bound();  // refills the caches that the other one used
    std::vector<double> samples;
    for (std::int64_t i = 0; i < samples_per_block_; ++i)
      samples.push_back(time_runs(runs_per_sample_) / static_cast<double>(runs_per_sample_));
    if (keep_) samples_.insert(samples_.end(), samples.begin(), samples.end());
    return median(samples);
  }

  void warm_block() {
    const double per_run = block();
    warm_blocks_.push_back(per_run);
    runs_per_sample_ = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(kMinSampleMs / per_run)));
    const double sample_ms = per_run * static_cast<double>(runs_per_sample_);
    samples_per_block_ = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(min_block_ms_ / sample_ms)));
  }
  [[nodiscard]] bool stable() const {
    if (warm_blocks_.size() < kStableBlocks + 1) return false;  // the first block had too few runs
    const auto [low, high] = std::minmax_element(warm_blocks_.end() - kStableBlocks, warm_blocks_.end());
    return *high <= *low * (1 + kStableWithin);
  }
  void start_keeping() { keep_ = true; }

  [[nodiscard]] Timing timing() const {
    Timing timing;
    timing.first_ms = first_ms_;
    timing.median_ms = median(samples_);
    timing.q1_ms = quantile(samples_, 0.25);
    timing.q3_ms = quantile(samples_, 0.75);
    timing.p95_ms = quantile(samples_, 0.95);
    timing.runs = static_cast<std::int64_t>(samples_.size()) * runs_per_sample_;
    return timing;
  }

 private:
  double time_runs(std::int64_t runs) {
    const double start = clock_();
    for (std::int64_t i = 0; i < runs; ++i) session_.run_bound();
    return std::max(clock_() - start, 1e-6);  // a clock may stand still over a very short run; ratios need more than 0
  }

  const Clock& clock_;
  Session& session_;
  double min_block_ms_;
  double first_ms_ = 0;
  std::int64_t runs_per_sample_ = 1, samples_per_block_ = 1;
  std::vector<double> warm_blocks_, samples_;
  bool keep_ = false;
};

void check_options(const BenchmarkOptions& options) {
  if (!(options.budget_s > 0) || !(options.min_block_ms >= 0) || options.min_blocks < 2)
    fail(ErrorCode::kInvalidArgument,
         "cannot time for {} s in at least {} blocks of at least {} ms\n  remedy: a budget above 0 s, at least 2 "
         "blocks, and block times of 0 ms or more",
         options.budget_s, options.min_blocks, options.min_block_ms);
}

/// Measures for the budget, and at least min_blocks times, after a warm-up of at most a third of the budget.
template <class Round>
void measure(const Clock& clock, std::vector<Subject>& subjects, const BenchmarkOptions& options,
             ProgressSink& progress, Round&& round) {
  ProgressTask task(progress, "timing", 100, "%");
  const double budget_ms = options.budget_s * 1000, warm_start = clock();
  const auto all_stable = [&] {
    return std::all_of(subjects.begin(), subjects.end(), [](const Subject& subject) { return subject.stable(); });
  };
  // Two rounds at least: the first tells how many runs make a block.
  for (int rounds = 0; rounds < 2 || (!all_stable() && clock() - warm_start < budget_ms / 3); ++rounds) {
    for (Subject& subject : subjects) subject.warm_block();
    task.advance(0);
    if (rounds >= 1 && clock() - warm_start >= budget_ms / 3) break;
  }
  for (Subject& subject : subjects) subject.start_keeping();
  const double start = clock();
  std::int64_t blocks = 0, percent = 0;
  while (blocks < options.min_blocks || clock() - start < budget_ms) {
    round();
    ++blocks;
    const double share =
        std::min((clock() - start) / budget_ms, static_cast<double>(blocks) / static_cast<double>(options.min_blocks));
    const auto now = std::min<std::int64_t>(100, static_cast<std::int64_t>(100 * share));
    if (now > percent || options.min_blocks >= blocks) task.advance(percent = std::max(percent, now));
  }
}

}  // namespace

Clock steady_clock_ms() {
  return [] {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
  };
}

Timing benchmark_with(const Clock& clock, Session& session, const BenchmarkOptions& options, ProgressSink& progress) {
  check_options(options);
  std::vector<Subject> subjects;
  subjects.emplace_back(clock, session, options.min_block_ms);
  measure(clock, subjects, options, progress, [&] { (void)subjects[0].block(); });
  return subjects[0].timing();
}

Verdict judge(double ratio, Interval interval) noexcept {
  if (interval.low > 1 && ratio >= 1.01) return Verdict::kFaster;
  if (interval.high < 1 && ratio <= 0.99) return Verdict::kSlower;
  return Verdict::kNoDifference;
}

SpeedComparison compare_speed_with(const Clock& clock, Session& baseline, Session& other,
                                   const BenchmarkOptions& options, ProgressSink& progress) {
  check_options(options);
  Rng rng(options.seed);
  std::vector<Subject> subjects;
  subjects.emplace_back(clock, baseline, options.min_block_ms);
  subjects.emplace_back(clock, other, options.min_block_ms);
  std::vector<double> log_ratios;
  bool baseline_first = false;
  measure(clock, subjects, options, progress, [&] {
    // Every second pair turns the order of the one before it round, so that a steady drift cancels.
    baseline_first = log_ratios.size() % 2 == 0 ? rng.below(2) == 0 : !baseline_first;
    const double first = subjects[baseline_first ? 0 : 1].block(), second = subjects[baseline_first ? 1 : 0].block();
    log_ratios.push_back(baseline_first ? std::log(first / second) : std::log(second / first));
  });
  SpeedComparison comparison;
  comparison.baseline = subjects[0].timing();
  comparison.other = subjects[1].timing();
  comparison.ratio = std::exp(median(log_ratios));
  const Interval interval = median_interval(log_ratios, rng);
  comparison.interval = {std::exp(interval.low), std::exp(interval.high)};
  comparison.verdict = judge(comparison.ratio, comparison.interval);
  return comparison;
}

Timing benchmark(Session& session, const BenchmarkOptions& options, ProgressSink& progress) {
  return benchmark_with(steady_clock_ms(), session, options, progress);
}

SpeedComparison compare_speed(Session& baseline, Session& other, const BenchmarkOptions& options,
                              ProgressSink& progress) {
  return compare_speed_with(steady_clock_ms(), baseline, other, options, progress);
}

}  // namespace pare
