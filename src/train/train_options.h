// train_options.h - the options that all steps which train share, as words and as values.
#pragma once

#include <vector>

#include "pare/step.h"
#include "pare/train.h"

namespace pare {

/// How a teacher is followed unless an option says otherwise.
struct TeachingDefaults {
  const char *temperature = "3", *hard_weight = "0.3", *features = "none", *feature_weight = "1";
};
[[nodiscard]] std::vector<OptionInfo> train_option_infos(const TeachingDefaults& defaults);
/// Throws Error(kInvalidArgument) naming the option that is out of range.
[[nodiscard]] TrainOptions read_train_options(const StepOptions& options, const Context& context);
/// Trains with what the context holds and puts the figures into a step's result.
[[nodiscard]] StepResult run_training(const Model& model, const Model* teacher, const TrainOptions& options,
                                      const std::string& step, Context& context);

}  // namespace pare
