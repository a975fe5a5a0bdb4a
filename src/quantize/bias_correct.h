// bias_correct.h - rounding weights and clipping activations shifts the mean of each channel; this measures by how
// much.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "pare/dataset.h"
#include "pare/graph.h"
#include "pare/progress.h"
#include "pare/session.h"
#include "quantize/plan.h"

namespace pare {

struct BiasShiftOptions {
  std::int64_t samples = 128;
  std::uint64_t seed = 0;
  SessionOptions session;
};

/// Per integer node with weights, by node index: E[y_float - y_quantized] per output channel, both computed from the
/// float network's input of that layer, so that layers do not correct each other's errors twice (M. Nagel et al.,
/// "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, the empirical form). One pass over
/// the samples; memory does not grow with their number. MatMul has no bias and is left out.
[[nodiscard]] std::map<std::size_t, std::vector<double>> measure_bias_shift(const Model& model, const Plan& plan,
                                                                            const Ranges& ranges, bool limit_pairs,
                                                                            const Dataset& data,
                                                                            const BiasShiftOptions& options,
                                                                            ProgressSink& progress);

}  // namespace pare
