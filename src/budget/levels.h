// levels.h - how many classes of a group may go: floor, cap and alignment solved together.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "budget/widths.h"

namespace pare {

struct GroupLimits {
  std::int64_t align = 1;     ///< every layer that makes the group keeps a multiple of so many channels, or all
  double most = 1;            ///< largest share of the original classes that may be gone
  std::int64_t floor = 1;     ///< classes that stay at least
  std::int64_t original = 0;  ///< classes before earlier steps of a schedule; 0: as many as now
  std::string excluded = {};  ///< why nothing may go; "" if something may
};

/// Ascending, 0 first. {0} if nothing may go. Throws Error(kInvalidArgument) on limits without sense.
[[nodiscard]] std::vector<std::int64_t> allowed_removals(const ChannelFlow& flow, const ErrorCurve& curve,
                                                         const GroupLimits& limits);

/// Channels of one vector register of float32 on this machine: 16 with AVX-512, else 8. Runtimes work in blocks of it.
[[nodiscard]] std::int64_t runtime_block();

}  // namespace pare
