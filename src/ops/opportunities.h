// opportunities.h - what each technique could act on, told from the graph alone.
#pragma once

#include "ops/constant_roots.h"
#include "ops/macs.h"
#include "pare/inspect.h"

namespace pare {

/// Shares and summaries are left to the caller, who knows the costs.
[[nodiscard]] std::vector<Opportunity> find_opportunities(const Graph& graph, const ConstantRoots& constants,
                                                          const ShapeOf& shape_of,
                                                          const std::function<DType(const std::string&)>& dtype_of);

}  // namespace pare
