#include "cli/step_result.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>

#include "cli/verb.h"
#include "core/fail.h"
#include "core/words.h"
#include "pare/inspect.h"
#include "pare/model_io.h"
#include "pare/version.h"
#include "report/format.h"
#include "report/json.h"
#include "step/check_cases.h"

namespace pare {
namespace fs = std::filesystem;

std::string grouped_reasons(const std::vector<NodeReason>& reasons, bool verbose) {
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> groups;
  for (const NodeReason& entry : reasons) groups[{entry.reason, entry.op_type}].push_back(entry.node);
  std::string text;
  for (const auto& [key, nodes] : groups) {
    const auto& [reason, op] = key;
    text += nodes.size() == 1 ? fmt::format("  {}: {}\n", nodes[0], reason)
                              : fmt::format("  {} {}: {}\n", nodes.size(), op.empty() ? "nodes" : op, reason);
    if (verbose && nodes.size() > 1)
      for (const std::string& node : nodes) text += "      " + node + "\n";
  }
  return text;
}

std::string proof_line(const std::vector<StepCheck>& checks) {
  std::vector<std::string> passed, not_run;
  for (const StepCheck& check : checks) {
    const std::size_t colon = check.name.find(": ");
    const std::string name = colon == std::string::npos ? check.name : check.name.substr(colon + 2);
    const bool skipped = check.detail.starts_with("not run");
    auto& list = skipped ? not_run : passed;
    const std::string entry = skipped ? name + " (" + check.detail + ")" : name;
    if (std::find(list.begin(), list.end(), entry) == list.end()) list.push_back(entry);
  }
  std::string text = "proved      " + join(passed, "; ") + "\n";
  if (!not_run.empty()) text += "not proved  " + join(not_run, "; ") + "\n";
  return text;
}

void finish_model(Model& model, const DataOptions& data, const std::shared_ptr<const Dataset>& dataset,
                  const RunOptions& run, bool runs) {
  const Preprocess preprocess = preprocess_for(model, data);
  if (!(preprocess == Preprocess{})) model.set_metadata(kPreprocessKey, preprocess_to_json(preprocess));
  model.set_metadata("pare.version", version());
  if (dataset && !model.graph.inputs.empty())
    model.set_metadata(kInputRangeKey, range_to_json(measure_range(*dataset, model.graph.inputs.front().name)));
  if (!runs) return;
  NamedTensors sample;
  if (dataset) {
    const std::vector<std::int64_t> indices(static_cast<std::size_t>(fixed_batch(model.graph.inputs).value_or(1)), 0);
    sample = dataset->batch(indices).inputs;
  } else {
    sample = probe_inputs(model, {.seed = run.seed});
  }
  add_self_test(model, as_declared(sample, model), run.session(), run.seed);
}

int run_recipe_job(const RecipeJob& job, Shell& shell) {
  const std::vector<RecipeStep> steps = parse_recipe(job.recipe);  // before the model is read: mistakes show at once
  const Model model = open_model(job.model);
  Context context;
  context.session = job.run.session();
  context.seed = job.run.seed;
  context.progress = &shell.progress();
  if (!job.teacher.empty()) context.teacher = std::make_shared<const Model>(open_model(job.teacher));
  if (!job.data.data.empty()) context.data = open_data(job.data.data, model, job.data);
  if (context.data && job.data.set_aside) context.data = split_data(context.data, job.run.seed).rest;

  CheckedResult checked = run_recipe(model, recipe_to_text(steps), context);
  if (!job.keeps_result) return checked.result.missed.empty() ? kDone : kGoalMissed;
  Model result = std::move(checked.result.model);
  if (job.strict && !checked.result.skipped.empty())
    fail(ErrorCode::kUnsupported, "--strict: {} nodes were skipped\n{}", checked.result.skipped.size(),
         grouped_reasons(checked.result.skipped, false));
  bool runs = true;
  for (const StepCheck& check : checked.checks)
    if (check.name.ends_with("loads with optimizations on")) runs = check.passed;
  finish_model(result, job.data, context.data, job.run, runs);
  save_model(result, job.output);

  const std::int64_t before = size_on_disk(job.model), after = size_on_disk(job.output);
  shell.print(fmt::format("{}      {}, was {} ({})\n", fs::path(job.output).filename().string(), format_bytes(after),
                          format_bytes(before), format_smaller(before, after)));
  shell.print(proof_line(checked.checks));
  if (!runs) shell.print("note        the model does not run here, so it carries no self-test\n");
  if (!checked.result.missed.empty()) shell.print("not reached " + checked.result.missed + "\n");
  for (const std::string& note : checked.result.notes) shell.print("note        " + note + "\n");
  if (!checked.result.done.empty())
    shell.print(fmt::format("done\n{}", grouped_reasons(checked.result.done, shell.verbose())));
  if (!checked.result.skipped.empty())
    shell.print(fmt::format("skipped\n{}", grouped_reasons(checked.result.skipped, shell.verbose())));
  shell.print(fmt::format("took        {}; is it faster? pare bench {} {}\n", format_seconds(checked.seconds),
                          job.model, job.output));
  nlohmann::json report = to_json(checked);
  report["model"] = job.model;
  report["output"] = job.output;
  report["recipe"] = *result.find_metadata(kRecipeKey);
  report["size_bytes"] = {{"before", before}, {"after", after}};
  report["environment"] = environment_json(context.session);
  if (context.data)
    report["data"] = {{"description", context.data->description()}, {"fingerprint", context.data->fingerprint()}};
  shell.json(report);
  return checked.result.missed.empty() ? kDone : kGoalMissed;
}

}  // namespace pare
