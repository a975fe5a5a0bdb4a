// pare/step.h - what every rewrite and technique is: a named step from model to model with typed options; the registry;
// the safe runner.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pare/dataset.h"
#include "pare/graph.h"
#include "pare/progress.h"
#include "pare/session.h"

namespace pare {

/// What a step is handed. A step never opens files and never picks a runtime: the one who runs it does.
struct Context {
  std::shared_ptr<const Dataset> data;  ///< calibration samples; null: none given
  SessionOptions session;               ///< runtime and threads to run with
  std::uint64_t seed = 0;
  ProgressSink* progress = &silent_progress();
  /// Who teaches when a step trains: the network that the user named, else the one that the recipe began with. Null:
  /// nobody.
  std::shared_ptr<const Model> teacher = nullptr;
};

struct OptionInfo {
  enum class Type { kFlag, kInt, kNumber, kWord, kWordList };
  std::string name;  ///< "calibrate"; on the command line --calibrate
  Type type = Type::kWord;
  std::string default_text;          ///< "" for none
  std::vector<std::string> choices;  ///< allowed words; empty: any
  std::string help;                  ///< one line, unit included
};

/// Values by option name, checked against the step's OptionInfo before the step sees them.
class StepOptions {
 public:
  /// Throws Error(kInvalidArgument) on an unknown option (nearest named), a value of the wrong type or outside
  /// `choices`.
  StepOptions(std::span<const OptionInfo> infos, const std::map<std::string, std::string>& values);
  [[nodiscard]] bool flag(std::string_view name) const;
  [[nodiscard]] std::int64_t integer(std::string_view name) const;
  [[nodiscard]] double number(std::string_view name) const;
  [[nodiscard]] const std::string& word(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> words(std::string_view name) const;  ///< split at commas
  [[nodiscard]] bool given(std::string_view name) const;                      ///< set by the user, not by default
  /// "calibrate=entropy exclude=conv1": what differs from the defaults.
  [[nodiscard]] std::string text() const;

 private:
  const std::string& value(std::string_view name) const;
  std::map<std::string, std::string, std::less<>> values_;
  std::map<std::string, std::string, std::less<>> defaults_;
};

struct NodeReason {
  std::string node;  ///< node_label()
  std::string op_type;
  std::string reason;
};

struct StepCheck {
  std::string name;     ///< "structure", "loads with optimizations off", "same outputs"
  bool passed = false;  ///< false: could not be run, `detail` begins with "not run: "; what fails throws
  std::string detail;   ///< "max difference 3e-7 of the range"
};

struct StepResult {
  Model model;
  std::int64_t changes = 0;               ///< nodes, initializers or names changed; 0: nothing to do
  std::vector<NodeReason> done;           ///< what was done where
  std::vector<NodeReason> skipped;        ///< what was asked or expected and not done, and why
  std::vector<std::string> notes;         ///< sentences for the report
  std::map<std::string, double> figures;  ///< numbers for the report ("clipped_share": 0.0003)
  std::vector<StepCheck> checks;          ///< what the step proved by its own oracle
  std::string missed;  ///< the goal that was asked for and not reached, in words; "" if none was missed
};

enum class StepKind {
  kRewrite,    ///< exact: outputs unchanged up to float rounding; checked against the input model
  kTechnique,  ///< changes numbers on purpose; checked by its own oracle and by evaluation
};

struct StepInfo {
  std::string name;  ///< "fold_batchnorm"
  StepKind kind = StepKind::kRewrite;
  std::string summary;  ///< one line
  std::vector<OptionInfo> options;
  std::function<StepResult(const Model&, const StepOptions&, Context&)> run;
  std::string words = {};  ///< what a user may write behind the name: "macs=50%"; "" for nothing
  /// Works on the network as it is: its verb does not put the exact rewrites before it (training wants its
  /// BatchNormalization).
  bool as_is = false;
};

/// All steps of this build, in the order of the .def lists.
[[nodiscard]] const std::vector<StepInfo>& all_steps();
/// Throws Error(kInvalidArgument) with the nearest names.
[[nodiscard]] const StepInfo& find_step(std::string_view name);

/// One step of a recipe: "quantize int8 calibrate=minmax". A bare word goes to the step's first kWord option.
struct RecipeStep {
  std::string name;
  std::map<std::string, std::string> options;
};
/// "rewrite; quantize int8 calibrate=minmax". Throws Error(kInvalidArgument) pointing at the word.
[[nodiscard]] std::vector<RecipeStep> parse_recipe(std::string_view text);
[[nodiscard]] std::string recipe_to_text(const std::vector<RecipeStep>& recipe);
/// Metadata key under which the recipe that made a model travels in it.
inline constexpr std::string_view kRecipeKey = "pare.recipe";

struct CheckedResult {
  StepResult result;
  std::vector<StepCheck> checks;
  double seconds = 0;
};
/// Runs a step on a copy and proves what came out: structure and shapes (check_model), interface unchanged, loads in
/// the runtime with optimizations on and off and both agree, and for rewrites the same outputs as before on random and,
/// if given, real inputs (1e-4 of the output's range). Throws Error(kInternal) naming the step and the check if one
/// fails; the input model is never touched.
[[nodiscard]] CheckedResult run_step(const StepInfo& step, const Model& model, const StepOptions& options,
                                     Context& context);

}  // namespace pare
