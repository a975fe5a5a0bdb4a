// choose.h - which candidate is the result, and why the others are not.
#pragma once

#include "pare/compress.h"

namespace pare {

/// Fills in meets_goal and verdict of every candidate, and taken, goal_met and why_not of the result.
void choose(CompressResult& result, const Goal& goal);

/// The loss that a difference of the metric is, in the unit of Goal::max_drop: positive is worse.
[[nodiscard]] double loss(const Evaluation& original, double difference);

}  // namespace pare
