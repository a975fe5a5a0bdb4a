#include "prune/filters.h"

#include <cmath>

namespace pare {
namespace {

/// Where output channel o has its weights: `outer` runs of `inner` elements, `step` apart, from `first(o)` on.
struct Layout {
  std::int64_t channels = 0, outer = 0, inner = 0, step = 0;
  std::int64_t block = 0;        ///< channels per block of a grouped transposed convolution
  std::int64_t block_start = 0;  ///< distance between blocks
  std::int64_t channel_step = 0;
  [[nodiscard]] std::int64_t first(std::int64_t channel) const {
    return channel / block * block_start + channel % block * channel_step;
  }
};

Layout layout_of(const Node& node, const Shape& shape) {
  std::int64_t kernel = 1;
  for (std::size_t i = 2; i < shape.size(); ++i) kernel *= shape[i];
  if (node.is("ConvTranspose")) {  // [inputs, outputs per block, k...]
    const std::int64_t groups = std::max<std::int64_t>(node.int_or("group", 1), 1), inputs = shape[0] / groups;
    return {.channels = shape[1] * groups,
            .outer = inputs,
            .inner = kernel,
            .step = shape[1] * kernel,
            .block = shape[1],
            .block_start = inputs * shape[1] * kernel,
            .channel_step = kernel};
  }
  // FusedConv and FusedGemm of ONNX Runtime too.
  const bool by_rows =
      node.op_type.ends_with("Conv") || (node.op_type.ends_with("Gemm") && node.int_or("transB", 0) != 0);
  if (by_rows) {
    const std::int64_t row = shape[1] * kernel;
    return {.channels = shape[0], .outer = 1, .inner = row, .step = row, .block = shape[0], .channel_step = row};
  }
  // Gemm, MatMul: columns; leading dimensions of a MatMul's weight are more rows.
  std::int64_t rows = 1;
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  return {.channels = shape.back(),
          .outer = rows,
          .inner = 1,
          .step = shape.back(),
          .block = shape.back(),
          .channel_step = 1};
}

}  // namespace

std::vector<std::vector<double>> filters_of(const Graph& graph, const GraphIndex& index, std::int64_t node_index) {
  const Node& node = graph.nodes[static_cast<std::size_t>(node_index)];
  const Tensor weight = index.constant(node.input(1));
  if (weight.empty() || !is_float(weight.dtype()) || weight.rank() < 2) return {};
  const Layout layout = layout_of(node, weight.shape());
  const std::vector<float> values = weight.to_floats();
  std::vector<std::vector<double>> filters;
  for (std::int64_t channel = 0; channel < layout.channels; ++channel) {
    std::vector<double>& filter = filters.emplace_back();
    filter.reserve(static_cast<std::size_t>(layout.outer * layout.inner));
    for (std::int64_t run = 0; run < layout.outer; ++run) {
      const auto from = values.begin() + layout.first(channel) + run * layout.step;
      filter.insert(filter.end(), from, from + layout.inner);
    }
  }
  return filters;
}

std::vector<double> batchnorm_scales(const Graph& graph, const GraphIndex& index, std::int64_t node) {
  const std::int64_t behind = index.sole_consumer(graph.nodes[static_cast<std::size_t>(node)].output(0));
  if (behind < 0) return {};
  const Node& norm = graph.nodes[static_cast<std::size_t>(behind)];
  if (!norm.is("BatchNormalization")) return {};
  const Tensor gamma = index.constant(norm.input(1)), variance = index.constant(norm.input(4));
  if (gamma.empty() || variance.empty() || gamma.shape() != variance.shape()) return {};
  const std::vector<float> gammas = gamma.to_floats(), variances = variance.to_floats();
  const double epsilon = norm.float_or("epsilon", 1e-5F);
  std::vector<double> scales;
  for (std::size_t i = 0; i < gammas.size(); ++i)
    scales.push_back(std::abs(static_cast<double>(gammas[i])) / std::sqrt(static_cast<double>(variances[i]) + epsilon));
  return scales;
}

}  // namespace pare
