// prune_channels.h - structured pruning from end to end: which channels, how many of each layer, repair, removal,
// proof.
#pragma once

#include "pare/step.h"

namespace pare {

/// The options of the step `prune` that this reads are listed in prune.cpp. Throws Error(kInvalidArgument) on options
/// that contradict each other or need data that are not there.
[[nodiscard]] StepResult prune_channels(const Model& model, const StepOptions& options, Context& context);

}  // namespace pare
