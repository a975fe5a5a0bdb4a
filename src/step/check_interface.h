// check_interface.h - whether a step kept what the users of a model hold on to: its inputs and outputs.
#pragma once

#include <optional>
#include <string>

#include "pare/graph.h"

namespace pare {

/// The first difference in names, order, types and declared dimensions of inputs and outputs; nullopt if there is none.
/// Unless `exact`, one float type may stand for another (conversion to float16).
[[nodiscard]] std::optional<std::string> interface_fault(const Model& before, const Model& after, bool exact);

}  // namespace pare
