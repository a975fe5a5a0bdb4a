// target.h - what a layer of the changed network is fitted to: the dense network's values, further on if that helps.
#pragma once

#include <functional>
#include <limits>
#include <string>
#include <unordered_map>
#include <vector>

#include "fit/linear_layer.h"
#include "pare/graph.h"

namespace pare {

/// The layer's output should be dense(value) - sum of changed(minus). With `minus`, errors of the shortcut are made
/// good by the layer before the sum.
struct FitTarget {
  std::string value;
  std::vector<std::string> minus;
  /// Bounds of the activation that alone reads `value`: what lies beyond them does not matter.
  bool clipped = false;
  float lower = -std::numeric_limits<float>::infinity(), upper = std::numeric_limits<float>::infinity();
};

/// Sets the bounds from what reads `target.value`.
void find_bounds(const Graph& graph, const GraphIndex& index, FitTarget& target);

/// `known_before`: whether a value is at hand before the layer runs. `shapes`: of all values.
[[nodiscard]] FitTarget find_target(const Graph& graph, const GraphIndex& index, const LinearLayer& layer,
                                    const std::unordered_map<std::string, Shape>& shapes,
                                    const std::function<bool(const std::string&)>& known_before);

}  // namespace pare
