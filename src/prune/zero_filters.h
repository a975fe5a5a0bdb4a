// zero_filters.h - channels that are zero whatever comes in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pare/graph.h"
#include "pare/step.h"

namespace pare {

struct ZeroFilters {
  std::int64_t node = 0;
  std::vector<std::int64_t> channels;  ///< output channels with no weight and no bias
  std::string kept;                    ///< why taking them out would not be exact; "" if it is
};

/// Layers with output channels whose weights and bias are all zero. Taking such a channel out is exact where everything
/// between the layer and the next layers keeps zero at zero (Relu does, Sigmoid does not) and mixes in nothing else.
[[nodiscard]] std::vector<ZeroFilters> find_zero_filters(const Graph& graph);

/// Takes them out, layer by layer, where a proof against the network as it was holds. `reasons`: by node, why it stays
/// as it is ("" if it may change).
[[nodiscard]] StepResult remove_zero_filters(const Model& model, const std::vector<std::string>& reasons,
                                             Context& context);

}  // namespace pare
