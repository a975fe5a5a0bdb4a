// compare_outputs.h - how far two runs of a model lie apart, as the checks of run_step judge it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pare/graph.h"
#include "pare/tensor.h"

namespace pare {

/// How much float outputs may differ, as a share of the output's range; what rounding alone does to large values (1e-6
/// of the largest) is always allowed. Integer outputs must be equal but for near ties: one element in 10,000.
struct OutputTolerance {
  double share = 1e-4;
  /// Judge the root mean square instead of the worst element: where one quantization step may flip anywhere.
  bool mean_square = false;
  /// Outputs made by Sigmoid and its like: runtimes compute them on the scale of 1 whatever comes out, so that two
  /// roundings of float32 there (2.4e-7) say nothing, even where all values are smaller.
  std::vector<std::string> saturating = {};
};

/// 1e-4 for float32 and wider; root mean square of 2 % where a model computes in 16 bits, 5 % where it is quantized.
[[nodiscard]] OutputTolerance tolerance_for(const Model& model);

struct OutputDifference {
  double share = 0;  ///< of the range, or of the elements of an integer output; the worst over all outputs
  std::string text;  ///< "output 'y': max difference 3e-7 of the range at [0, 3] (1.25 against 1.5)"
  bool within = true;
};
/// NaN equals NaN, and each infinity itself. `expected` and `actual` are in the order of `outputs`.
[[nodiscard]] OutputDifference compare_outputs(const std::vector<ValueInfo>& outputs,
                                               const std::vector<Tensor>& expected, const std::vector<Tensor>& actual,
                                               const OutputTolerance& tolerance);

}  // namespace pare
