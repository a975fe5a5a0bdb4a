// Before:        x -> Conv(W) -> t -> Mul(t, m[1,C,1,1]) -> u -> Add(u, b[1,C,1,1]) -> y
// After:         x -> Conv(m W, b) -> y
// Fires when:    Add, Sub, Mul or Div by a constant with one value per channel (or one in all) follows Conv,
//                ConvTranspose, Gemm or BatchNormalization and the value between goes nowhere else; MatMul(x, W) of a
//                matrix x takes a Mul or Div into W and becomes Gemm(x, W, b) with an Add.
// Declines when: the constant varies over pixels or samples or would widen the result; the value between is read
//                elsewhere or is an output; weights are computed or not float32/float64.
// Formula:       y = s t + h: W' = s W, bias' = s bias + h. Add: s 1, h c; t - c: 1, -c; c - t: -1, c; Mul: c, 0;
//                t / c: 1 / c, 0. In a BatchNormalization: scale' = s scale, B' = s B + h.
#include <cmath>

#include "core/fail.h"
#include "rewrite/rewrites.h"
#include "rewrite/scale_channels.h"

namespace pare {
namespace {

/// What a node with one constant operand does to its other one.
struct Arithmetic {
  std::string value;     ///< the operand that is no constant; "": the node is no such arithmetic
  std::string constant;  ///< name of the other
  bool reversed = false;
};

Arithmetic read_arithmetic(const GraphEdit& edit, const Node& node) {
  const bool commutes = node.is("Add") || node.is("Mul");
  if ((!commutes && !node.is("Sub") && !node.is("Div")) || node.inputs.size() != 2) return {};
  const bool first = !edit.constant(node.inputs[0]).empty(), second = !edit.constant(node.inputs[1]).empty();
  if (first == second || (first && node.is("Div"))) return {};
  return {node.inputs[first ? 1 : 0], node.inputs[first ? 0 : 1], first && !commutes};
}

/// One value per channel of a tensor of that rank, or a reason why the constant is none.
struct PerChannel {
  std::vector<double> values;
  std::string why_not;
};

PerChannel per_channel(const Tensor& constant, std::int64_t rank, std::int64_t axis, std::int64_t channels) {
  PerChannel read;
  read.why_not = unfit_constant(constant, "its constant");
  if (!read.why_not.empty()) return read;
  const Shape& shape = constant.shape();
  const std::int64_t missing = rank - constant.rank();
  bool fits = missing >= 0;
  for (std::int64_t i = 0; fits && i < constant.rank(); ++i) {
    const std::int64_t dim = shape[static_cast<std::size_t>(i)];
    fits = dim == 1 || (i + missing == axis && dim == channels);
  }
  if (!fits) {
    read.why_not =
        fmt::format("its constant has shape {}, not one value per channel ({})", shape_text(shape), channels);
    return read;
  }
  read.values = to_doubles(constant);
  if (read.values.size() == 1) read.values.assign(static_cast<std::size_t>(channels), read.values[0]);
  return read;
}

ChannelAffine affine_of(const Node& node, bool reversed, const std::vector<double>& constant) {
  ChannelAffine affine;
  for (const double c : constant) {
    const bool adds = node.is("Add") || node.is("Sub");
    affine.scale.push_back(node.is("Mul") ? c : node.is("Div") ? 1 / c : reversed ? -1 : 1);
    affine.shift.push_back(!adds ? 0 : node.is("Sub") && !reversed ? -c : c);
  }
  return affine;
}

std::string into_batchnorm(GraphEdit& edit, std::int64_t index, const ChannelAffine& affine) {
  const Node& node = edit.node(index);
  const Tensor scale = edit.constant(node.input(1)), bias = edit.constant(node.input(2));
  for (const Tensor& tensor : {scale, bias})
    if (std::string reason = unfit_constant(tensor, "a parameter of the normalization"); !reason.empty()) return reason;
  std::vector<double> scales = to_doubles(scale), biases = to_doubles(bias);
  if (scales.size() != affine.scale.size() || biases.size() != scales.size()) return "the channels do not match";
  for (std::size_t c = 0; c < scales.size(); ++c) {
    scales[c] *= affine.scale[c];
    biases[c] = biases[c] * affine.scale[c] + affine.shift[c];
    if (!std::isfinite(scales[c]) || !std::isfinite(biases[c])) return "the folded parameters would not be finite";
  }
  const std::string scale_name = node.input(1), bias_name = node.input(2);
  edit.set_weight(index, 1, from_doubles(scale, scales, scale.shape()), scale_name + "_folded");
  edit.set_weight(index, 2, from_doubles(bias, biases, bias.shape()), bias_name + "_folded");
  return {};
}

std::string into_matmul(GraphEdit& edit, std::int64_t matmul, std::int64_t index, const Arithmetic& read) {
  const std::string weight_name = edit.node(matmul).input(1);
  const Tensor weight = edit.constant(weight_name), constant = edit.constant(read.constant);
  if (std::string reason = unfit_constant(weight, "the matrix"); !reason.empty()) return reason;
  if (weight.rank() != 2) return fmt::format("the weight has {} dimensions", weight.rank());
  const std::int64_t columns = weight.shape()[1];
  const auto shape = edit.known_shape(edit.node(matmul).input(0));
  const std::int64_t rank = shape ? static_cast<std::int64_t>(shape->size()) : 1;
  const PerChannel channel = per_channel(constant, rank, rank - 1, columns);
  if (!channel.why_not.empty()) return channel.why_not;
  if (edit.node(index).is("Add")) {
    if (!shape || rank != 2) return "MatMul becomes Gemm only where its input is known to be a matrix";
    edit.change_attributes(matmul).op_type = "Gemm";
    edit.set_input(matmul, 2, read.constant);
    return {};
  }
  if (edit.node(index).is("Sub")) return "MatMul has no bias to subtract from";
  const ChannelAffine affine = affine_of(edit.node(index), read.reversed, channel.values);
  std::vector<double> weights = to_doubles(weight);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] *= affine.scale[i % static_cast<std::size_t>(columns)];
    if (!std::isfinite(static_cast<float>(weights[i]))) return "the folded weights would not be finite";
  }
  edit.set_weight(matmul, 1, from_doubles(weight, weights, weight.shape()), weight_name + "_folded");
  return {};
}

/// "" when the arithmetic went into `layer`.
std::string absorb(GraphEdit& edit, std::int64_t layer, std::int64_t index, const Arithmetic& read) {
  if (std::string reason = edit.not_private(read.value); !reason.empty()) return reason;
  const Node& node = edit.node(layer);
  if (node.is("MatMul")) return into_matmul(edit, layer, index, read);
  std::int64_t rank = 2, channels = 0;
  if (node.is("BatchNormalization")) {
    for (std::size_t i = 1; i < node.outputs.size(); ++i)
      if (!node.outputs[i].empty()) return "the normalization has training outputs";
    const auto shape = edit.known_shape(read.value);
    if (!shape) return "the rank of its input is not known";
    rank = static_cast<std::int64_t>(shape->size());
    const Tensor scale = edit.constant(node.input(1));
    channels = scale.empty() ? 0 : scale.element_count();
  } else {
    if (!node.is("Gemm")) rank = edit.constant(node.input(1)).rank();
    channels = output_channels(edit, layer);
  }
  if (channels == 0) return fmt::format("{}: its weight is not a constant", node_label(node, layer));
  const PerChannel channel = per_channel(edit.constant(read.constant), rank, 1, channels);
  if (!channel.why_not.empty()) return channel.why_not;
  const ChannelAffine affine = affine_of(edit.node(index), read.reversed, channel.values);
  return node.is("BatchNormalization") ? into_batchnorm(edit, layer, affine) : absorb_behind(edit, layer, affine);
}

StepResult run(const Model& model, Context&) {
  GraphEdit edit(model);
  if (edit.opset() < 7) {  // Add-6 broadcasts by an attribute
    return edit.finish();
  }
  for (std::int64_t i = 0; i < edit.node_count(); ++i) {
    const Arithmetic read = read_arithmetic(edit, edit.node(i));
    const std::int64_t layer = read.value.empty() ? -1 : edit.producer(read.value);
    if (layer < 0) continue;
    const Node& node = edit.node(layer);
    if (!is_layer(node) && !node.is("BatchNormalization") && !node.is("MatMul")) continue;
    if (std::string reason = absorb(edit, layer, i, read); !reason.empty()) {
      edit.skip(i, reason);
      continue;
    }
    const std::string output = edit.node(i).output(0);
    edit.remove_node(i);
    edit.set_output(layer, 0, output);
    edit.done(i, fmt::format("taken into {}", node_label(edit.node(layer), layer)));
  }
  return edit.finish();
}

}  // namespace

StepInfo fuse_bias_add() {
  return rewrite_step("fuse_bias_add", "Takes a following Add, Sub, Mul or Div by per-channel constants into the layer",
                      run);
}

}  // namespace pare
