// pare compress: the main job.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "cli/options.h"
#include "cli/quantity.h"
#include "cli/step_result.h"
#include "cli/verb.h"
#include "core/atomic_file.h"
#include "core/duration.h"
#include "core/fail.h"
#include "core/words.h"
#include "pare/augment.h"
#include "pare/compress.h"
#include "pare/inspect.h"
#include "pare/model_io.h"
#include "pare/train.h"
#include "report/compress_text.h"
#include "report/format.h"
#include "report/json.h"

namespace pare {
namespace {

namespace fs = std::filesystem;

class Compress final : public Verb {
 public:
  std::string name() const override { return "compress"; }
  std::string summary() const override {
    return "Make a model smaller and faster within the accuracy drop you allow, with evidence";
  }
  std::string example() const override {
    return "pare compress model.onnx --data train/ --eval test/ --max-drop 1% -o small.onnx";
  }

  void declare(CLI::App& app) override {
    app.add_option("model", model_, "The ONNX file")->required();
    app.add_option("-o,--out", output_, "Where the result goes")->required();
    app.add_option("--max-drop", max_drop_, "Largest loss of the metric: points for shares (1%), relative for RMSE")
        ->capture_default_str()
        ->group("Goal");
    app.add_option("--speedup", options_.goal.speedup, "At least so many times as fast (1.5)")
        ->check(CLI::PositiveNumber)
        ->group("Goal");
    app.add_option("--max-size", max_size_, "At most so large: 500KB, 1MB")->group("Goal");
    app.add_flag("--certain", options_.goal.certain, "The whole 95 % interval of the loss must lie within --max-drop")
        ->group("Goal");
    app.add_option("--eval", data_.eval,
                   "Held-out samples, never used but to measure (default: a part of --data is set aside)")
        ->group("Data");
    app.add_option("--calibration-samples", options_.calibration_samples, "Samples of --data that calibration sees")
        ->capture_default_str()
        ->check(CLI::PositiveNumber)
        ->group("Data");
    app.add_flag("!--same-widths", options_.thinner,
                 "Try no networks of fewer channels, blocks or ranks (int8 and exact rewrites alone; quicker)");
    app.add_option(
           "--finetune-time", finetune_time_,
           "Train thinner networks that lose too much, with the original as teacher, for so long in all: 90s, 10m")
        ->group("Search");
    app.add_option("--augment", options_.augment,
                   "Changes of the images in that training: cifar, aerial, crop4,hflip ...")
        ->capture_default_str()
        ->group("Search");
    app.add_option("--exclude", options_.exclude,
                   "Nodes that stay float: names, patterns or types, separated by commas")
        ->delimiter(',')
        ->group("Search");
    app.add_option("--batch", options_.batch, "Batch size that is timed")
        ->capture_default_str()
        ->check(CLI::PositiveNumber)
        ->group("Search");
    app.add_option("--time", options_.benchmark.budget_s, "Seconds of timing for each candidate")
        ->capture_default_str()
        ->check(CLI::Range(0.1, 3600.0))
        ->group("Search");
    app.add_option("--report", report_, "Write everything that was tried as JSON")->group("Output");
    declare_data(app, data_, true);
    declare_run(app, run_);
  }

  int run(Shell& shell) override {
    options_.goal.max_drop = parse_share(max_drop_, "--max-drop");
    if (!max_size_.empty()) options_.goal.max_size_bytes = parse_bytes(max_size_, "--max-size");
    if (!finetune_time_.empty()) {
      options_.finetune_time_s = parse_duration(finetune_time_, "--finetune-time");
      (void)parse_augment(options_.augment);
      if (const TrainingAvailability training = training_available(); !training.available)
        fail(ErrorCode::kUnsupported, "--finetune-time: {}", training.why);
    }
    const Model model = open_model(model_);
    check_model(model);
    options_.session = run_.session();
    options_.seed = options_.benchmark.seed = options_.evaluate.seed = run_.seed;
    options_.evaluate.workers = 1;
    options_.original_path = model_;
    open_samples(model);
    options_.finish = [&](Model& candidate) { finish_model(candidate, data_, calibration_, run_, true); };
    print_head(shell, model);

    CompressResult result = pare::compress(model, calibration_, evaluation_, options_, shell.progress());
    shell.print(original_line(result) + "\n");
    shell.print(candidate_table(result, shell.width()) + "\n");
    save(result, model);
    print_result(shell, result);
    write_report(shell, result);
    return result.goal_met ? kDone : kGoalMissed;
  }

 private:
  /// Calibration and evaluation never share a sample.
  void open_samples(const Model& model) {
    calibration_ = open_data(data_.data, model, data_);
    data_text_ = calibration_->description();
    if (data_.eval.empty()) {
      const SplitData split = split_data(calibration_, run_.seed);
      calibration_ = split.rest;
      evaluation_ = split.held_out;
      evaluation_text_ =
          fmt::format("{} of them set aside to measure on, never calibrated on", with_commas(evaluation_->size()));
    } else {
      DataOptions held_out = data_;
      held_out.limit = 0;
      evaluation_ = open_data(data_.eval, model, held_out);
      evaluation_text_ = evaluation_->description() + " to measure on, never calibrated on";
      if (evaluation_->fingerprint() == calibration_->fingerprint())
        fail(ErrorCode::kInvalidArgument,
             "--data and --eval hold the same samples\n  remedy: leave --eval out, and a part of --data is set aside");
    }
    options_.calibration_samples = std::min(options_.calibration_samples, calibration_->size());
  }

  void print_head(Shell& shell, const Model& model) const {
    const Inspection inspection = inspect_model(model);
    shell.print(fmt::format("{}   {} parameters, {} MACs, {}, {}\n", fs::path(model_).filename().string(),
                            format_count(inspection.total_parameters), format_count(inspection.total_macs),
                            format_bytes(size_on_disk(model_)), inspection.task_text));
    shell.print(fmt::format("data        {} ({} calibrate)\n            {}\n", data_text_,
                            with_commas(options_.calibration_samples), evaluation_text_));
  }

  void save(const CompressResult& result, const Model& model) const {
    if (result.taken >= 0) {
      save_model(result.candidates[static_cast<std::size_t>(result.taken)].model, output_);
      return;
    }
    Model same = model;
    finish_model(same, data_, calibration_, run_, true);
    save_model(same, output_);
  }

  void print_result(Shell& shell, const CompressResult& result) const {
    const std::string file = fs::path(output_).filename().string();
    if (result.taken < 0) {
      shell.print(fmt::format("{}      the original, unchanged: {}\n", file,
                              result.why_not.empty() ? "nothing here is faster" : result.why_not));
    } else {
      const Candidate& taken = result.candidates[static_cast<std::size_t>(result.taken)];
      shell.print(fmt::format("{}      {}\n\n", file, gain_text(result, taken)));
      shell.print(before_after_table(result, shell.width()) + "\n");
      shell.print(proof_line(taken.checks));
      if (!taken.skipped.empty()) shell.print("left as is\n" + grouped_reasons(taken.skipped, shell.verbose()));
      for (const std::string& note : taken.notes) shell.print("note        " + note + "\n");
      shell.print(again_line(taken));
    }
    explain_slower(shell, result);
    if (!result.goal_met) shell.print(fmt::format("goal missed {}\n", result.why_not));
  }

  /// The command that builds the same file again.
  [[nodiscard]] std::string again_line(const Candidate& taken) const {
    std::string line = fmt::format("again       pare run {} --recipe '{}' --data {}", model_, taken.recipe, data_.data);
    if (data_.eval.empty()) line += " --set-aside";
    if (!data_.preprocess.empty()) line += " --preprocess " + data_.preprocess;
    if (!data_.classes.empty()) line += " --classes " + join(data_.classes, ",");
    if (data_.limit > 0) line += fmt::format(" --limit {}", data_.limit);
    if (run_.runtime != RunOptions{}.runtime) line += " --runtime " + run_.runtime;
    if (run_.float32) line += " --float32";
    if (run_.threads != 1) line += fmt::format(" --threads {}", run_.threads);
    if (run_.seed != 0) line += fmt::format(" --seed {}", run_.seed);
    return line + " -o " + output_ + "\n";
  }

  /// Why a technique that usually pays did not.
  static void explain_slower(Shell& shell, const CompressResult& result) {
    const bool float_taken = result.taken <= 0;
    if (!float_taken) return;
    for (const Candidate& candidate : result.candidates) {
      if (!candidate.speed || candidate.name.find("int8") == std::string::npos ||
          candidate.speed->verdict == Verdict::kFaster)
        continue;
      const auto islands = candidate.figures.find("quantize.islands");
      shell.print(fmt::format(
          "why float   {} is {} than the original here{}\n", candidate.name,
          candidate.speed->verdict == Verdict::kSlower ? "slower" : "no faster",
          islands == candidate.figures.end()
              ? ""
              : fmt::format(": {:.0f} int8 islands between float operators, each paying for conversion at its borders",
                            islands->second)));
      return;
    }
  }

  void write_report(Shell& shell, const CompressResult& result) const {
    nlohmann::json report = to_json(result);
    report["model"] = model_;
    report["output"] = output_;
    report["goal"] = {{"max_drop", options_.goal.max_drop},
                      {"speedup", options_.goal.speedup},
                      {"max_size_bytes", options_.goal.max_size_bytes},
                      {"certain", options_.goal.certain}};
    report["data"] = {{"calibration", calibration_->description()},
                      {"calibration_fingerprint", calibration_->fingerprint()},
                      {"evaluation", evaluation_->description()},
                      {"evaluation_fingerprint", evaluation_->fingerprint()}};
    report["environment"] = environment_json(options_.session);
    report["seed"] = run_.seed;
    shell.json(report);
    if (!report_.empty())
      write_file_atomically(report_, report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }

  std::string model_, output_, max_drop_ = "0.5%", max_size_, finetune_time_, report_, data_text_, evaluation_text_;
  DataOptions data_;
  RunOptions run_;
  CompressOptions options_;
  std::shared_ptr<const Dataset> calibration_, evaluation_;
};

}  // namespace

std::unique_ptr<Verb> make_compress() { return std::make_unique<Compress>(); }

}  // namespace pare
