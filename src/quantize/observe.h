// observe.h - runs calibration samples through the float network and keeps what its activations held, in fixed memory.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "pare/dataset.h"
#include "pare/graph.h"
#include "pare/progress.h"
#include "pare/session.h"
#include "quantize/ranges.h"

namespace pare {

using StatsByValue = std::map<std::string, ActivationStats, std::less<>>;

struct ObserveOptions {
  std::int64_t samples = 512;  ///< at most so many, spread over the dataset
  std::uint64_t seed = 0;
  bool histograms = true;  ///< false: only the extremes
  SessionOptions session;
};

/// Statistics of the named values (inputs, inner values, outputs) over the samples. One sample at a time where the
/// network allows it, so that memory depends on the network alone; samples may differ in shape. The result depends on
/// the set of samples, not on their order. Throws Error(kNumeric) naming the value that holds NaN or infinity and the
/// sample, Error(kInvalidArgument) if there are no samples, Error(kUnsupported) if a value is not float32.
[[nodiscard]] StatsByValue observe(const Model& model, const std::vector<std::string>& values, const Dataset& data,
                                   const ObserveOptions& options, ProgressSink& progress);

/// The indices of the samples that calibration uses, whole batches of `batch`.
[[nodiscard]] std::vector<std::int64_t> calibration_indices(const Dataset& data, std::int64_t samples,
                                                            std::int64_t batch, std::uint64_t seed);

}  // namespace pare
