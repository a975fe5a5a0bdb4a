// units.h - which units can only go together, and which can never go and why.
#pragma once

#include <string>
#include <vector>

#include "channels/labels.h"

namespace pare {

/// Union-find over units; a frozen unit freezes everything that it is tied to.
class Units {
 public:
  /// `count` new units, numbered from the returned one on.
  Unit add(std::int64_t count);
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(parent_.size()); }
  /// The unit that stands for all that it is tied to; kNoUnit for kNoUnit.
  [[nodiscard]] Unit root(Unit unit) const;
  /// Tied to kNoUnit a unit is frozen for `reason`.
  void tie(Unit a, Unit b, const std::string& reason);
  /// Of several reasons the first counts.
  void freeze(Unit unit, const std::string& reason);
  [[nodiscard]] bool frozen(Unit unit) const { return unit == kNoUnit || !reason(unit).empty(); }
  [[nodiscard]] const std::string& reason(Unit unit) const;
  /// Counts ties and freezes, so that a fixed point is seen.
  [[nodiscard]] std::int64_t changes() const { return changes_; }

 private:
  mutable std::vector<Unit> parent_;
  std::vector<std::string> reasons_;  ///< at the roots
  std::int64_t changes_ = 0;
};

}  // namespace pare
