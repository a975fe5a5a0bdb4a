// guess_task.h - what a network is for, by the look of its inputs and outputs.
#pragma once

#include "ops/macs.h"
#include "pare/inspect.h"

namespace pare {

struct Guess {
  TaskGuess task = TaskGuess::kUnknown;
  std::int64_t classes = 0;
  std::string text, reason;
};
[[nodiscard]] Guess guess_task(const Graph& graph, const ShapeOf& shape_of);

}  // namespace pare
