// finetune - trains a network on, from labels, and from what it was before it was compressed.
#include "train/steps.h"
#include "train/train_options.h"

namespace pare {
namespace {

StepResult run(const Model& model, const StepOptions& options, Context& context) {
  return run_training(model, context.teacher.get(), read_train_options(options, context), "finetune", context);
}

}  // namespace

StepInfo finetune() {
  return {
      .name = "finetune",
      .kind = StepKind::kTechnique,
      .summary = "Trains a network on: with labels, with a teacher, or both; in a recipe the original is the teacher",
      .options = train_option_infos(),
      .run = run,
      .words = "epochs=5 augment=cifar",
      .as_is = true,
  };
}

}  // namespace pare
