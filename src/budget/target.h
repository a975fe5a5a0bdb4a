// target.h - what the user wants a network to cost.
#pragma once

#include "budget/count_costs.h"
#include "pare/step.h"

namespace pare {

struct CostTarget {
  CostKind kind = CostKind::kMacs;
  double keep = 0.5;      ///< at most this share of the original remains
  bool by_layer = false;  ///< kChannels: the same share of each layer
  std::string text = {};  ///< "at most 50 % of the MACs"
};

/// From macs, params, bytes, latency, speedup, channels (one of them; macs=50% if none is given). Throws
/// Error(kInvalidArgument) on several, or on shares outside of 0 to 1.
/// `step`: its name, for messages; `without`: which of these options it does not have.
[[nodiscard]] CostTarget cost_target(std::string_view step, const std::vector<std::string>& without,
                                     const StepOptions& options);

}  // namespace pare
