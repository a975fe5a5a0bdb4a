// constant_region.h - the nodes that depend on constants alone, run once and replaced by their results.
#pragma once

#include "pare/step.h"
#include "rewrite/graph_edit.h"

namespace pare {

/// By the rules at the head of fold_constants.cpp.
void fold_constant_region(GraphEdit& edit, Context& context);

}  // namespace pare
