// choose_ranks.h - one option for each layer, least error within a budget.
#pragma once

#include <cstdint>
#include <vector>

namespace pare {

struct RankOption {
  double cost = 0, error = 0;
};

struct RankChoice {
  std::vector<std::size_t> option;  ///< by layer
  double cost = 0, error = 0;
  bool reached = false;  ///< false: the cheapest there is
};

/// Sum of costs at most `budget`: the multiplier of the Lagrangian by bisection, then what is left of the budget is
/// spent where it gains most. Every layer has at least one option.
[[nodiscard]] RankChoice choose_ranks(const std::vector<std::vector<RankOption>>& layers, double budget);

}  // namespace pare
