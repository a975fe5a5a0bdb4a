#include "prune/consumer.h"

#include <algorithm>

#include "core/fail.h"

namespace pare {

ReadLayer read_consumer(const Model& model, const GraphIndex& index, const ChannelLayer& layer) {
  ReadLayer read = read_linear_layer(model.graph, index, layer.node);
  if (!read.layer) return read;
  if (read.layer->columns() + 1 > kMostUnknowns)
    return {.layer = std::nullopt, .reason = "it reads more than " + std::to_string(kMostUnknowns) + " numbers"};
  if (static_cast<std::int64_t>(layer.inputs.size()) != read.layer->inputs)
    return {.layer = std::nullopt, .reason = "its channels are counted another way"};
  return read;
}

std::vector<std::int64_t> channels_left(const ChannelLayer& layer, const std::unordered_set<ChannelClass>& removed) {
  std::vector<std::int64_t> channels;
  for (std::size_t c = 0; c < layer.inputs.size(); ++c)
    if (!removed.contains(layer.inputs[c])) channels.push_back(static_cast<std::int64_t>(c));
  return channels;
}

std::vector<std::vector<std::int64_t>> columns_of(const ChannelLayer& layer, const std::vector<std::int64_t>& channels,
                                                  std::int64_t taps, const std::vector<ChannelClass>& classes) {
  std::unordered_map<ChannelClass, std::size_t> item_of;
  for (std::size_t i = 0; i < classes.size(); ++i) item_of[classes[i]] = i;
  std::vector<std::vector<std::int64_t>> columns(classes.size());
  for (std::size_t c = 0; c < channels.size(); ++c) {
    const auto item = item_of.find(layer.inputs[static_cast<std::size_t>(channels[c])]);
    if (item == item_of.end()) continue;
    for (std::int64_t tap = 0; tap < taps; ++tap)
      columns[item->second].push_back(static_cast<std::int64_t>(c) * taps + tap);
  }
  return columns;
}

Matrix weights_of(const LinearLayer& layer, const std::vector<std::int64_t>& channels) {
  const auto count = static_cast<std::int64_t>(channels.size());
  Matrix weights(layer.outputs, count * layer.taps + (layer.can_have_bias ? 1 : 0));
  for (std::int64_t o = 0; o < layer.outputs; ++o) {
    double* row = weights.row(o);
    const float* from = layer.weight.data() + o * layer.columns();
    for (std::int64_t c = 0; c < count; ++c)
      for (std::int64_t tap = 0; tap < layer.taps; ++tap)
        row[c * layer.taps + tap] = from[channels[static_cast<std::size_t>(c)] * layer.taps + tap];
    if (layer.can_have_bias) row[count * layer.taps] = layer.bias[static_cast<std::size_t>(o)];
  }
  return weights;
}

void put_weights(LinearLayer& layer, const std::vector<std::int64_t>& channels, const Matrix& weights) {
  const auto count = static_cast<std::int64_t>(channels.size());
  std::fill(layer.weight.begin(), layer.weight.end(), 0.0F);
  for (std::int64_t o = 0; o < layer.outputs; ++o) {
    const double* row = weights.row(o);
    float* to = layer.weight.data() + o * layer.columns();
    for (std::int64_t c = 0; c < count; ++c)
      for (std::int64_t tap = 0; tap < layer.taps; ++tap)
        to[channels[static_cast<std::size_t>(c)] * layer.taps + tap] = static_cast<float>(row[c * layer.taps + tap]);
    if (layer.can_have_bias) layer.bias[static_cast<std::size_t>(o)] = static_cast<float>(row[count * layer.taps]);
  }
}

void Energy::add(const RowBlock& block) {
  for (float value : block.dense) {
    if (target_.clipped) value = std::clamp(value, target_.lower, target_.upper);
    sum_ += static_cast<double>(value) * static_cast<double>(value);
  }
  rows_ += block.rows;
}

double Energy::mean() const { return std::max(1e-30, sum_ / static_cast<double>(std::max<std::int64_t>(1, rows_))); }

std::vector<double> channel_energies(const Tensor& value, bool channels_first) {
  const Shape& shape = value.shape();
  if (shape.empty() || (channels_first && shape.size() < 2)) return {};
  const std::int64_t channels = channels_first ? shape[1] : shape.back();
  const std::int64_t total = value.element_count();
  const std::int64_t inner = channels_first ? total / std::max<std::int64_t>(1, shape[0] * channels) : 1;
  std::vector<double> sums(static_cast<std::size_t>(channels), 0.0);
  const auto values = value.data<float>();
  for (std::int64_t i = 0; i < total; ++i) {
    const auto x = static_cast<double>(values[static_cast<std::size_t>(i)]);
    sums[static_cast<std::size_t>(i / inner % channels)] += x * x;
  }
  for (double& sum : sums) sum *= static_cast<double>(channels) / static_cast<double>(std::max<std::int64_t>(1, total));
  return sums;
}

std::vector<double> weight_energies(const Graph& graph, std::int64_t node_index, std::int64_t channels) {
  const Node& node = graph.nodes[static_cast<std::size_t>(node_index)];
  const Tensor weight = graph.constant(node.input(1));
  std::vector<double> sums(static_cast<std::size_t>(channels), 0.0);
  if (weight.empty() || weight.rank() < 2) return sums;
  const std::vector<float> values = weight.to_floats();
  const Shape& shape = weight.shape();
  const std::int64_t inner = weight.element_count() / std::max<std::int64_t>(1, shape[0] * shape[1]);
  const bool input_first =
      node.is("ConvTranspose") || node.is("MatMul") || (node.is("Gemm") && node.int_or("transB", 0) == 0);
  const std::int64_t groups = node.is("Conv") ? std::max<std::int64_t>(1, node.int_or("group", 1)) : 1;
  for (std::int64_t a = 0; a < shape[0]; ++a)
    for (std::int64_t b = 0; b < shape[1]; ++b) {
      const std::int64_t channel = input_first ? a : a / std::max<std::int64_t>(1, shape[0] / groups) * shape[1] + b;
      if (channel >= channels) continue;
      for (std::int64_t i = 0; i < inner; ++i) {
        const auto w = static_cast<double>(values[static_cast<std::size_t>((a * shape[1] + b) * inner + i)]);
        sums[static_cast<std::size_t>(channel)] += w * w;
      }
    }
  return sums;
}

}  // namespace pare
