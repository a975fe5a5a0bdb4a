// pare/compress.h - the main job: find the recipe that meets a goal, prove it, time it, keep the best.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pare/measure.h"
#include "pare/step.h"

namespace pare {

/// What the user allows and wants. Everything optional: without a goal the fastest candidate within half a point (0.5
/// %) is taken.
struct Goal {
  /// Largest loss of the metric: an absolute share for top-1, IoU and agreement (0.01 is one point), relative for RMSE
  /// (0.01 is 1 % more).
  double max_drop = 0.005;
  double speedup = 0;               ///< at least this many times as fast as the original; 0: not slower
  std::int64_t max_size_bytes = 0;  ///< at most so many bytes on disk; 0: any
  bool certain = false;  ///< the whole 95 % interval of the loss must lie within max_drop, not the measured value alone
};

struct CompressOptions {
  Goal goal;
  SessionOptions session;  ///< runtime and threads that time and evaluate
  std::int64_t batch = 1;  ///< batch size for timing
  std::int64_t calibration_samples = 512;
  std::uint64_t seed = 0;
  BenchmarkOptions benchmark;
  EvaluateOptions evaluate;
  /// Called on every candidate before it is measured: what travels in its metadata counts as its size.
  std::function<void(Model&)> finish;
  bool thinner = true;  ///< try fewer channels and blocks, and low rank, alone and before int8
  /// Seconds in all for training thinner networks that lose too much, with the original as teacher, on the calibration
  /// data; 0: none.
  double finetune_time_s = 0;
  std::string augment = "none";         ///< of the images in that training: words of parse_augment (augment.h)
  std::vector<std::string> exclude;     ///< nodes that stay as they are
  std::filesystem::path original_path;  ///< the file that `original` was loaded from, to be timed and measured as it
                                        ///< is; empty: `original` is saved anew
  std::filesystem::path
      work_folder;  ///< candidates are saved and timed here; empty: a temporary folder that is removed
};

struct Candidate {
  std::string name;    ///< "int8, minmax"
  std::string recipe;  ///< "rewrite; quantize int8 calibrate=minmax"
  Model model;
  std::int64_t size_bytes = 0, macs = 0, parameters = 0;
  std::optional<SpeedComparison> speed;  ///< against the original; absent: failed before
  std::optional<Evaluation> evaluation;  ///< absent: not evaluated, `verdict` says why
  std::optional<PairedTest> accuracy;    ///< against the original on the same samples
  std::vector<StepCheck> checks;
  std::vector<NodeReason> done, skipped;
  std::vector<std::string> notes;
  std::map<std::string, double> figures;  ///< of its steps: "quantize.islands" ...
  double seconds = 0;                     ///< building it
  bool valid = false;                     ///< built, proved, not slower than the original
  bool meets_goal = false;
  std::string verdict;  ///< "taken", "no faster", "loses 2.10 points, 1.00 allowed", "failed: ..."
};

struct CompressResult {
  std::int64_t size_bytes = 0, macs = 0, parameters = 0;  ///< of the original
  Timing timing;                                          ///< of the original
  Evaluation evaluation;                                  ///< of the original
  std::string conditions;  ///< "ONNX Runtime 1.31.1, 1 thread, batch 1, AMD EPYC (AVX-512 VNNI)"
  std::vector<Candidate> candidates;
  std::int64_t taken = -1;  ///< index into candidates; -1: the original itself is the best
  bool goal_met = false;
  std::string why_not;  ///< what stands in the way, and the nearest that would work; empty if the goal is met
};

/// `calibration` and `evaluation` hold different samples. Candidates that fail a check are reported, not thrown. Throws
/// Error only when the original itself cannot be run or evaluated, or on interruption.
[[nodiscard]] CompressResult compress(const Model& original, const std::shared_ptr<const Dataset>& calibration,
                                      const std::shared_ptr<const Dataset>& evaluation, const CompressOptions& options,
                                      ProgressSink& progress = silent_progress());

/// Runs every step of the recipe through run_step, in order; the recipe is stored in the model's metadata.
[[nodiscard]] CheckedResult run_recipe(const Model& model, const std::string& recipe, Context& context);

/// A sample input and what the model answered, stored in the model's metadata, so that another machine can tell whether
/// it computes the same. Inputs above 1 KiB are not stored but drawn from a seed; of large outputs 4096 values are
/// stored.
void add_self_test(Model& model, const NamedTensors& inputs, const SessionOptions& session, std::uint64_t seed = 0);
struct SelfTestResult {
  bool passed = false;
  double worst_difference = 0;  ///< in units of the stored tolerance; above 1: failed
  std::string detail;           ///< "output 'logits': largest difference 3e-6, 1e-3 allowed"
};
/// Throws Error(kInvalidArgument) if the model carries no self-test.
[[nodiscard]] SelfTestResult run_self_test(const Model& model, const SessionOptions& session);

}  // namespace pare
