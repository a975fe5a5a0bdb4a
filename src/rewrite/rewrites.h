// rewrites.h - the exact rewrites: each keeps the outputs as they are, up to float rounding.
#pragma once

#include <vector>

#include "pare/step.h"
#include "rewrite/graph_edit.h"

namespace pare {

#define PARE_STEP(name) [[nodiscard]] StepInfo name();
#include "rewrite/rewrites.def"
#undef PARE_STEP

/// One by one in their order; without "rewrite", which runs them all.
[[nodiscard]] std::vector<StepInfo> all_rewrites();

/// All rewrites in order, round after round until none changes anything (at most ten). done holds what all rounds did,
/// skipped what the last one left and why; figures the changes by rewrite. Nothing is proved here: run_step(rewrite())
/// or prove_rewrites do.
[[nodiscard]] StepResult rewrite_model(const Model& model, Context& context);

/// run_step on each of `steps` in rounds as rewrite_model does. Throws the error of the first one that breaks its
/// model.
void prove_one_by_one(const std::vector<StepInfo>& steps, const Model& model, Context& context);

/// run_step on "rewrite"; if a check fails, finds the one rewrite that broke the model and throws its error instead.
[[nodiscard]] CheckedResult prove_rewrites(const Model& model, Context& context);

}  // namespace pare
