// distill - a student network learns from a teacher's softened outputs, with labels or without.
#include "core/fail.h"
#include "train/steps.h"
#include "train/train_options.h"

namespace pare {
namespace {

StepResult run(const Model& model, const StepOptions& options, Context& context) {
  if (!context.teacher)
    fail(ErrorCode::kInvalidArgument,
         "distill: who teaches?\n  remedy: --teacher MODEL; in a recipe the model that it began with teaches, once a "
         "step "
         "has changed it");
  return run_training(model, context.teacher.get(), read_train_options(options, context), "distill", context);
}

}  // namespace

StepInfo distill() {
  return {
      .name = "distill",
      .kind = StepKind::kTechnique,
      .summary = "A student learns from a teacher: soft targets at a temperature, labels or none",
      .options = train_option_infos({}),
      .run = run,
      .words = "temperature=3 hard-weight=0.3",
      .as_is = true,
  };
}

}  // namespace pare
