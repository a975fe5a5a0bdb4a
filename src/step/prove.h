// prove.h - that one network computes what another one does: the oracle of everything that is taken out.
#pragma once

#include <string>

#include "pare/graph.h"
#include "pare/step.h"

namespace pare {

/// Runs both on random and real inputs, at other batch and image sizes where the model allows them, and compares the
/// outputs within 1e-4 of their range. Where indices or boxes are chosen on the way (TopK, NonMaxSuppression ...), so
/// that a rounding swaps them, what they are chosen from is compared. Returns what was found, in words; throws
/// Error(kInternal) naming `what`, the input and the output that differ.
[[nodiscard]] StepCheck prove_equal(const std::string& what, const Model& expected, const Model& actual,
                                    const Context& context);

}  // namespace pare
