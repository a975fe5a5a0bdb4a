#include "measure/timing.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <limits>

#include "core/fail.h"
#include "measure/statistics.h"

namespace pare {
namespace {

/// One reading of the clock covers at least this much, so that the reading itself (some 30 ns) does not count.
constexpr double kMinReadingMs = 0.02;
constexpr double kStableWithin = 0.03;
constexpr std::size_t kStableBlocks = 3;
constexpr double kBusyBelow = 0.8;

/// One session being timed. A reading is one or, for very short runs, several runs between two looks at the clock; a
/// chunk is as many readings as make equal work for all subjects; a block's time is the median of its chunks. Chunks,
/// because on a busy machine runs shorter than a slice of the scheduler are mostly not interrupted and longer ones
/// always are: medians of single runs favour the faster network there. Chunks of equal work are interrupted equally
/// often.
class Subject {
 public:
  Subject(const Clocks& clocks, Session& session) : clocks_(clocks), session_(&session) { first_ms_ = time_runs(1); }

  /// Goes on with the same model in other memory; false if its session cannot be opened again.
  bool move() {
    std::unique_ptr<Session> other = session_->reopen();
    if (other == nullptr) return false;
    session_ = other.get();
    own_ = std::move(other);
    session_->run_bound();  // takes its memory, and settles what is packed once
    return true;
  }

  /// Milliseconds per run.
  double block() {
    if (runs() >= 4) session_->run_bound();  // refills the caches that the other one used
    const double work_start = clocks_.work();
    std::vector<double> chunks;
    for (std::int64_t chunk = 0; chunk < chunks_; ++chunk) {
      double total = 0;
      for (std::int64_t i = 0; i < readings_; ++i) {
        const double reading = time_runs(runs_per_reading_);
        if (keep_) kept_.push_back(reading / static_cast<double>(runs_per_reading_));
        total += reading;
      }
      chunks.push_back(total / static_cast<double>(readings_ * runs_per_reading_));
    }
    work_ms_ = (clocks_.work() - work_start) / static_cast<double>(runs());
    return wall_ms_ = median(chunks);
  }

  void warm_block() {
    (void)block();
    warm_work_.push_back(work_is_known() ? work_ms_ : wall_ms_);
  }
  [[nodiscard]] bool stable() const {
    if (warm_work_.size() < kStableBlocks + 1) return false;  // the first block had too few runs
    const auto [low, high] = std::minmax_element(warm_work_.end() - kStableBlocks, warm_work_.end());
    return *high <= *low * (1 + kStableWithin);
  }
  /// False where the work is done elsewhere, or too short for the clock.
  [[nodiscard]] bool work_is_known() const { return work_ms_ > std::max(1e-6, 0.02 * wall_ms_); }
  /// Of one run in the last block.
  [[nodiscard]] double work_ms() const { return work_ms_; }
  [[nodiscard]] double wall_ms() const { return wall_ms_; }

  void set_block(std::int64_t runs_per_chunk, std::int64_t chunks, double run_ms) {
    const auto wanted = static_cast<std::int64_t>(std::ceil(kMinReadingMs / run_ms));
    runs_per_reading_ = std::clamp<std::int64_t>(wanted, 1, runs_per_chunk);
    readings_ = std::max<std::int64_t>(1, runs_per_chunk / runs_per_reading_);
    chunks_ = chunks;
  }
  void start_keeping() { keep_ = true; }

  [[nodiscard]] Timing timing() const {
    Timing timing;
    timing.first_ms = first_ms_;
    timing.median_ms = median(kept_);
    timing.q1_ms = quantile(kept_, 0.25);
    timing.q3_ms = quantile(kept_, 0.75);
    timing.p95_ms = quantile(kept_, 0.95);
    timing.runs = static_cast<std::int64_t>(kept_.size()) * runs_per_reading_;
    return timing;
  }

 private:
  [[nodiscard]] std::int64_t runs() const { return runs_per_reading_ * readings_ * chunks_; }
  double time_runs(std::int64_t count) {
    const double start = clocks_.wall();
    for (std::int64_t i = 0; i < count; ++i) session_->run_bound();
    return std::max(clocks_.wall() - start, 1e-6);  // a clock may stand still over a short run; ratios need more than 0
  }

  const Clocks& clocks_;
  Session* session_;
  std::unique_ptr<Session> own_;  // after a move
  double first_ms_ = 0, work_ms_ = 0, wall_ms_ = 0;
  std::int64_t runs_per_reading_ = 1, readings_ = 1, chunks_ = 1;
  std::vector<double> warm_work_, kept_;
  bool keep_ = false;
};

/// How many runs of each subject are about the same work: few of the slowest, so that the others come within 10 %.
std::vector<std::int64_t> equal_work(const std::vector<double>& run_ms, double at_least_ms) {
  const double slowest = *std::max_element(run_ms.begin(), run_ms.end());
  const auto fewest = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(at_least_ms / slowest)));
  std::vector<std::int64_t> best;
  double best_mismatch = std::numeric_limits<double>::infinity();
  for (std::int64_t slow_runs = fewest; slow_runs < fewest + 5; ++slow_runs) {
    const double work = static_cast<double>(slow_runs) * slowest;
    std::vector<std::int64_t> runs;
    double mismatch = 0;
    for (const double one : run_ms) {
      runs.push_back(std::max<std::int64_t>(1, std::llround(work / one)));
      mismatch = std::max(mismatch, std::abs(static_cast<double>(runs.back()) * one / work - 1));
    }
    if (mismatch < best_mismatch) best = runs, best_mismatch = mismatch;
    if (mismatch <= 0.1) break;
  }
  return best;
}

/// Gives all subjects equally many chunks of equal work, together at least min_block_ms.
void plan_blocks(std::vector<Subject>& subjects, double min_block_ms) {
  const bool by_work =
      std::all_of(subjects.begin(), subjects.end(), [](const Subject& s) { return s.work_is_known(); });
  std::vector<double> run_ms;
  for (const Subject& subject : subjects) run_ms.push_back(by_work ? subject.work_ms() : subject.wall_ms());
  const std::vector<std::int64_t> runs = equal_work(run_ms, kMinReadingMs);
  double chunk_ms = 0;
  for (std::size_t i = 0; i < subjects.size(); ++i)
    chunk_ms = std::max(chunk_ms, static_cast<double>(runs[i]) * run_ms[i]);
  const auto chunks = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(min_block_ms / chunk_ms)));
  for (std::size_t i = 0; i < subjects.size(); ++i) subjects[i].set_block(runs[i], chunks, run_ms[i]);
}

void check_options(const BenchmarkOptions& options) {
  if (!(options.budget_s > 0) || !(options.min_block_ms >= 0) || options.min_blocks < 2)
    fail(ErrorCode::kInvalidArgument,
         "cannot time for {} s in at least {} blocks of at least {} ms\n  remedy: a budget above 0 s, at least 2 "
         "blocks, and block times of 0 ms or more",
         options.budget_s, options.min_blocks, options.min_block_ms);
}

/// Rounds of one block each until they agree, for at most a third of the budget.
void warm_up(const Clocks& clocks, std::vector<Subject>& subjects, const BenchmarkOptions& options,
             ProgressTask& task) {
  const double start = clocks.wall(), most_ms = options.budget_s * 1000 / 3;
  for (int rounds = 1;; ++rounds) {
    for (Subject& subject : subjects) subject.warm_block();
    plan_blocks(subjects, options.min_block_ms);
    task.advance(0);
    // Two rounds at least: the first had one run each and tells how many make a block.
    if (rounds >= 2 && clocks.wall() - start >= most_ms) return;
    if (std::all_of(subjects.begin(), subjects.end(), [](const Subject& subject) { return subject.stable(); })) return;
  }
}

/// Calls `round(share)` for the budget, and at least min_blocks times; `share` of the whole is done by then. It gives
/// the milliseconds that the budget does not count.
template <class Round>
void measure(const Clocks& clocks, std::vector<Subject>& subjects, const BenchmarkOptions& options,
             ProgressSink& progress, Round&& round) {
  ProgressTask task(progress, "timing", 100, "%");
  warm_up(clocks, subjects, options, task);
  for (Subject& subject : subjects) subject.start_keeping();
  const double budget_ms = options.budget_s * 1000, start = clocks.wall(), work_start = clocks.work();
  double share = 0, beside_ms = 0;
  std::int64_t blocks = 0, percent = 0;
  while (share < 1) {
    beside_ms += round(share);
    ++blocks;
    share = std::min((clocks.wall() - start - beside_ms) / budget_ms,
                     static_cast<double>(blocks) / static_cast<double>(options.min_blocks));
    const auto now = std::min<std::int64_t>(100, static_cast<std::int64_t>(100 * share));
    if (now > percent || blocks <= options.min_blocks) task.advance(percent = std::max(percent, now));
  }
  const double busy = (clocks.work() - work_start) / (clocks.wall() - start);
  if (busy < kBusyBelow)
    progress.warning(
        fmt::format("the timed network had a core for {:.0f} % of the time only, so its times are too "
                    "long: other programs use this machine",
                    100 * busy));
}

struct Estimate {
  double value = 0;
  Interval interval;
};

/// The logarithms of the ratios of all pairs of blocks, by where the two sessions lay. A session's time depends by a
/// percent or two on its memory: on which physical pages share a set of a cache. No repetition in the same place shows
/// that, so the pair moves while it is timed (Curtsinger and Berger, "Stabilizer", ASPLOS 2013, do so with code).
class Placements {
 public:
  Placements(const Clocks& clocks, const BenchmarkOptions& options)
      : clocks_(clocks),
        wanted_(static_cast<std::size_t>(std::min<std::int64_t>(kWanted, options.min_blocks))),
        most_ms_(options.budget_s * 1000) {}

  /// Moves the subjects when it is time to; the milliseconds that this took.
  double move(std::vector<Subject>& subjects, double share) {
    const bool dear = by_place_.size() >= kEnough && moving_ms_ > most_ms_;
    if (!can_move_ || dear || share * static_cast<double>(wanted_) < static_cast<double>(by_place_.size())) return 0;
    const double start = clocks_.wall();
    for (Subject& subject : subjects) can_move_ = can_move_ && subject.move();
    if (can_move_) by_place_.emplace_back();
    const double took = clocks_.wall() - start;
    moving_ms_ += took;
    return took;
  }

  void add(double log_ratio) { by_place_.back().push_back(log_ratio); }

  /// The mean over places of the median over blocks; its interval is Student's over places.
  [[nodiscard]] Estimate estimate(Rng& rng) const {
    if (by_place_.size() < kEnough) {
      std::vector<double> all;
      for (const std::vector<double>& place : by_place_) all.insert(all.end(), place.begin(), place.end());
      return {median(all), median_interval(all, rng)};
    }
    const auto count = static_cast<double>(by_place_.size());
    std::vector<double> medians;
    double mean = 0, squares = 0;
    for (const std::vector<double>& place : by_place_) medians.push_back(median(place));
    for (const double one : medians) mean += one / count;
    for (const double one : medians) squares += (one - mean) * (one - mean);
    const double half = student_quantile(0.975, count - 1) * std::sqrt(squares / (count - 1) / count);
    return {mean, {mean - half, mean + half}};
  }

 private:
  static constexpr std::int64_t kWanted = 6;
  static constexpr std::size_t kEnough = 3;  // if opening the models takes longer than timing them

  const Clocks& clocks_;
  std::size_t wanted_;
  double most_ms_, moving_ms_ = 0;
  bool can_move_ = true;
  std::vector<std::vector<double>> by_place_ = {{}};
};

}  // namespace

Clocks system_clocks() {
  const auto wall = [] {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
  };
  const auto work = [] {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
  };
  return {wall, work};
}

Timing benchmark_with(const Clocks& clocks, Session& session, const BenchmarkOptions& options, ProgressSink& progress) {
  check_options(options);
  std::vector<Subject> subjects;
  subjects.emplace_back(clocks, session);
  measure(clocks, subjects, options, progress, [&](double) {
    (void)subjects[0].block();
    return 0.0;
  });
  return subjects[0].timing();
}

Verdict judge(Interval interval) noexcept {
  if (interval.low >= 1.01) return Verdict::kFaster;
  if (interval.high <= 0.99) return Verdict::kSlower;
  return Verdict::kNoDifference;
}

SpeedComparison compare_speed_with(const Clocks& clocks, Session& baseline, Session& other,
                                   const BenchmarkOptions& options, ProgressSink& progress) {
  check_options(options);
  Rng rng(options.seed);
  std::vector<Subject> subjects;
  subjects.emplace_back(clocks, baseline);
  subjects.emplace_back(clocks, other);
  Placements placements(clocks, options);
  std::int64_t pairs = 0;
  bool baseline_first = false;
  measure(clocks, subjects, options, progress, [&](double share) {
    const double moving_ms = placements.move(subjects, share);
    // Every second pair turns the order of the one before it round, so that a steady drift cancels.
    baseline_first = pairs++ % 2 == 0 ? rng.below(2) == 0 : !baseline_first;
    const double first = subjects[baseline_first ? 0 : 1].block(), second = subjects[baseline_first ? 1 : 0].block();
    placements.add(baseline_first ? std::log(first / second) : std::log(second / first));
    return moving_ms;
  });
  SpeedComparison comparison;
  comparison.baseline = subjects[0].timing();
  comparison.other = subjects[1].timing();
  const Estimate log_ratio = placements.estimate(rng);
  comparison.ratio = std::exp(log_ratio.value);
  comparison.interval = {std::exp(log_ratio.interval.low), std::exp(log_ratio.interval.high)};
  comparison.verdict = judge(comparison.interval);
  return comparison;
}

Timing benchmark(Session& session, const BenchmarkOptions& options, ProgressSink& progress) {
  return benchmark_with(system_clocks(), session, options, progress);
}

SpeedComparison compare_speed(Session& baseline, Session& other, const BenchmarkOptions& options,
                              ProgressSink& progress) {
  return compare_speed_with(system_clocks(), baseline, other, options, progress);
}

}  // namespace pare
