// layer_error.h - where a quantized model departs from its float model: signal to noise, value by value.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pare/dataset.h"
#include "pare/graph.h"
#include "pare/progress.h"
#include "pare/session.h"

namespace pare {

/// The same quantity in two models.
struct ValuePair {
  std::string reference, other;
  [[nodiscard]] bool operator==(const ValuePair&) const = default;
};

/// What nodes of `reference` make and `other` has under the same name. Where `other` quantizes such a value, its pair
/// is what DequantizeLinear makes of it, since that is what later nodes read. In the order of the reference's nodes;
/// constants and values known to be no floats are left out.
[[nodiscard]] std::vector<ValuePair> match_values(const Model& reference, const Model& other);

struct LayerErrorOptions {
  std::int64_t samples = 64;  ///< spread over the dataset
  std::int64_t batch_size = 8;
  std::int64_t values_per_chunk = 16;  ///< values held at a time; the samples are run once for each chunk
  SessionOptions session{};            ///< extra_outputs is set for each chunk
  std::uint64_t seed = 0;
};

struct LayerError {
  ValuePair values;
  /// 10 log10(sum x^2 / sum (x - y)^2) over all elements of all samples: infinite if nothing differs, minus infinite if
  /// either has NaN or infinity, or the reference is all 0 and the other is not.
  double snr_db = 0;
  double max_abs = 0;
  std::int64_t elements = 0;  ///< compared, over all samples
};

using OpenSession = std::function<std::unique_ptr<Session>(const Model&, const SessionOptions&)>;

/// Runs both models on the same samples; worst first, equals in the order of `pairs`. Values that turn out to be no
/// floats are left out. Throws Error(kInvalidArgument) if the shapes of a pair differ. Networks of fixed batch get the
/// last sample repeated to fill the last batch. `open` is for tests.
[[nodiscard]] std::vector<LayerError> layer_errors(const Model& reference, const Model& other,
                                                   const std::vector<ValuePair>& pairs, const Dataset& dataset,
                                                   const LayerErrorOptions& options = {},
                                                   ProgressSink& progress = silent_progress(),
                                                   const OpenSession& open = {});

}  // namespace pare
