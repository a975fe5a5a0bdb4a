#include "budget/cost.h"

#include <algorithm>
#include <set>

namespace pare {
namespace {

std::set<std::int64_t> groups_of(const CostPart& part) {
  std::set<std::int64_t> groups;
  for (const CostFactor* factor : {&part.in, &part.out})
    for (const CostTable& table : factor->tables) groups.insert(table.group);
  return groups;
}

double value(const CostPart& part, const std::vector<std::int64_t>& removed) {
  return part.in.at(removed) * part.out.at(removed);
}

}  // namespace

Cost::Cost(double constant, std::vector<CostPart> parts, std::int64_t groups, std::vector<double> when_dropped)
    : constant_(constant), parts_(std::move(parts)), when_dropped_(std::move(when_dropped)) {
  parts_of_.resize(static_cast<std::size_t>(groups));
  std::vector<std::set<std::int64_t>> coupled(static_cast<std::size_t>(groups));
  for (std::int64_t group = 0; group < groups; ++group) coupled[static_cast<std::size_t>(group)].insert(group);
  for (std::size_t p = 0; p < parts_.size(); ++p) {
    const std::set<std::int64_t> of_part = groups_of(parts_[p]);
    for (const std::int64_t group : of_part) {
      parts_of_[static_cast<std::size_t>(group)].push_back(p);
      coupled[static_cast<std::size_t>(group)].insert(of_part.begin(), of_part.end());
    }
  }
  for (const auto& set : coupled) coupled_.emplace_back(set.begin(), set.end());
}

bool Cost::is_gone(const CostPart& part, const Widths& widths) {
  return std::any_of(part.drops.begin(), part.drops.end(),
                     [&](std::int64_t drop) { return widths.dropped[static_cast<std::size_t>(drop)]; });
}

double Cost::total(const Widths& widths) const {
  double sum = constant_;
  for (const CostPart& part : parts_)
    if (!is_gone(part, widths)) sum += value(part, widths.removed);
  for (std::size_t d = 0; d < when_dropped_.size(); ++d)
    if (widths.dropped[d]) sum += when_dropped_[d];
  return sum;
}

double Cost::change(const Widths& widths, std::int64_t group, std::int64_t n) const {
  std::vector<std::int64_t> after = widths.removed;
  after[static_cast<std::size_t>(group)] = n;
  double sum = 0;
  for (const std::size_t p : parts_of_[static_cast<std::size_t>(group)])
    if (!is_gone(parts_[p], widths)) sum += value(parts_[p], after) - value(parts_[p], widths.removed);
  return sum;
}

double Cost::change_by_drop(const Widths& widths, std::int64_t drop) const {
  const auto d = static_cast<std::size_t>(drop);
  double sum = d < when_dropped_.size() ? when_dropped_[d] : 0;
  for (const CostPart& part : parts_)
    if (!is_gone(part, widths) && std::find(part.drops.begin(), part.drops.end(), drop) != part.drops.end())
      sum -= value(part, widths.removed);
  return sum;
}

}  // namespace pare
