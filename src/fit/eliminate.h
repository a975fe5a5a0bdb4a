// eliminate.h - takes groups of columns out of least-squares problems one after the other, cheapest first, what remains
// staying the exact solution (optimal brain surgeon, backward).
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "fit/matrix.h"

namespace pare {

/// One problem: weights W [outputs, width] = G' H'^-1 and M = H'^-1. Items are what can be taken out; each has columns
/// in some of the problems.
struct EliminationPart {
  Matrix inverse;                                  ///< M
  Matrix weights;                                  ///< W
  std::vector<std::vector<std::int64_t>> columns;  ///< by item
  double scale = 1;                                ///< weight of this problem's error in the sum
};

/// cost of item c = sum over parts of scale * tr(W_c (M_cc)^-1 W_c^T): by how much the error grows.
/// After it: W -= W_c (M_cc)^-1 M_c,: and M -= M_:,c (M_cc)^-1 M_c,:.
class Eliminator {
 public:
  /// `fixed_costs`: by item, added to its cost (consumers that are not fitted); empty: none.
  explicit Eliminator(std::vector<EliminationPart> parts, std::vector<double> fixed_costs = {});

  /// Takes out the `count` cheapest items that are left (`among` these; empty: all). In wide problems several go at
  /// once, the costs of each being exact but its choice being that of the state before.
  void remove_cheapest(std::int64_t count, const std::vector<std::int64_t>& among = {});
  /// Takes out these items, in this order.
  void remove(const std::vector<std::int64_t>& items);

  [[nodiscard]] std::int64_t left() const noexcept { return left_; }
  [[nodiscard]] const std::vector<std::int64_t>& order() const noexcept { return order_; }  ///< gone, first to last
  [[nodiscard]] const std::vector<double>& costs() const noexcept { return costs_; }        ///< by place in the order
  /// Solution of a part over its original columns; 0 in those that are gone.
  [[nodiscard]] Matrix weights(std::size_t part) const;
  /// Inverse of a part over its original columns; 0 in the rows and columns that are gone.
  [[nodiscard]] Matrix inverse(std::size_t part) const;

 private:
  struct State {
    std::int64_t width = 0, outputs = 0, original = 0, dead = 0;
    std::vector<double> inverse;                     ///< width x width
    std::vector<double> weights;                     ///< width x outputs: one row per column of W
    std::vector<std::int64_t> column_of;             ///< original column of each row
    std::vector<bool> gone;                          ///< by current row
    std::vector<std::vector<std::int64_t>> columns;  ///< by item, current rows
    double scale = 1;
  };
  [[nodiscard]] double cost_of(const State& state, const std::vector<std::int64_t>& columns,
                               std::vector<double>& scratch) const;
  void take_out(State& state, const std::vector<std::int64_t>& items, std::vector<double>& costs);
  static void compact(State& state);

  std::vector<State> states_;
  std::vector<double> fixed_;
  std::vector<bool> alive_;
  std::int64_t left_ = 0;
  std::vector<std::int64_t> order_;
  std::vector<double> costs_;
};

}  // namespace pare
