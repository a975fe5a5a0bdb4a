// pare diff: structure, numbers, and error by layer of two models.
#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "cli/options.h"
#include "cli/verb.h"
#include "core/words.h"
#include "measure/layer_error.h"
#include "ops/diff_structure.h"
#include "pare/model_io.h"
#include "report/format.h"
#include "report/table.h"

namespace pare {
namespace {

/// JSON has no infinity: null stands for "no difference at all".
nlohmann::json decibels(double value) { return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr); }

std::string db_text(double value) {
  return std::isinf(value) ? (value > 0 ? "equal" : "broken") : fmt::format("{:.1f} dB", value);
}

class Diff final : public Verb {
 public:
  std::string name() const override { return "diff"; }
  std::string summary() const override {
    return "How two models differ: structure, numbers of every output, signal to noise of every layer";
  }
  std::string example() const override { return "pare diff model.onnx small.onnx --data images/"; }

  void declare(CLI::App& app) override {
    app.add_option("model", model_, "The ONNX file")->required();
    app.add_option("other", other_, "The ONNX file that is compared with it")->required();
    app.add_option("--samples", samples_, "Samples that the layers are compared on")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    app.add_flag("--structure", structure_only_, "Compare the structure alone, run nothing");
    declare_data(app, data_, false);
    declare_run(app, run_);
  }

  int run(Shell& shell) override {
    const Model model = open_model(model_), other = open_model(other_);
    nlohmann::json report = {{"model", model_}, {"other", other_}};
    structure(shell, diff_structure(model, other), report);
    if (!structure_only_) numbers(shell, model, other, report);
    shell.json(report);
    return kDone;
  }

 private:
  void structure(Shell& shell, const StructureDiff& diff, nlohmann::json& report) const {
    const std::int64_t before = size_on_disk(model_), after = size_on_disk(other_);
    shell.print(fmt::format("size        {} -> {} ({})\n", format_bytes(before), format_bytes(after),
                            format_smaller(before, after)));
    shell.print(diff.same() ? "structure   the same\n"
                            : fmt::format("structure   {} nodes added, {} removed, {} changes in others\n",
                                          diff.added.size(), diff.removed.size(), diff.changed.size()));
    for (const std::string& line : diff.interface) shell.print("  " + line + "\n");
    std::vector<std::string> counts;
    for (const auto& [op, count] : diff.op_counts)
      counts.push_back(fmt::format("{} {} -> {}", op, count.first, count.second));
    if (!counts.empty()) shell.print("  " + join(counts, ", ") + "\n");
    const std::size_t shown = shell.verbose() ? diff.changed.size() : std::min<std::size_t>(diff.changed.size(), 10);
    for (std::size_t i = 0; i < shown; ++i)
      shell.print(fmt::format("  {}: {}\n", diff.changed[i].node, diff.changed[i].what));
    if (shown < diff.changed.size())
      shell.print(fmt::format("  ... {} more changes; -v lists all\n", diff.changed.size() - shown));
    if (shell.verbose()) {
      for (const std::string& node : diff.added) shell.print("  + " + node + "\n");
      for (const std::string& node : diff.removed) shell.print("  - " + node + "\n");
    }
    report["size_bytes"] = {{"before", before}, {"after", after}};
    report["structure"] = {{"same", diff.same()},
                           {"added", diff.added},
                           {"removed", diff.removed},
                           {"interface", diff.interface},
                           {"changed", nlohmann::json::array()}};
    for (const auto& change : diff.changed)
      report["structure"]["changed"].push_back({{"node", change.node}, {"what", change.what}});
  }

  void numbers(Shell& shell, const Model& model, const Model& other, nlohmann::json& report) const {
    std::shared_ptr<const Dataset> dataset;
    if (data_.data.empty()) {
      dataset = random_dataset(probe_inputs(model, {.seed = run_.seed}), 8, run_.seed);
      shell.print(
          "data        random inputs: layers of a trained network may look worse or better than on its own images; "
          "--data gives real ones\n");
    } else {
      dataset = open_data(data_.data, model, data_);
      shell.print(fmt::format("data        {}\n", dataset->description()));
    }
    LayerErrorOptions options;
    options.samples = std::min<std::int64_t>(samples_, dataset->size());
    options.session = run_.session();
    options.seed = run_.seed;
    const std::vector<LayerError> errors =
        layer_errors(model, other, match_values(model, other), *dataset, options, shell.progress());
    std::vector<std::string> outputs;
    for (const ValueInfo& output : model.graph.outputs) outputs.push_back(output.name);
    Table table({{"value", false, 0, 20}, {"signal to noise"}, {"largest difference"}, {"", false}});
    const std::size_t shown = shell.verbose() ? errors.size() : std::min<std::size_t>(errors.size(), 15);
    report["layers"] = nlohmann::json::array();
    for (std::size_t i = 0; i < errors.size(); ++i) {
      const bool is_output = std::find(outputs.begin(), outputs.end(), errors[i].values.reference) != outputs.end();
      report["layers"].push_back({{"value", errors[i].values.reference},
                                  {"other", errors[i].values.other},
                                  {"snr_db", decibels(errors[i].snr_db)},
                                  {"max_abs", decibels(errors[i].max_abs)},
                                  {"output", is_output}});
      if (i < shown || is_output)
        table.add({errors[i].values.reference, db_text(errors[i].snr_db), fmt::format("{:.3g}", errors[i].max_abs),
                   is_output ? "output" : ""});
    }
    shell.print(
        fmt::format("\n{} values that both models have, on {} samples, worst first\n", errors.size(), options.samples));
    shell.print(table.text(shell.width()));
    if (shown < errors.size()) shell.print(fmt::format("... {} more; -v lists all\n", errors.size() - shown));
  }

  std::string model_, other_;
  std::int64_t samples_ = 32;
  bool structure_only_ = false;
  DataOptions data_;
  RunOptions run_;
};

}  // namespace

std::unique_ptr<Verb> make_diff() { return std::make_unique<Diff>(); }

}  // namespace pare
