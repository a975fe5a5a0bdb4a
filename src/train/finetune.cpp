// finetune - trains a network on, from labels, and from what it was before it was compressed.
#include "core/fail.h"
#include "train/steps.h"
#include "train/train_options.h"

namespace pare {
namespace {

/// The teacher is as a rule the network that this one was: sure of the images that both were trained on, so that only a
/// higher temperature, and what it computes inside, show what it knows beside the label (the study in
/// docs/finetune.md).
constexpr TeachingDefaults kOfTheOriginal{
    .temperature = "6", .hard_weight = "0.1", .features = "same", .feature_weight = "10"};

/// What only a teacher gives a meaning to is not left aside without a word.
void refuse_without_teacher(const StepOptions& options) {
  for (const char* name : {"loss", "temperature", "hard-weight", "features", "feature-weight"})
    if (options.given(name))
      fail(ErrorCode::kInvalidArgument,
           "finetune: {} is about a teacher, and there is none\n  remedy: --teacher MODEL, or leave it out", name);
}

StepResult run(const Model& model, const StepOptions& options, Context& context) {
  if (!context.teacher) refuse_without_teacher(options);
  return run_training(model, context.teacher.get(), read_train_options(options, context), "finetune", context);
}

}  // namespace

StepInfo finetune() {
  return {
      .name = "finetune",
      .kind = StepKind::kTechnique,
      .summary = "Trains a network on: with labels, with a teacher, or both; in a recipe the original is the teacher",
      .options = train_option_infos(kOfTheOriginal),
      .run = run,
      .words = "epochs=5 augment=cifar",
      .as_is = true,
  };
}

}  // namespace pare
