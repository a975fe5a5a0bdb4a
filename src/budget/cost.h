// cost.h - what a network costs as a function of its widths: a sum of products, each of few groups.
#pragma once

#include <cstdint>
#include <vector>

#include "budget/widths.h"

namespace pare {

/// What the channels of one group add to a factor.
struct CostTable {
  std::int64_t group = 0;
  std::vector<double> by_removed = {};  ///< with n classes gone
};

/// A sum over the channels on one side of a layer.
struct CostFactor {
  double fixed = 0;
  std::vector<CostTable> tables = {};
  [[nodiscard]] double at(const std::vector<std::int64_t>& removed) const {
    double sum = fixed;
    for (const CostTable& table : tables)
      sum += table.by_removed[static_cast<std::size_t>(removed[static_cast<std::size_t>(table.group)])];
    return sum;
  }
};

/// in * out: one block of a layer's weights, or a vector that follows the channels (in.fixed = 1).
struct CostPart {
  CostFactor in = {}, out = {};
  std::vector<std::int64_t> drops = {};  ///< candidates with which it goes
};

/// Exact as long as its numbers are: counts of MACs, parameters and bytes are.
class Cost {
 public:
  Cost() = default;
  /// `when_dropped`: what else changes when a candidate is dropped, besides its parts; empty: nothing.
  Cost(double constant, std::vector<CostPart> parts, std::int64_t groups, std::vector<double> when_dropped = {});

  [[nodiscard]] double total(const Widths& widths) const;
  /// total(with `group` at n) - total(widths).
  [[nodiscard]] double change(const Widths& widths, std::int64_t group, std::int64_t n) const;
  /// total(with candidate `drop` taken) - total(widths).
  [[nodiscard]] double change_by_drop(const Widths& widths, std::int64_t drop) const;
  /// Groups whose change() depends on the width of `group`, itself among them; ascending.
  [[nodiscard]] const std::vector<std::int64_t>& coupled(std::int64_t group) const {
    return coupled_[static_cast<std::size_t>(group)];
  }

 private:
  [[nodiscard]] static bool is_gone(const CostPart& part, const Widths& widths);

  double constant_ = 0;
  std::vector<CostPart> parts_;
  std::vector<double> when_dropped_;
  std::vector<std::vector<std::size_t>> parts_of_;  ///< by group
  std::vector<std::vector<std::int64_t>> coupled_;
};

}  // namespace pare
