// widths.h - how much of each group is gone: the unknowns of a budget, and what follows from them.
#pragma once

#include <cstdint>
#include <vector>

#include "budget/curve.h"

namespace pare {

/// A point of the search. Groups inside a dropped block are gone as a whole, whatever `removed` says of them.
struct Widths {
  std::vector<std::int64_t> removed;  ///< by index into ChannelFlow::groups: classes that are gone
  std::vector<bool> dropped;          ///< by index into the candidates
};

/// Everything at full width.
[[nodiscard]] Widths full_widths(const ChannelFlow& flow, const std::vector<DropCandidate>& drops);

/// The first classes of each curve's order; none of groups that vanish with a dropped block.
[[nodiscard]] RemovedClasses removed_classes(const Widths& widths, const std::vector<ErrorCurve>& curves,
                                             const std::vector<DropCandidate>& drops);

/// By group, whether it vanishes with a dropped block.
[[nodiscard]] std::vector<bool> vanished_groups(const Widths& widths, const std::vector<DropCandidate>& drops);

/// Sum over the curves of groups that are still there, and over the dropped blocks.
[[nodiscard]] double error_of(const Widths& widths, const std::vector<ErrorCurve>& curves,
                              const std::vector<DropCandidate>& drops);

/// By class: its place in the order of its group's curve (place n is gone when more than n are removed), or -1 where it
/// never goes.
[[nodiscard]] std::vector<std::int64_t> places(const ChannelFlow& flow, const std::vector<ErrorCurve>& curves);

}  // namespace pare
