// pare/measure.h - accuracy with intervals, paired comparison, and honest timing.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "pare/dataset.h"
#include "pare/progress.h"
#include "pare/session.h"

namespace pare {

struct Interval {
  double low = 0, high = 0;
};

// --- Accuracy
// -----------------------------------------------------------------------------------------------------------------

enum class Metric { kTop1, kTop5, kMeanIou, kRmse, kAgreement };
/// "top-1", "mean IoU", "RMSE", "agreement".
[[nodiscard]] std::string_view metric_name(Metric metric) noexcept;
/// False for RMSE.
[[nodiscard]] bool higher_is_better(Metric metric) noexcept;

/// Regression errors over all values that have a target.
struct RegressionError {
  double rmse = 0, mae = 0, bias = 0, r2 = 0;  ///< r2 is NaN when all targets are equal
  std::int64_t distinct_outputs = 0;  ///< distinct output values seen (at most 65,536 counted): banding shows here
};

/// Agreement of a model's outputs with a reference model's, without labels. Its metric is 1 - argmax_flips; outputs
/// without classes (regression; one number per sample or pixel of an unlabelled dataset) have the share of the
/// reference's variance that is reproduced instead, and no flips.
struct Agreement {
  double argmax_flips = 0;  ///< share of samples (or pixels) whose argmax differs
  double cosine = 0;        ///< mean over samples
  double psnr_db = 0;       ///< against the reference's peak to peak; infinite if nothing differs
  double max_abs = 0;
  std::int64_t worst_sample = -1;  ///< where max_abs is; -1 if nothing differs
};

struct Evaluation {
  Metric metric = Metric::kTop1;
  double value = 0;   ///< share in [0, 1] for top-1, top-5, IoU, agreement; data units for RMSE
  Interval interval;  ///< 95 %: Wilson for shares of samples, bootstrap over samples otherwise
  std::int64_t samples = 0;
  double top5 = -1;  ///< classification with more than five classes, else -1
  std::vector<double>
      per_class;               ///< segmentation: IoU by class, NaN where the class occurs neither in target nor output
  RegressionError regression;  ///< regression only
  Agreement agreement;         ///< kAgreement only
  /// What the paired test needs, per sample: 0/1 hits (top-1, agreement), share of pixels (agreement of maps),
  /// squared error and number of values (RMSE), squared difference and variation of the reference (agreement of
  /// numbers), or for each class intersection and union in pixels (IoU).
  std::vector<float> scores;
  std::int64_t score_width = 1;  ///< floats per sample in `scores`
};

struct EvaluateOptions {
  std::int64_t batch_size = 32;
  int workers = 1;
  std::string output{};  ///< name of the output to judge; empty: the first
  std::uint64_t seed = 0;
};

/// Runs the whole dataset once. The metric follows the dataset's task (and the output's shape is checked against it:
/// "the network has 10 outputs, the data 11 classes"). Throws Error(kNumeric) if outputs hold NaN, naming the sample.
[[nodiscard]] Evaluation evaluate(Session& session, const Dataset& dataset, const EvaluateOptions& options = {},
                                  ProgressSink& progress = silent_progress());
/// Agreement with a reference on the same samples; needs no labels.
[[nodiscard]] Evaluation evaluate_agreement(Session& session, Session& reference, const Dataset& dataset,
                                            const EvaluateOptions& options = {},
                                            ProgressSink& progress = silent_progress());

/// Two models on the same samples.
struct PairedTest {
  double difference = 0;  ///< other minus baseline, in the metric's unit
  Interval interval;      ///< 95 % of the difference
  double p_value = 1;     ///< McNemar (exact below 25 discordant pairs), or paired bootstrap
  std::string method;     ///< "McNemar, 10,000 samples"
  std::int64_t samples = 0;
  std::int64_t samples_for(
      double half_width) const;  ///< samples needed for an interval of +- half_width, at the variance seen here
  double variance_per_sample = 0;
};
/// Throws Error(kInvalidArgument) unless both were made on the same samples with the same metric.
[[nodiscard]] PairedTest compare(const Evaluation& baseline, const Evaluation& other, std::uint64_t seed = 0);

// --- Time
// ---------------------------------------------------------------------------------------------------------------------

struct BenchmarkOptions {
  double budget_s = 3;  ///< measuring time for each pair, warm-up not counted
  std::int64_t min_blocks = 15;
  double min_block_ms = 5;  ///< runs are repeated inside a block until it lasts this long
  std::uint64_t seed = 0;
};

struct Timing {
  double first_ms = 0;  ///< the first run, apart
  double median_ms = 0, q1_ms = 0, q3_ms = 0, p95_ms = 0;
  std::int64_t runs = 0;
};

enum class Verdict { kFaster, kSlower, kNoDifference };
[[nodiscard]] std::string_view verdict_name(Verdict verdict) noexcept;  ///< "faster", "slower", "no difference"

struct SpeedComparison {
  Timing baseline, other;
  /// Baseline time over other time: above 1 the other is faster. The median over pairs of blocks of equal work,
  /// averaged over places in memory; on a busy machine it is not the quotient of the median runs, which favour short
  /// runs there.
  double ratio = 1;
  Interval interval;  ///< 95 %: Student's t over the places in memory; bootstrap over blocks where there is only one
  Verdict verdict = Verdict::kNoDifference;
};

/// Wall clock, one thread of measurement, warm-up until block times are stable (at most a third of the budget). Both
/// sessions must be bound.
[[nodiscard]] Timing benchmark(Session& session, const BenchmarkOptions& options = {},
                               ProgressSink& progress = silent_progress());
/// Blocks of the two alternate (order random within each pair), so that drift hits both alike. Both models are opened
/// again several times on the way, for a session's time depends by a percent or two on where its memory lies; the
/// interval covers that. `kFaster` or `kSlower` only if the whole interval lies at least 1 % from 1. A model against
/// itself is "no difference" in at least 19 of 20.
[[nodiscard]] SpeedComparison compare_speed(Session& baseline, Session& other, const BenchmarkOptions& options = {},
                                            ProgressSink& progress = silent_progress());

/// "AMD EPYC 9654 (AVX-512 VNNI)": model name, and the widest instruction set that matters for inference.
[[nodiscard]] std::string cpu_description();
struct CpuFeatures {
  bool avx2 = false, avx512 = false, avx_vnni = false, avx512_vnni = false, avx512_bf16 = false, amx_int8 = false,
       amx_bf16 = false, neon_dot = false;
  /// Products of u8 and s8 are summed in 32 bits, so that full 8-bit weights cannot saturate.
  [[nodiscard]] bool safe_int8() const noexcept { return avx_vnni || avx512_vnni || amx_int8 || neon_dot; }
};
[[nodiscard]] CpuFeatures cpu_features();
/// Highest resident memory of this process so far, in bytes.
[[nodiscard]] std::int64_t peak_memory_bytes();

}  // namespace pare
