// pare eval: the metric with its interval; two models on the same samples with a paired test.
#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "cli/options.h"
#include "cli/verb.h"
#include "core/fail.h"
#include "core/words.h"
#include "pare/measure.h"
#include "report/format.h"
#include "report/json.h"

namespace pare {
namespace {

std::string details(const Evaluation& evaluation, const std::vector<std::string>& classes) {
  std::string text;
  if (evaluation.top5 >= 0) text += fmt::format("  top-5       {}\n", format_metric(Metric::kTop5, evaluation.top5));
  if (evaluation.metric == Metric::kMeanIou)
    for (std::size_t i = 0; i < evaluation.per_class.size(); ++i)
      text += fmt::format("  IoU {:<20} {}\n", i < classes.size() ? classes[i] : std::to_string(i),
                          format_metric(Metric::kMeanIou, evaluation.per_class[i]));
  if (evaluation.metric == Metric::kRmse) {
    const RegressionError& error = evaluation.regression;
    text += fmt::format("  MAE {:.4g}, bias {:+.4g}, R2 {:.4f}, {} distinct output values\n", error.mae, error.bias,
                        error.r2, with_commas(error.distinct_outputs));
    if (error.r2 < 1)
      text +=
          fmt::format("  {:.4g} would be the RMSE of the targets' mean alone\n", error.rmse / std::sqrt(1 - error.r2));
  }
  if (evaluation.metric == Metric::kAgreement) {
    const Agreement& agreement = evaluation.agreement;
    text += fmt::format(
        "  argmax flips {}, cosine {:.6f}, PSNR {:.1f} dB, largest difference {:.3g} (sample {} is the worst)\n",
        format_metric(Metric::kTop1, agreement.argmax_flips), agreement.cosine, agreement.psnr_db, agreement.max_abs,
        agreement.worst_sample);
  }
  return text;
}

class Eval final : public Verb {
 public:
  std::string name() const override { return "eval"; }
  std::string summary() const override {
    return "How good a model is: its metric with a confidence interval; two models are compared on the same samples";
  }
  std::string example() const override { return "pare eval small.onnx --data test/ --reference model.onnx"; }

  void declare(CLI::App& app) override {
    app.add_option("model", model_, "The ONNX file")->required();
    app.add_option("--reference", reference_,
                   "Compare with this model on the same samples (without labels: how far they agree)");
    app.add_option("--batch", options_.batch_size, "Samples run at once")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    app.add_option("--output", options_.output, "Name of the output that is judged (default: the first)");
    app.add_option(
           "--precision", precision_,
           "Half width of the interval of the difference that you want, in points; tells how many samples that takes")
        ->check(CLI::PositiveNumber);
    declare_data(app, data_, true);
    declare_run(app, run_);
  }

  int run(Shell& shell) override {
    const Model model = open_model(model_);
    const auto dataset = open_data(data_.data, model, data_);
    const SessionOptions session_options = run_.session();
    options_.seed = run_.seed;
    const auto session = open_session(std::filesystem::path(model_), session_options);
    nlohmann::json report = {
        {"model", model_}, {"data", dataset->description()}, {"environment", environment_json(session_options)}};
    shell.print(fmt::format("data       {}\nrun with   {}\n", dataset->description(), session->description()));
    warn_range(shell, model, *dataset);
    if (dataset->task() == Task::kNone) return agreement(shell, *session, session_options, *dataset, report);

    const Evaluation evaluation = evaluate(*session, *dataset, options_, shell.progress());
    print_one(shell, model_, evaluation, dataset->class_names());
    report["evaluation"] = to_json(evaluation);
    if (!reference_.empty()) {
      const auto reference = open_session(std::filesystem::path(reference_), session_options);
      const Evaluation other = evaluate(*reference, *dataset, options_, shell.progress());
      print_one(shell, reference_, other, dataset->class_names());
      const PairedTest test = compare(other, evaluation, run_.seed);
      report["reference"] = {{"model", reference_}, {"evaluation", to_json(other)}};
      report["paired_test"] = to_json(test);
      print_test(shell, evaluation.metric, test);
    }
    shell.json(report);
    return kDone;
  }

 private:
  int agreement(Shell& shell, Session& session, const SessionOptions& options, const Dataset& dataset,
                nlohmann::json& report) {
    if (reference_.empty())
      fail(ErrorCode::kInvalidArgument,
           "{} has no labels\n  remedy: --reference MODEL tells how far two models agree on it", data_.data);
    const auto reference = open_session(std::filesystem::path(reference_), options);
    const Evaluation evaluation = evaluate_agreement(session, *reference, dataset, options_, shell.progress());
    print_one(shell, model_, evaluation, {});
    report["evaluation"] = to_json(evaluation);
    report["reference"] = {{"model", reference_}};
    shell.json(report);
    return kDone;
  }

  static void print_one(Shell& shell, const std::string& path, const Evaluation& evaluation,
                        const std::vector<std::string>& classes) {
    shell.print(
        fmt::format("{}\n  {:<11} {}  ({} to {}, 95 %)  {} samples\n", std::filesystem::path(path).filename().string(),
                    metric_name(evaluation.metric), format_metric(evaluation.metric, evaluation.value),
                    format_metric(evaluation.metric, evaluation.interval.low),
                    format_metric(evaluation.metric, evaluation.interval.high), with_commas(evaluation.samples)));
    shell.print(details(evaluation, classes));
  }

  void print_test(Shell& shell, Metric metric, const PairedTest& test) const {
    const bool clear = test.p_value < 0.05;
    shell.print(fmt::format("difference   {} ({} to {}, 95 %)  p = {:.2g}, {}: {}\n",
                            format_difference(metric, test.difference), format_difference(metric, test.interval.low),
                            format_difference(metric, test.interval.high), test.p_value, test.method,
                            clear ? "a real difference" : "no difference that these samples can show"));
    const double half_width = precision_ > 0 ? (metric == Metric::kRmse ? precision_ : precision_ / 100) : 0;
    if (half_width > 0)
      shell.print(fmt::format("samples      {} would be needed for +- {} {}\n",
                              with_commas(test.samples_for(half_width)), precision_,
                              metric == Metric::kRmse ? "" : "points"));
  }

  void warn_range(Shell& shell, const Model& model, const Dataset& dataset) const {
    const std::string* stored = model.find_metadata(kInputRangeKey);
    if (stored == nullptr || model.graph.inputs.empty()) return;
    const std::string warning =
        range_warning(parse_range(*stored), measure_range(dataset, model.graph.inputs.front().name));
    if (!warning.empty()) shell.warn(warning);
  }

  std::string model_, reference_;
  double precision_ = 0;
  EvaluateOptions options_;
  DataOptions data_;
  RunOptions run_;
};

}  // namespace

std::unique_ptr<Verb> make_eval() { return std::make_unique<Eval>(); }

}  // namespace pare
