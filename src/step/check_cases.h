// check_cases.h - the inputs on which run_step compares a model before and after a step.
#pragma once

#include <string>
#include <vector>

#include "pare/graph.h"
#include "pare/session.h"
#include "pare/step.h"

namespace pare {

struct CheckCase {
  std::string name;  ///< "random input, seed 0", "batch of 2", "8 real samples"
  NamedTensors inputs;
  bool must_run = false;  ///< false: the original may refuse it (a size baked into the graph), then it is left out
};

/// Inputs at a size the model runs with, a second seed, a batch of two and a second image size where the declared
/// dimensions are symbolic, and up to eight samples of the context's data. Throws Error(kUnsupported) if the model runs
/// at no size.
[[nodiscard]] std::vector<CheckCase> check_cases(const Model& model, const Context& context);

/// The inputs in the float types that `model` declares (a step may have changed float32 to float16).
[[nodiscard]] NamedTensors as_declared(const NamedTensors& inputs, const Model& model);

}  // namespace pare
