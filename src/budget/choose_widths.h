// choose_widths.h - how many channels each group loses and which blocks go, for the least error within a budget.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "budget/cost.h"
#include "budget/levels.h"

namespace pare {

struct WidthOptions {
  double keep = 0.5;    ///< at most this share of the original cost remains
  double original = 0;  ///< cost of the network before earlier steps of a schedule; 0: of this one
  GroupLimits limits = {};
  std::map<std::int64_t, GroupLimits> by_group = {};  ///< instead of `limits`, by index into ChannelFlow::groups
};

struct WidthPlan {
  Widths widths;
  double error = 0;                       ///< in the currency of the curves
  double before = 0, asked = 0, got = 0;  ///< cost of the network, at most wanted, and of the plan
  bool reached = false;                   ///< false: the plan is the cheapest that the limits allow
  std::string note = {};                  ///< "" or why it was not reached
};

/// Greedy: again and again the cut with the least error for the cost that it saves, over all deeper cuts of each group
/// and all blocks, at the widths reached so far. The plan is the best within the budget among all networks on that way
/// and those one cut or one give-back beside it. The way does not depend on the budget, so a larger budget never has
/// the larger error. A drop takes the cuts of the groups that vanish with it along; overlapping blocks exclude each
/// other.
[[nodiscard]] WidthPlan choose_widths(const ChannelFlow& flow, const std::vector<ErrorCurve>& curves,
                                      const std::vector<DropCandidate>& drops, const Cost& cost,
                                      const WidthOptions& options = {});

/// Every free group loses the same share of its original classes, or the nearest that the limits allow (the smaller one
/// if two are equally near). `asked` and `got` are shares of the classes of all groups that may lose some; `before`
/// is 1.
[[nodiscard]] WidthPlan even_widths(const ChannelFlow& flow, const std::vector<ErrorCurve>& curves, double share,
                                    const WidthOptions& options = {});

/// What remains after step `step` of `steps` (1-based), of the original: even steps, so that the last one is `keep`.
[[nodiscard]] double scheduled_keep(double keep, std::int64_t step, std::int64_t steps);

}  // namespace pare
