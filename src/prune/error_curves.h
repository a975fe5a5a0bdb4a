// error_curves.h - what it costs to take channels out of a group, measured on unlabelled samples after the best repair.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "budget/curve.h"
#include "pare/channels.h"
#include "pare/dataset.h"
#include "pare/progress.h"
#include "pare/session.h"

namespace pare {

struct CurveOptions {
  std::int64_t samples = 512;          ///< for the moments
  std::int64_t measured_samples = 64;  ///< at most, for the error of the outputs; 0: not measured
  std::uint64_t seed = 0;
  double damping = 1e-3;
  SessionOptions session{};  ///< its threads also for the matrix products
};

/// One curve per free group, in the order of the groups. Errors are those of the dense network with nothing but this
/// group cut, its consumers repaired by least squares.
struct ErrorCurves {
  /// Squared error at the consumers over the energy of their activations, summed over consumers.
  std::vector<ErrorCurve> local;
  /// The same times one measurement: squared error of the network's outputs (over their energy) with half of the group
  /// gone. Empty if it was not asked for.
  std::vector<ErrorCurve> scaled;
  /// Consumers that cannot be fitted, with reasons; their share is the energy that is lost without repair.
  std::vector<std::string> notes;
};
/// `flow` must be that of the model. Throws Error of dataset and runtime, Error(kNumeric) on NaN in the activations.
[[nodiscard]] ErrorCurves error_curves(const Model& model, const ChannelFlow& flow, const Dataset& data,
                                       const CurveOptions& options = {}, ProgressSink& progress = silent_progress());

}  // namespace pare
