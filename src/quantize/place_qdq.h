// place_qdq.h - writes a plan into a model as QuantizeLinear and DequantizeLinear nodes and int8 weights.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "pare/graph.h"
#include "pare/step.h"
#include "quantize/plan.h"
#include "quantize/ranges.h"

namespace pare {

struct PlaceOptions {
  bool limit_pairs = false;  ///< guard against 16-bit saturation (weights.h)
  /// Added to the bias of a node, per output channel; by node index of the model that is passed in.
  std::map<std::size_t, std::vector<double>> bias_shift = {};
};

struct Placed {
  Model model;
  std::vector<NodeReason> done;      ///< integer nodes
  std::int64_t narrowed_layers = 0;  ///< layers with channels of less than 8 bits against saturation
  std::int64_t vanished = 0;         ///< clamps replaced by the saturation of a Q
};

/// One Q for each quantized value, shared by its readers. What an integer node computes keeps its name behind the DQ
/// (the raw result gets a new one), so that names of values, graph outputs included, mean the same as before; the DQ of
/// a graph input or of a float node's result gets a new name, which integer readers alone read. Weights are stored
/// once; each node has its own int32 bias. `ranges` must hold every value of plan.observed().
[[nodiscard]] Placed place_qdq(const Model& model, const Plan& plan, const Ranges& ranges,
                               const PlaceOptions& options = {});

}  // namespace pare
