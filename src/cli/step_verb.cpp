// One verb for every technique of the registry (and `rewrite`): its options become the verb's.
#include <fmt/format.h>

#include <filesystem>
#include <map>

#include "cli/options.h"
#include "cli/step_result.h"
#include "cli/verb.h"
#include "cli/workers.h"
#include "core/words.h"
#include "pare/step.h"

namespace pare {
namespace {

std::string help_of(const OptionInfo& option) {
  std::string text = option.help;
  if (!option.choices.empty()) text += " (" + join(option.choices, ", ") + ")";
  if (!option.default_text.empty() && option.type != OptionInfo::Type::kFlag) text += " [" + option.default_text + "]";
  return text;
}

class StepVerb final : public Verb {
 public:
  explicit StepVerb(const StepInfo& step) : step_(step) {}
  std::string name() const override { return step_.name; }
  std::string summary() const override { return step_.summary; }
  std::string example() const override {
    const bool takes_data = step_.kind == StepKind::kTechnique;
    return fmt::format("pare {} model.onnx{}{} -o out.onnx", step_.name, step_.words.empty() ? "" : " " + step_.words,
                       takes_data ? " --data images/" : "");
  }

  void declare(CLI::App& app) override {
    app.add_option("model", job_.model, "The ONNX file")->required();
    app.add_option("words", words_, "Words of the step, as in a recipe: " + words_of_choice())->type_name("WORD");
    app.add_option("-o,--out", job_.output, "Where the result goes")->required();
    app.add_flag("--strict", job_.strict, "Skipped nodes are an error");
    if (puts_rewrites_first())
      app.add_flag(
          "--as-is", as_is_,
          "Leave out the exact rewrites (BatchNormalization folded, opset raised ...) that come first otherwise");
    for (const OptionInfo& option : step_.options) {
      if (option.type == OptionInfo::Type::kFlag) {
        app.add_flag("--" + option.name, flags_[option.name], help_of(option))->group("Step");
      } else {
        app.add_option("--" + option.name, values_[option.name], help_of(option))->group("Step");
      }
    }
    if (step_.as_is) app.add_option("--teacher", job_.teacher, "The ONNX file that it learns from")->group("Step");
    declare_data(app, job_.data, false);
    app.add_flag("--set-aside", job_.data.set_aside,
                 "Leave out the samples that pare compress without --eval measures on")
        ->group("Data");
    declare_run(app, job_.run);
  }

  int run(Shell& shell) override {
    RecipeStep step = parse_recipe(step_.name + " " + join(words_, " ")).front();
    for (const auto& [option, value] : values_)
      if (!value.empty()) step.options[option] = value;
    for (const auto& [option, set] : flags_)
      if (set) step.options[option] = "on";
    const Launch launch = values_.contains("workers") ? find_launch(step.options) : Launch{};
    const bool own_checkpoint = launch.count > 1 && !step.options.contains("checkpoint");
    if (own_checkpoint) step.options["checkpoint"] = job_.output + ".checkpoint";
    job_.recipe = recipe_to_text({step});
    if (puts_rewrites_first() && !as_is_) job_.recipe = "rewrite; " + job_.recipe;
    if (launch.rank > 0) {
      OutputOptions nothing;
      nothing.quiet = true;
      Shell silent(nothing);
      job_.keeps_result = false;
      return run_recipe_job(job_, silent);
    }
    const int code = run_recipe_job(job_, shell);
    if (own_checkpoint) std::filesystem::remove(step.options["checkpoint"]);
    return code;
  }

 private:
  [[nodiscard]] bool puts_rewrites_first() const { return step_.kind == StepKind::kTechnique && !step_.as_is; }
  [[nodiscard]] std::string words_of_choice() const {
    if (!step_.words.empty()) return step_.words + " (any option below without its dashes)";
    for (const OptionInfo& option : step_.options)
      if (!option.choices.empty()) return join(option.choices, ", ");
    return "none";
  }

  const StepInfo& step_;
  RecipeJob job_;
  bool as_is_ = false;
  std::vector<std::string> words_;
  std::map<std::string, std::string> values_;
  std::map<std::string, bool> flags_;
};

}  // namespace

std::vector<std::unique_ptr<Verb>> make_step_verbs() {
  std::vector<std::unique_ptr<Verb>> verbs;
  for (const StepInfo& step : all_steps())
    if (step.kind == StepKind::kTechnique || step.name == "rewrite") verbs.push_back(std::make_unique<StepVerb>(step));
  return verbs;
}

}  // namespace pare
