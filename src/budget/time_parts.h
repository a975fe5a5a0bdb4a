// time_parts.h - parts of a network timed side by side with the whole.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "measure/timing.h"

namespace pare {

struct TimePartsOptions {
  double budget_s = 0.5;        ///< for all together, warm-up included
  std::int64_t min_rounds = 9;  ///< even if the budget is spent
  std::int64_t max_rounds = 40;
  double block_ms = 0.5;  ///< runs are repeated inside a block until it lasts this long
  std::uint64_t seed = 0;
};

struct PartTimes {
  double whole_ms = 0;          ///< one run of the reference
  std::vector<double> part_ms;  ///< one run of each part, on a machine that is as busy as for `whole_ms`
};

/// In every round each part has one block, in random order, and so has the whole network, though only in every third
/// round where it takes longer than all parts together. A part's time is the median over rounds of its block's over the
/// first part's in the same round, times the median of the first part's over the whole network's, so that drift and
/// other people's work hit all alike. All sessions must be bound.
[[nodiscard]] PartTimes time_parts(const Clocks& clocks, Session& whole, const std::vector<Session*>& parts,
                                   const TimePartsOptions& options = {});

}  // namespace pare
