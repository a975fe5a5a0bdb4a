// step_result.h - running a recipe from the command line: data in, proof and summary out, file saved.
#pragma once

#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/shell.h"
#include "pare/compress.h"

namespace pare {

struct RecipeJob {
  std::string model, output, recipe;
  std::string teacher = {};  ///< file; empty: a recipe's own beginning teaches
  DataOptions data;
  RunOptions run;
  bool strict = false;       ///< skipped nodes are an error
  bool keeps_result = true;  ///< false: another process writes and reports it
};
/// Runs, prints the summary (asked, done, skipped with reasons), stores self-test and preprocessing, saves. Returns the
/// exit code.
int run_recipe_job(const RecipeJob& job, Shell& shell);

/// "12 Conv: no integer kernel ..."; one line a reason, nodes listed with --verbose.
[[nodiscard]] std::string grouped_reasons(const std::vector<NodeReason>& reasons, bool verbose);
/// "proved          structure; loads with optimizations on and off; ...".
[[nodiscard]] std::string proof_line(const std::vector<StepCheck>& checks);

/// Puts into the model what travels with it: preprocessing, the range of the calibration input, pare's version, and,
/// where the model runs, the self-test.
void finish_model(Model& model, const DataOptions& data, const std::shared_ptr<const Dataset>& dataset,
                  const RunOptions& run, bool runs);

}  // namespace pare
