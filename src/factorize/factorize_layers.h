// factorize_layers.h - the whole job: ranks by goal, factors from data, proof and measured speed.
#pragma once

#include "pare/step.h"

namespace pare {

[[nodiscard]] StepResult factorize_layers(const Model& model, const StepOptions& options, Context& context);

}  // namespace pare
