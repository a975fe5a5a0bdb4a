// side_by_side.h - how many times as fast a changed network is as the one it was made from, and the sentence that says
// so.
#pragma once

#include <string>

#include "pare/graph.h"
#include "pare/measure.h"
#include "pare/session.h"

namespace pare {

struct SideBySide {
  SpeedComparison speed;
  std::string timed_with;  ///< the runtime, in words

  /// "measured 1.31 times as fast as before (1.29 to 1.33), ONNX Runtime ..., batch 1".
  [[nodiscard]] std::string text() const;
};

struct SideBySideOptions {
  BenchmarkOptions benchmark = {};
  /// A busy machine gets more time: the budget is doubled, from benchmark.budget_s up to this, until the interval is
  /// narrow enough. 0: measured once.
  double most_s = 0;
  double narrow = 0;  ///< width of an interval that is narrow enough, of the ratio
};

/// Opens both, without extra outputs, and times them on `inputs`, one sample of the model's.
[[nodiscard]] SideBySide time_side_by_side(const Model& before, const Model& after, const NamedTensors& inputs,
                                           SessionOptions session, const SideBySideOptions& options,
                                           ProgressSink& progress = silent_progress());

}  // namespace pare
