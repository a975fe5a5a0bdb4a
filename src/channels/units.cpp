#include "channels/units.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace pare {

Unit Units::add(std::int64_t count) {
  const auto first = static_cast<Unit>(parent_.size());
  parent_.resize(parent_.size() + static_cast<std::size_t>(count));
  std::iota(parent_.begin() + first, parent_.end(), first);
  reasons_.resize(parent_.size());
  return first;
}

Unit Units::root(Unit unit) const {
  if (unit == kNoUnit) return kNoUnit;
  while (parent_[static_cast<std::size_t>(unit)] != unit) {
    Unit& parent = parent_[static_cast<std::size_t>(unit)];
    parent = parent_[static_cast<std::size_t>(parent)];
    unit = parent;
  }
  return unit;
}

void Units::tie(Unit a, Unit b, const std::string& reason) {
  a = root(a);
  b = root(b);
  if (a == b) return;
  if (a == kNoUnit) return freeze(b, reason);
  if (b == kNoUnit) return freeze(a, reason);
  const auto [low, high] = std::minmax(a, b);
  parent_[static_cast<std::size_t>(high)] = low;
  std::string& kept = reasons_[static_cast<std::size_t>(low)];
  std::string& other = reasons_[static_cast<std::size_t>(high)];
  if (kept.empty()) kept = std::move(other);
  other.clear();
  ++changes_;
}

void Units::freeze(Unit unit, const std::string& reason) {
  if (unit == kNoUnit) return;
  std::string& known = reasons_[static_cast<std::size_t>(root(unit))];
  if (!known.empty()) return;
  known = reason;
  ++changes_;
}

const std::string& Units::reason(Unit unit) const { return reasons_[static_cast<std::size_t>(root(unit))]; }

}  // namespace pare
