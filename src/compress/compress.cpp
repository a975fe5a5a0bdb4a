#include "pare/compress.h"

#include <algorithm>

#include "compress/candidates.h"
#include "compress/choose.h"
#include "core/fail.h"
#include "core/temp_folder.h"
#include "pare/inspect.h"
#include "pare/model_io.h"

namespace pare {
namespace fs = std::filesystem;
namespace {

// Below this measured ratio a file counts as slower even if the interval of a noisy machine reaches 1.
constexpr double kNotSlower = 0.99;

/// The steps that led from the original to the candidate, without those that the original had behind it.
std::string recipe_since(const Model& original, const Model& candidate) {
  const std::string* before = original.find_metadata(kRecipeKey);
  const std::string& whole = *candidate.find_metadata(kRecipeKey);
  return before == nullptr || before->empty() ? whole : whole.substr(before->size() + 2);
}

/// The original: loaded, measured, and kept open to be timed against.
struct Baseline {
  std::unique_ptr<Session> session;
  NamedTensors timing_inputs;
};

class Job {
 public:
  Job(const Model& original, const std::shared_ptr<const Dataset>& calibration,
      const std::shared_ptr<const Dataset>& evaluation, const CompressOptions& options, ProgressSink& progress)
      : original_(original),
        calibration_(calibration),
        evaluation_(evaluation),
        options_(options),
        progress_(progress) {
    if (options.work_folder.empty()) temporary_.emplace();
    folder_ = temporary_ ? temporary_->path() : options.work_folder;
  }

  CompressResult run() {
    measure_original();
    Candidate rewritten = build(original_, {"rewritten float", "rewrite"});
    const bool rewritten_failed = rewritten.model.graph.nodes.empty();
    const Model base = rewritten_failed ? original_ : rewritten.model;
    result_.candidates.push_back(std::move(rewritten));
    for (const CandidateSpec& spec : candidate_specs(base, options_)) result_.candidates.push_back(build(base, spec));
    for (Candidate& candidate : result_.candidates) measure(candidate);
    if (options_.thinner) try_thinner(base);
    choose(result_, options_.goal);
    return std::move(result_);
  }

 private:
  void measure_original() {
    const fs::path path = options_.original_path.empty() ? folder_ / "original.onnx" : options_.original_path;
    if (options_.original_path.empty()) save_model(original_, path);
    result_.size_bytes = size_on_disk(path);
    baseline_.session = open_session(path, options_.session);
    timing_inputs();
    baseline_.session->bind(baseline_.timing_inputs);
    result_.conditions = fmt::format("{}, batch {}, {}", baseline_.session->description(), batch_, cpu_description());
    const Inspection costs = inspect_model(original_);
    result_.macs = costs.total_macs;
    result_.parameters = costs.total_parameters;
    result_.evaluation = evaluate_session(*baseline_.session, nullptr);
    baseline_.session->bind(baseline_.timing_inputs);
    result_.timing = benchmark(*baseline_.session, options_.benchmark, progress_);
  }

  /// Real samples where there are enough of them, at the batch size asked for, or the one that the network is fixed to.
  void timing_inputs() {
    batch_ = fixed_batch(original_.graph.inputs).value_or(options_.batch);
    std::vector<std::int64_t> indices(static_cast<std::size_t>(batch_));
    for (std::size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<std::int64_t>(i) % evaluation_->size();
    baseline_.timing_inputs = evaluation_->batch(indices).inputs;
  }

  Evaluation evaluate_session(Session& session, Session* reference) {
    if (evaluation_->task() != Task::kNone) return evaluate(session, *evaluation_, options_.evaluate, progress_);
    if (reference == nullptr) {  // the original agrees with itself
      Evaluation itself;
      itself.metric = Metric::kAgreement;
      itself.value = 1;
      itself.interval = {1, 1};
      itself.samples = evaluation_->size();
      return itself;
    }
    return evaluate_agreement(session, *reference, *evaluation_, options_.evaluate, progress_);
  }

  /// Ever thinner networks, each alone and in the integers that lost least, until one loses more than is allowed.
  void try_thinner(const Model& base) {
    const Candidate* integers = nullptr;
    for (const Candidate& candidate : result_.candidates)
      if (candidate.valid && candidate.accuracy && candidate.recipe.find("quantize int8") != std::string::npos &&
          (integers == nullptr || loss_of(candidate) < loss_of(*integers)))
        integers = &candidate;
    finetune_left_s_ = options_.finetune_time_s;
    const std::string quantize =
        integers == nullptr ? "" : integers->recipe.substr(integers->recipe.find("quantize int8"));
    for (const std::vector<CandidateSpec>& family : thinner_specs(base, options_))
      for (const CandidateSpec& spec : family)
        if (!try_thinner(base, spec, quantize)) break;
  }

  /// False if the float network is no candidate any more.
  bool try_thinner(const Model& base, const CandidateSpec& spec, const std::string& quantize) {
    Candidate thinner = build(base, spec);
    measure(thinner);
    if (thinner.valid && thinner.accuracy && !is_good(thinner) && finetune_left_s_ > 0) {
      Candidate trained = finetune(base, thinner);
      result_.candidates.push_back(std::move(thinner));
      thinner = std::move(trained);
    }
    const bool good = is_good(thinner);
    if (good && !quantize.empty()) {
      Candidate both = build(thinner.model, {thinner.name + ", int8", quantize});
      measure(both);
      result_.candidates.push_back(std::move(thinner));
      result_.candidates.push_back(std::move(both));
    } else {
      result_.candidates.push_back(std::move(thinner));
    }
    return good;
  }

  [[nodiscard]] bool is_good(const Candidate& candidate) const {
    return candidate.valid && candidate.accuracy && loss_of(candidate) <= options_.goal.max_drop;
  }

  /// The thinner network after training, within its part of the time; the original teaches.
  Candidate finetune(const Model& base, const Candidate& thinner) {
    constexpr double kParts = 3;  // so many networks may be trained with all of the time
    const double seconds = std::min(finetune_left_s_, options_.finetune_time_s / kParts);
    Candidate trained =
        build(thinner.model, {thinner.name + ", fine-tuned", finetune_recipe(seconds, options_)}, &base);
    finetune_left_s_ -= seconds;
    measure(trained);
    return trained;
  }

  [[nodiscard]] double loss_of(const Candidate& candidate) const {
    return loss(result_.evaluation, candidate.accuracy->difference);
  }

  Candidate build(const Model& base, const CandidateSpec& spec, const Model* teacher = nullptr) {
    Candidate candidate;
    candidate.name = spec.name;
    candidate.recipe = spec.recipe;
    Context context{.data = calibration_, .session = options_.session, .seed = options_.seed, .progress = &progress_};
    if (teacher != nullptr) context.teacher = std::make_shared<const Model>(*teacher);
    ProgressTask task(progress_, spec.name, 0, "");
    try {
      CheckedResult checked = run_recipe(base, spec.recipe, context);
      candidate.model = std::move(checked.result.model);
      candidate.recipe = recipe_since(original_, candidate.model);
      if (options_.finish) options_.finish(candidate.model);
      candidate.checks = std::move(checked.checks);
      candidate.done = std::move(checked.result.done);
      candidate.skipped = std::move(checked.result.skipped);
      candidate.notes = std::move(checked.result.notes);
      candidate.figures = std::move(checked.result.figures);
      candidate.seconds = checked.seconds;
      candidate.valid = true;
      const Inspection costs = inspect_model(candidate.model);
      candidate.macs = costs.total_macs;
      candidate.parameters = costs.total_parameters;
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kInterrupted) throw;
      candidate.model = {};
      candidate.verdict = fmt::format("failed: {}", error.what());
    }
    return candidate;
  }

  void measure(Candidate& candidate) {
    if (!candidate.valid) return;
    const fs::path path = folder_ / "candidate.onnx";
    try {
      save_model(candidate.model, path);
      candidate.size_bytes = size_on_disk(path);
      const auto session = open_session(path, options_.session);
      session->bind(baseline_.timing_inputs);
      baseline_.session->bind(baseline_.timing_inputs);
      candidate.speed = compare_speed(*baseline_.session, *session, options_.benchmark, progress_);
      // A slower file cannot be the result, whatever its accuracy: its samples are not worth the time.
      if (candidate.speed->verdict == Verdict::kSlower || candidate.speed->ratio < kNotSlower) {
        candidate.valid = false;
        candidate.verdict = "slower than the original";
        return;
      }
      candidate.evaluation = evaluate_session(*session, baseline_.session.get());
      candidate.accuracy = difference_from_original(*candidate.evaluation);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kInterrupted) throw;
      candidate.valid = false;
      candidate.verdict = fmt::format("failed: {}", error.what());
    }
  }

  [[nodiscard]] PairedTest difference_from_original(const Evaluation& evaluation) const {
    if (evaluation.metric != Metric::kAgreement) return compare(result_.evaluation, evaluation, options_.seed);
    PairedTest test;
    test.difference = evaluation.value - 1;
    test.interval = {evaluation.interval.low - 1, evaluation.interval.high - 1};
    test.samples = evaluation.samples;
    test.variance_per_sample = evaluation.value * (1 - evaluation.value);
    test.method = fmt::format("share of samples that agree with the original, {} samples", evaluation.samples);
    return test;
  }

  const Model& original_;
  std::shared_ptr<const Dataset> calibration_, evaluation_;
  const CompressOptions& options_;
  ProgressSink& progress_;
  std::optional<TempFolder> temporary_;
  fs::path folder_;
  Baseline baseline_;
  std::int64_t batch_ = 1;
  double finetune_left_s_ = 0;
  CompressResult result_;
};

}  // namespace

CompressResult compress(const Model& original, const std::shared_ptr<const Dataset>& calibration,
                        const std::shared_ptr<const Dataset>& evaluation, const CompressOptions& options,
                        ProgressSink& progress) {
  return Job(original, calibration, evaluation, options, progress).run();
}

}  // namespace pare
