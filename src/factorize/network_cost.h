// network_cost.h - what a whole network costs, in the unit of its layers' options.
#pragma once

#include "budget/count_costs.h"
#include "pare/session.h"

namespace pare {

/// MACs (kMacs) or parameters (anything else).
[[nodiscard]] double network_cost(const Model& model, const Trace& trace, CostKind kind);

}  // namespace pare
