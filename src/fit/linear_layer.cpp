#include "fit/linear_layer.h"

#include <algorithm>

#include "core/fail.h"
#include "ops/weight_layer.h"

namespace pare {
namespace {

ReadLayer decline(std::string reason) { return {.layer = std::nullopt, .reason = std::move(reason)}; }

std::vector<float> transposed_floats(std::span<const float> values, std::int64_t rows, std::int64_t cols) {
  std::vector<float> result(values.size());
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < cols; ++c)
      result[static_cast<std::size_t>(c * rows + r)] = values[static_cast<std::size_t>(r * cols + c)];
  return result;
}

/// [a, b, inner] as [b, a, inner].
std::vector<float> swapped_channels(std::span<const float> values, std::int64_t a, std::int64_t b) {
  const std::int64_t inner = static_cast<std::int64_t>(values.size()) / std::max<std::int64_t>(1, a * b);
  std::vector<float> result(values.size());
  for (std::int64_t i = 0; i < a; ++i)
    for (std::int64_t j = 0; j < b; ++j)
      std::copy_n(values.begin() + (i * b + j) * inner, inner, result.begin() + (j * a + i) * inner);
  return result;
}

/// Weight as the node stores it: [outputs, columns], or the other way round.
bool stored_transposed(const Node& node) {
  return node.is("MatMul") || (node.is("Gemm") && node.int_or("transB", 0) == 0);
}

void read_convolution(const Node& node, const Tensor& weight, LinearLayer& layer) {
  const auto axes = static_cast<std::size_t>(weight.rank() - 2);
  layer.convolution = true;
  layer.outputs = weight.shape()[0];
  layer.inputs = weight.shape()[1];
  layer.kernel.assign(weight.shape().begin() + 2, weight.shape().end());
  layer.taps = element_count(layer.kernel);
  layer.strides = node.ints_or("strides", Shape(axes, 1));
  layer.dilations = node.ints_or("dilations", Shape(axes, 1));
  layer.pads = node.ints_or("pads", Shape(2 * axes, 0));
  layer.auto_pad = node.string_or("auto_pad", "NOTSET");
}

/// A MatMul's bias is the constant that its only reader adds.
void find_added_bias(const Graph& graph, const GraphIndex& index, LinearLayer& layer) {
  layer.can_have_bias = false;
  const std::int64_t reader = index.sole_consumer(layer.output);
  if (reader < 0) return;
  const Node& add = graph.nodes[static_cast<std::size_t>(reader)];
  if (!add.is("Add")) return;
  const std::string& other = add.input(0) == layer.output ? add.input(1) : add.input(0);
  const Tensor constant = index.constant(other);
  if (constant.empty() || constant.dtype() != DType::kFloat32 || constant.rank() < 1 ||
      constant.element_count() != layer.outputs || constant.shape().back() != layer.outputs)
    return;
  if (index.uses(other).size() != 1) return;
  layer.can_have_bias = true;
  layer.end = reader;
  layer.output = add.output(0);
  layer.bias = constant.to_floats();
}

bool is_floats(const Tensor& tensor) { return !tensor.empty() && tensor.dtype() == DType::kFloat32; }

std::int64_t bias_input(const Node& node) {
  return node.is("Conv") || node.is("ConvTranspose") || node.is("Gemm") ? 2 : -1;
}

/// Gives the node the tensor at that input; under the old name if that is an initializer that nobody else reads.
void set_weight(Model& model, std::int64_t node_index, std::size_t input, Tensor tensor, const char* wanted) {
  Graph& graph = model.graph;
  Node& node = graph.nodes[static_cast<std::size_t>(node_index)];
  const std::string old = node.input(input);
  if (!old.empty() && graph.initializers.contains(old) && GraphIndex(graph).uses(old).size() == 1) {
    graph.initializers.set(old, std::move(tensor));
    return;
  }
  if (node.inputs.size() <= input) node.inputs.resize(input + 1);
  NameGenerator names(graph);
  const std::string fresh = names.fresh(old.empty() ? node.output(0) + wanted : old);
  graph.nodes[static_cast<std::size_t>(node_index)].inputs[input] = fresh;
  graph.initializers.set(fresh, std::move(tensor));
}

ReadLayer read_layer(const Graph& graph, const GraphIndex& index, std::int64_t node_index, bool by_weights) {
  const Node& node = graph.nodes[static_cast<std::size_t>(node_index)];
  const bool transposed = by_weights && node.is("ConvTranspose"), conv = transposed || node.is("Conv");
  if (!conv && !node.is("Gemm") && !node.is("MatMul")) return decline(node.op_type + " is not fitted");
  const Tensor weight = index.constant(node.input(1));
  if (!is_floats(weight)) return decline("its weight is no float32 constant");
  if (index.uses(node.input(1)).size() != 1) return decline("other nodes read its weight too");
  LinearLayer layer;
  layer.node = layer.end = node_index;
  layer.input = node.input(0);
  layer.output = node.output(0);
  if (conv) {
    if (node.int_or("group", 1) != 1 && (transposed || !by_weights)) return decline("it has several groups");
    if (weight.rank() < 3) return decline("its weight is no kernel");
    read_convolution(node, weight, layer);
    layer.groups = node.int_or("group", 1);
    layer.transposed = transposed;
    layer.weight = weight.to_floats();
    if (transposed) {
      layer.weight = swapped_channels(layer.weight, layer.outputs, layer.inputs);
      std::swap(layer.outputs, layer.inputs);
    }
  } else {
    if (weight.rank() != 2) return decline("its weight is no matrix");
    if (node.is("Gemm") &&
        (node.int_or("transA", 0) != 0 || node.float_or("alpha", 1) != 1.0F || node.float_or("beta", 1) != 1.0F))
      return decline("it has transA, alpha or beta");
    const bool flip = stored_transposed(node);
    layer.outputs = weight.shape()[flip ? 1 : 0];
    layer.inputs = weight.shape()[flip ? 0 : 1];
    layer.weight = flip ? transposed_floats(weight.data<float>(), layer.inputs, layer.outputs) : weight.to_floats();
  }
  if (node.is("MatMul")) {
    find_added_bias(graph, index, layer);
  } else if (!node.input(2).empty()) {
    const Tensor bias = index.constant(node.input(2));
    if (!is_floats(bias)) return decline("its bias is no float32 constant");
    const std::int64_t count = bias.element_count();
    if (count != 1 && (count != layer.outputs || bias.shape().back() != layer.outputs))
      return decline("its bias is not one number per output");
    layer.bias = bias.to_floats();
    layer.bias.resize(static_cast<std::size_t>(layer.outputs), layer.bias[0]);
  }
  layer.bias.resize(static_cast<std::size_t>(layer.outputs), 0.0F);
  return {.layer = std::move(layer), .reason = ""};
}

}  // namespace

ReadLayer read_linear_layer(const Graph& graph, const GraphIndex& index, std::int64_t node) {
  return read_layer(graph, index, node, false);
}

ReadLayer read_weight_layer(const Graph& graph, const GraphIndex& index, std::int64_t node) {
  return read_layer(graph, index, node, true);
}

void write_linear_layer(Model& model, const LinearLayer& layer) {
  const Node node = model.graph.nodes[static_cast<std::size_t>(layer.node)];
  const bool flip = stored_transposed(node);
  Shape shape = {layer.outputs, layer.inputs};
  if (flip || layer.transposed) std::swap(shape[0], shape[1]);
  shape.insert(shape.end(), layer.kernel.begin(), layer.kernel.end());
  std::vector<float> weight = layer.weight;
  if (flip) weight = transposed_floats(weight, layer.outputs, layer.inputs);
  if (layer.transposed) weight = swapped_channels(weight, layer.outputs, layer.inputs);
  set_weight(model, layer.node, 1, Tensor::of(shape, std::move(weight)), "_weight");
  const bool zero = std::all_of(layer.bias.begin(), layer.bias.end(), [](float value) { return value == 0; });
  if (const std::int64_t input = bias_input(node); input >= 0) {
    if (zero && node.input(2).empty()) return;
    set_weight(model, layer.node, 2, Tensor::of({layer.outputs}, layer.bias), "_bias");
  } else if (layer.end != layer.node) {
    const Node& add = model.graph.nodes[static_cast<std::size_t>(layer.end)];
    const std::size_t input_index = add.input(0) == node.output(0) ? 1 : 0;
    const Tensor old = model.graph.constant(add.input(input_index));
    set_weight(model, layer.end, input_index, Tensor::of(old.shape(), layer.bias), "_bias");
  }
}

void zero_input_channels(Model& model, std::int64_t node_index, const std::vector<std::int64_t>& channels) {
  if (channels.empty()) return;
  const Node node = model.graph.nodes[static_cast<std::size_t>(node_index)];
  const Tensor weight = model.graph.constant(node.input(1));
  if (!is_weight_layer(node) || !is_floats(weight) || weight.rank() < 2)
    fail(ErrorCode::kUnsupported, "{}: cannot take input channels out of this node\n  remedy: leave its channels whole",
         node_label(node, node_index));
  std::vector<float> values = weight.to_floats();
  const Shape& shape = weight.shape();
  const std::int64_t inner = element_count(shape) / std::max<std::int64_t>(1, shape[0] * shape[1]);
  const bool input_first = node.is("ConvTranspose") || stored_transposed(node);
  const std::int64_t per_group = input_first ? shape[0] : shape[1];
  const std::int64_t groups = node.is("Conv") ? node.int_or("group", 1) : 1;
  for (const std::int64_t channel : channels) {
    if (channel < 0 || channel >= per_group * groups)
      fail(ErrorCode::kInternal, "{}: no input channel {}", node_label(node, node_index), channel);
    if (input_first) {
      std::fill_n(values.begin() + channel * shape[1] * inner, shape[1] * inner, 0.0F);
      continue;
    }
    const std::int64_t rows = shape[0] / groups, first = channel / per_group * rows;
    for (std::int64_t row = first; row < first + rows; ++row)
      std::fill_n(values.begin() + (row * shape[1] + channel % per_group) * inner, inner, 0.0F);
  }
  set_weight(model, node_index, 1, Tensor::of(shape, values), "_weight");
}

}  // namespace pare
