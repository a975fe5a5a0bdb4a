#include "rewrite/scale_channels.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/fail.h"

namespace pare {
namespace {

/// The two constants of a layer in double, and which channel each weight belongs to.
struct Layer {
  std::string why_not;
  Tensor weight, bias;  ///< bias may be empty
  std::int64_t outputs = 0, inputs = 0;
  std::vector<double> weights, biases;  ///< biases: one per output, beta already multiplied in
  std::function<std::int64_t(std::int64_t)> output_of, input_of;
};

void map_conv(Layer& layer, const Shape& shape, std::int64_t group) {
  const std::int64_t per_group = shape[1],
                     kernel = layer.weight.element_count() / std::max<std::int64_t>(shape[0] * shape[1], 1);
  layer.outputs = shape[0];
  layer.inputs = per_group * group;
  const std::int64_t outputs_per_group = std::max<std::int64_t>(shape[0] / group, 1);
  layer.output_of = [=](std::int64_t i) { return i / (per_group * kernel); };
  layer.input_of = [=](std::int64_t i) {
    return i / (per_group * kernel) / outputs_per_group * per_group + i / kernel % per_group;
  };
}

/// Weight [C, M/group, k...]: input channel c lies in group c / (C/group).
void map_conv_transpose(Layer& layer, const Shape& shape, std::int64_t group) {
  const std::int64_t per_group = shape[1],
                     kernel = layer.weight.element_count() / std::max<std::int64_t>(shape[0] * shape[1], 1);
  const std::int64_t inputs_per_group = std::max<std::int64_t>(shape[0] / group, 1);
  layer.outputs = per_group * group;
  layer.inputs = shape[0];
  layer.output_of = [=](std::int64_t i) {
    return i / (per_group * kernel) / inputs_per_group * per_group + i / kernel % per_group;
  };
  layer.input_of = [=](std::int64_t i) { return i / (per_group * kernel); };
}

void map_gemm(Layer& layer, const Shape& shape, bool transposed) {
  const std::int64_t columns = shape[1];
  layer.outputs = transposed ? shape[0] : shape[1];
  layer.inputs = transposed ? shape[1] : shape[0];
  const auto row = [=](std::int64_t i) { return i / columns; };
  const auto column = [=](std::int64_t i) { return i % columns; };
  if (transposed) {
    layer.output_of = row, layer.input_of = column;
  } else {
    layer.output_of = column, layer.input_of = row;
  }
}

/// Per output; empty and a reason if the bias has another form.
std::string read_bias(Layer& layer, const Node& node) {
  layer.biases.assign(static_cast<std::size_t>(layer.outputs), 0.0);
  if (node.input(2).empty()) return {};
  if (std::string reason = unfit_constant(layer.bias, "its bias"); !reason.empty()) return reason;
  const double beta = node.is("Gemm") ? static_cast<double>(node.float_or("beta", 1.0F)) : 1.0;
  const std::vector<double> values = to_doubles(layer.bias);
  const auto count = static_cast<std::int64_t>(values.size());
  const bool by_row = count > 1 && (layer.bias.shape().empty() || layer.bias.shape().back() != layer.outputs);
  if ((count != 1 && count != layer.outputs) || by_row)
    return fmt::format("its bias has shape {}, not one value per output", shape_text(layer.bias.shape()));
  for (std::size_t i = 0; i < layer.biases.size(); ++i) layer.biases[i] = beta * values[count == 1 ? 0 : i];
  return {};
}

Layer read_layer(const GraphEdit& edit, std::int64_t index) {
  const Node& node = edit.node(index);
  Layer layer;
  layer.weight = edit.constant(node.input(1));
  layer.bias = edit.constant(node.input(2));
  layer.why_not = unfit_constant(layer.weight, "its weight");
  if (layer.why_not.empty() && layer.weight.rank() < 2) layer.why_not = "its weight has fewer than two dimensions";
  if (!layer.why_not.empty()) return layer;
  const std::int64_t group = std::max<std::int64_t>(1, node.int_or("group", 1));
  if (node.is("Conv")) map_conv(layer, layer.weight.shape(), group);
  if (node.is("ConvTranspose")) map_conv_transpose(layer, layer.weight.shape(), group);
  if (node.is("Gemm")) map_gemm(layer, layer.weight.shape(), node.int_or("transB", 0) != 0);
  layer.why_not = read_bias(layer, node);
  if (layer.why_not.empty()) layer.weights = to_doubles(layer.weight);
  return layer;
}

bool all_are(const std::vector<double>& values, double wanted) {
  return std::all_of(values.begin(), values.end(), [=](double value) { return value == wanted; });
}

bool all_finite(const Tensor& like, const std::vector<double>& values) {
  const double limit = like.dtype() == DType::kFloat32 ? 3.4028234e38 : 1.7e308;
  return std::all_of(values.begin(), values.end(), [=](double value) { return std::abs(value) <= limit; });
}

/// Writes back what has changed.
std::string store(GraphEdit& edit, std::int64_t index, const Layer& layer, bool weights_changed, bool biases_changed) {
  if (!all_finite(layer.weight, layer.weights) || !all_finite(layer.weight, layer.biases))
    return "the folded weights would not be finite";
  const std::string weight_name = edit.node(index).input(1);
  if (weights_changed)
    edit.set_weight(index, 1, from_doubles(layer.weight, layer.weights, layer.weight.shape()), weight_name + "_folded");
  if (!biases_changed) return {};
  Tensor bias = from_doubles(layer.weight, layer.biases, {layer.outputs});
  if (edit.node(index).input(2).empty())
    edit.set_input(index, 2, edit.add_initializer(weight_name + "_bias", std::move(bias)));
  else
    edit.set_weight(index, 2, std::move(bias), edit.node(index).input(2) + "_folded");
  if (edit.node(index).is("Gemm")) edit.change_attributes(index).remove_attribute("beta");
  return {};
}

bool pads_nothing(const Node& conv) {
  const std::string automatic = conv.string_or("auto_pad", "NOTSET");
  if (automatic == "VALID") return true;
  if (automatic != "NOTSET") return false;
  const std::vector<std::int64_t> pads = conv.ints_or("pads", {});
  return std::all_of(pads.begin(), pads.end(), [](std::int64_t pad) { return pad == 0; });
}

}  // namespace

bool is_layer(const Node& node) { return node.is("Conv") || node.is("ConvTranspose") || node.is("Gemm"); }

std::int64_t output_channels(const GraphEdit& edit, std::int64_t index) {
  const Node& node = edit.node(index);
  const Tensor weight = edit.constant(node.input(1));
  if (weight.empty() || weight.rank() < 2) return 0;
  if (node.is("ConvTranspose")) return weight.shape()[1] * node.int_or("group", 1);
  if (node.is("Gemm") && node.int_or("transB", 0) == 0) return weight.shape()[1];
  return weight.shape()[0];
}

std::string absorb_behind(GraphEdit& edit, std::int64_t index, const ChannelAffine& affine) {
  Layer layer = read_layer(edit, index);
  const std::string label = node_label(edit.node(index), index);
  if (!layer.why_not.empty()) return fmt::format("{}: {}", label, layer.why_not);
  if (static_cast<std::int64_t>(affine.scale.size()) != layer.outputs)
    return fmt::format("{} makes {} channels, not {}", label, layer.outputs, affine.scale.size());
  const bool scales = !all_are(affine.scale, 1);
  if (scales)
    for (std::size_t i = 0; i < layer.weights.size(); ++i)
      layer.weights[i] *= affine.scale[static_cast<std::size_t>(layer.output_of(static_cast<std::int64_t>(i)))];
  for (std::size_t i = 0; i < layer.biases.size(); ++i)
    layer.biases[i] = layer.biases[i] * affine.scale[i] + affine.shift[i];
  const bool has_bias = !edit.node(index).input(2).empty();
  std::string reason = store(edit, index, layer, scales, has_bias || !all_are(affine.shift, 0));
  return reason.empty() ? reason : fmt::format("{}: {}", label, reason);
}

std::string absorb_before(GraphEdit& edit, std::int64_t index, const ChannelAffine& affine) {
  const Node& node = edit.node(index);
  const std::string label = node_label(node, index);
  const bool shifts = !all_are(affine.shift, 0);
  if (node.is("Gemm") && node.int_or("transA", 0) != 0) return fmt::format("{} transposes its input", label);
  if (shifts && node.is("ConvTranspose")) return fmt::format("{}: the borders would change", label);
  if (shifts && node.is("Conv") && !pads_nothing(node))
    return fmt::format("{} pads with zeros, which a shift would turn into another value at the borders", label);
  Layer layer = read_layer(edit, index);
  if (!layer.why_not.empty()) return fmt::format("{}: {}", label, layer.why_not);
  if (static_cast<std::int64_t>(affine.scale.size()) != layer.inputs)
    return fmt::format("{} reads {} channels, not {}", label, layer.inputs, affine.scale.size());
  const double alpha = node.is("Gemm") ? static_cast<double>(node.float_or("alpha", 1.0F)) : 1.0;
  for (std::size_t i = 0; i < layer.weights.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const auto input = static_cast<std::size_t>(layer.input_of(at));
    if (shifts)
      layer.biases[static_cast<std::size_t>(layer.output_of(at))] += alpha * layer.weights[i] * affine.shift[input];
    layer.weights[i] *= affine.scale[input];
  }
  std::string reason = store(edit, index, layer, true, shifts);
  return reason.empty() ? reason : fmt::format("{}: {}", label, reason);
}

std::vector<double> to_doubles(const Tensor& tensor) {
  if (tensor.dtype() == DType::kFloat64) {
    const std::span<const double> values = tensor.data<double>();
    return {values.begin(), values.end()};
  }
  const std::span<const float> values = tensor.data<float>();
  return {values.begin(), values.end()};
}

Tensor from_doubles(const Tensor& like, const std::vector<double>& values, const Shape& shape) {
  if (like.dtype() == DType::kFloat64) return Tensor::of<double>(shape, values);
  return Tensor::of<float>(shape, std::vector<float>(values.begin(), values.end()));
}

std::string unfit_constant(const Tensor& tensor, std::string_view what) {
  if (tensor.empty()) return fmt::format("{} is not a constant", what);
  if (tensor.dtype() == DType::kFloat32 || tensor.dtype() == DType::kFloat64) return {};
  return fmt::format("{} is {}: folding would round it again", what, dtype_name(tensor.dtype()));
}

}  // namespace pare
