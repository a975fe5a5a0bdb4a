// linear_layer.h - a convolution or matrix product as one matrix: what least squares reads and writes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pare/graph.h"

namespace pare {

/// y = W p + b, p the patch of inputs that one output position sees. Columns of W: input channel by input channel, the
/// taps of the kernel inside in their own order; so channel c has the columns c * taps to (c + 1) * taps - 1.
struct LinearLayer {
  std::int64_t node = 0;
  std::int64_t end = 0;      ///< node that makes `output`: `node` itself, or the Add of a constant bias after a MatMul
  bool convolution = false;  ///< data is [N, C, ...]; else rows [..., C]
  std::int64_t outputs = 0, inputs = 0, taps = 1;
  Shape kernel, strides, dilations, pads;  ///< convolution: one per axis, pads twice as many (all begins, all ends)
  std::string auto_pad;                    ///< "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"
  std::int64_t groups = 1;    ///< of a Conv; `inputs` are those of one group. More than one is not fitted to rows
  bool transposed = false;    ///< a ConvTranspose: not fitted to rows
  std::vector<float> weight;  ///< [outputs, inputs * taps]
  std::vector<float> bias;    ///< [outputs]; zeros if the layer has none
  bool can_have_bias = true;  ///< false: a MatMul without an Add
  std::string input, output;

  [[nodiscard]] std::int64_t columns() const noexcept { return inputs * taps; }
};

struct ReadLayer {
  std::optional<LinearLayer> layer;
  std::string reason;  ///< why it is none that can be fitted, "" if it is one
};
/// Conv (one group), Gemm and MatMul with a constant float32 weight that no other node reads.
[[nodiscard]] ReadLayer read_linear_layer(const Graph& graph, const GraphIndex& index, std::int64_t node);

/// Also a Conv of several groups and a ConvTranspose of one: layers that can be changed by their weights alone.
[[nodiscard]] ReadLayer read_weight_layer(const Graph& graph, const GraphIndex& index, std::int64_t node);

/// Puts weight and bias of a layer that was read from that model (or one of the same nodes) into it. A Conv or Gemm
/// without bias gets one if the layer's is not zero.
void write_linear_layer(Model& model, const LinearLayer& layer);

/// Zeroes what a Conv (grouped too), ConvTranspose, Gemm or MatMul reads from these input channels, in a copy of its
/// own if other nodes read the weight. Throws Error(kUnsupported) for any other node or a weight that is no constant.
void zero_input_channels(Model& model, std::int64_t node, const std::vector<std::int64_t>& channels);

}  // namespace pare
