// summary.h - what a quantized graph looks like to someone who asks why it is not faster.
#pragma once

#include <cstdint>

#include "pare/graph.h"
#include "quantize/plan.h"

namespace pare {

struct IntegerSummary {
  std::int64_t quantized_ops = 0;  ///< nodes on integers
  std::int64_t float_ops = 0;      ///< other nodes that compute on activations
  /// Connected groups of float nodes with integer nodes both before and behind: each costs a DQ and a Q.
  std::int64_t islands = 0;
};
[[nodiscard]] IntegerSummary summarize(const Graph& graph, const Plan& plan);

}  // namespace pare
