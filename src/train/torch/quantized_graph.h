// quantized_graph.h - what quantization-aware training finds in a network of QuantizeLinear and DequantizeLinear nodes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pare/graph.h"
#include "train/torch/fake_quantize.h"

namespace pare {

/// A weight or bias stored as integers behind a DequantizeLinear.
struct StoredWeight {
  std::string name;       ///< the integer initializer
  std::string scale;      ///< initializer
  std::int64_t node = 0;  ///< its DequantizeLinear
  std::int64_t axis = 0;
  IntegerGrid grid = {};
  DType dtype = DType::kInt8;
  /// Of a bias: its scale is the product of these two initializers (activation, weight), and follows them. Empty: it
  /// has a scale of its own.
  std::string input_scale = {}, weight_scale = {};
};

struct QuantizedGraph {
  std::vector<StoredWeight> weights;
  /// QuantizeLinear nodes that round an activation, computed in real numbers: what they give is q already dequantized.
  std::map<std::int64_t, IntegerGrid> rounding;
  std::set<std::int64_t> passing;    ///< DequantizeLinear nodes behind them: nothing is left to do
  std::set<std::int64_t> plain_pad;  ///< Pad nodes between the two, whose padding is the stored form of 0
  /// Scales (initializers) that may move: every reader is known and follows.
  std::set<std::string> movable_activations, movable_weights;

  /// Null if the node is not the DequantizeLinear of a trained weight.
  [[nodiscard]] const StoredWeight* weight_of(std::int64_t node) const;
};

/// `trained`: stored tensors of DequantizeLinear nodes that feed weights and biases (the executor knows which).
/// Throws Error(kInvalidArgument) with the remedy where ranges were set before BatchNormalization was folded, or where
/// nothing is quantized.
[[nodiscard]] QuantizedGraph read_quantized_graph(const Graph& graph, const std::set<std::string>& trained);

}  // namespace pare
