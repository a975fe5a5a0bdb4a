// choose_kinds.h - which kind of factors each layer gets: least error within a budget, and never slower than one kind
// everywhere.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "factorize/layer_options.h"

namespace pare {

/// An option for each candidate.
struct KindPlan {
  std::string kind;  ///< as the option is called: "spatial", "svd" ...; "mixed"
  std::vector<std::size_t> option;
  double cost = 0, error = 0, saved_ms = 0;
  bool reached = false;  ///< within the budget
  double time = 0;       ///< measured, milliseconds
};

struct KindChoice {
  KindPlan best;
  std::vector<KindPlan> single;  ///< one kind everywhere, those that reach the budget; measured
};

/// Milliseconds of networks of these shapes, measured side by side with the network as it is.
using MeasurePlans = std::function<std::vector<double>(const std::vector<KindPlan>&)>;

[[nodiscard]] std::string kind_name(const LinearLayer& layer, FactorKind kind);

/// Each kind alone is planned and measured, which corrects the table of the layers' times; then mixtures are planned
/// that trade error for time, and all are measured. The best is the one of least error among those that take no longer
/// than the fastest single kind. If no plan reaches the budget, it is the cheapest one. `whole_ms`: the network as it
/// is.
[[nodiscard]] KindChoice choose_kinds(const std::vector<RankCandidate>& candidates, const LayerOptions& options,
                                      double budget, double whole_ms, const MeasurePlans& measure);

}  // namespace pare
