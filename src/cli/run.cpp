// pare run: any recipe of steps.
#include "cli/options.h"
#include "cli/step_result.h"
#include "cli/verb.h"

namespace pare {
namespace {

class Run final : public Verb {
 public:
  std::string name() const override { return "run"; }
  std::string summary() const override {
    return "Run a recipe of steps, each proved; pare compress prints the recipe of what it found";
  }
  std::string example() const override {
    return "pare run model.onnx --recipe \"rewrite; quantize int8 calibrate=minmax\" --data images/ -o small.onnx";
  }

  void declare(CLI::App& app) override {
    app.add_option("model", job_.model, "The ONNX file")->required();
    app.add_option("--recipe", job_.recipe, "Steps separated by ';', options as name=value")->required();
    app.add_option("-o,--out", job_.output, "Where the result goes")->required();
    app.add_flag("--strict", job_.strict, "Skipped nodes are an error");
    app.add_option("--teacher", job_.teacher,
                   "The ONNX file that finetune, distill and reconstruct learn from (default: the model that the "
                   "recipe began with)");
    declare_data(app, job_.data, false);
    app.add_flag("--set-aside", job_.data.set_aside,
                 "Leave out the samples that pare compress without --eval measures on")
        ->group("Data");
    declare_run(app, job_.run);
  }

  int run(Shell& shell) override { return run_recipe_job(job_, shell); }

 private:
  RecipeJob job_;
};

}  // namespace

std::unique_ptr<Verb> make_run() { return std::make_unique<Run>(); }

}  // namespace pare
