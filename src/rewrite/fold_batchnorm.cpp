// Before:        x -> Conv(W, b) -> t -> BatchNormalization(scale, B, mean, var) -> y
// After:         x -> Conv(W', b') -> y
// Fires when:    the layer (Conv, ConvTranspose, Gemm) has constant weights and t goes nowhere else; or the
//                normalization stands right before a Conv or Gemm, goes nowhere else, and either that layer does not
//                pad or the normalization only scales.
// Declines when: the normalization trains (training_mode, statistics as outputs) or has computed parameters; t is read
//                elsewhere or is an output; weights are computed or not float32/float64; the Conv behind pads.
// Formula:       a = scale / sqrt(var + epsilon), c = B - mean * a
//                behind a layer: W'[m] = a[m] W[m], b'[m] = a[m] b[m] + c[m]
//                before a layer: W'[m, i] = W[m, i] a[i], b'[m] = b[m] + sum over i and kernel of W[m, i] c[i]
#include <cmath>

#include "core/fail.h"
#include "rewrite/rewrites.h"
#include "rewrite/scale_channels.h"

namespace pare {
namespace {

struct Normalization {
  ChannelAffine affine;
  std::string why_not;
};

std::string training_reason(const GraphEdit& edit, const Node& node) {
  if (node.int_or("training_mode", 0) != 0) return "it normalizes by the batch (training_mode is 1)";
  if (node.int_or("spatial", 1) == 0) return "it normalizes per element (spatial is 0)";
  if (edit.opset() < 7 && node.int_or("is_test", 0) == 0) return "it normalizes by the batch (is_test is 0)";
  for (std::size_t i = 1; i < node.outputs.size(); ++i)
    if (!node.outputs[i].empty()) return "it has training outputs";
  return {};
}

Normalization read_normalization(const GraphEdit& edit, std::int64_t index) {
  const Node& node = edit.node(index);
  Normalization read;
  read.why_not = training_reason(edit, node);
  std::vector<std::vector<double>> parameters;
  for (std::size_t i = 1; i <= 4 && read.why_not.empty(); ++i) {
    const Tensor tensor = edit.constant(node.input(i));
    read.why_not = unfit_constant(tensor, fmt::format("its parameter '{}'", node.input(i)));
    if (read.why_not.empty()) parameters.push_back(to_doubles(tensor));
    if (read.why_not.empty() && parameters.back().size() != parameters.front().size())
      read.why_not = "its parameters have different lengths";
  }
  if (!read.why_not.empty()) return read;
  const double epsilon = static_cast<double>(node.float_or("epsilon", 1e-5F));
  for (std::size_t c = 0; c < parameters[0].size(); ++c) {
    const double a = parameters[0][c] / std::sqrt(parameters[3][c] + epsilon);
    const double shift = parameters[1][c] - parameters[2][c] * a;
    if (!std::isfinite(a) || !std::isfinite(shift)) {
      read.why_not = fmt::format("channel {} has no finite scale (variance {})", c, parameters[3][c]);
      return read;
    }
    read.affine.scale.push_back(a);
    read.affine.shift.push_back(shift);
  }
  return read;
}

/// "" when folded into the layer that makes the input.
std::string fold_backward(GraphEdit& edit, std::int64_t index, const ChannelAffine& affine) {
  const std::string input = edit.node(index).input(0);
  const std::int64_t layer = edit.producer(input);
  if (layer < 0) return fmt::format("its input '{}' is made by no layer", input);
  if (!is_layer(edit.node(layer))) return fmt::format("its input comes from {}", node_label(edit.node(layer), layer));
  if (std::string reason = edit.not_private(input); !reason.empty()) return reason;
  if (std::string reason = absorb_behind(edit, layer, affine); !reason.empty()) return reason;
  const std::string output = edit.node(index).output(0);
  edit.remove_node(index);
  edit.set_output(layer, 0, output);
  edit.done(index, fmt::format("folded into {}", node_label(edit.node(layer), layer)));
  return {};
}

/// "" when folded into the one layer that reads the output.
std::string fold_forward(GraphEdit& edit, std::int64_t index, const ChannelAffine& affine) {
  const std::string output = edit.node(index).output(0);
  if (std::string reason = edit.not_private(output); !reason.empty()) return reason;
  const std::int64_t layer = edit.readers(output).front();
  if (!is_layer(edit.node(layer)) || edit.node(layer).input(0) != output)
    return fmt::format("its output goes to {}", node_label(edit.node(layer), layer));
  if (std::string reason = absorb_before(edit, layer, affine); !reason.empty()) return reason;
  const std::string input = edit.node(index).input(0);
  edit.remove_node(index);
  edit.set_input(layer, 0, input);
  edit.done(index, fmt::format("folded forward into {}", node_label(edit.node(layer), layer)));
  return {};
}

StepResult run(const Model& model, Context&) {
  GraphEdit edit(model);
  for (std::int64_t i = 0; i < edit.node_count(); ++i) {
    if (!edit.node(i).is("BatchNormalization")) continue;
    const Normalization read = read_normalization(edit, i);
    if (!read.why_not.empty()) {
      edit.skip(i, read.why_not);
      continue;
    }
    const std::string behind = fold_backward(edit, i, read.affine);
    if (behind.empty()) continue;
    const std::string before = fold_forward(edit, i, read.affine);
    if (!before.empty()) edit.skip(i, fmt::format("backward: {}; forward: {}", behind, before));
  }
  return edit.finish();
}

}  // namespace

StepInfo fold_batchnorm() {
  return rewrite_step("fold_batchnorm", "Folds BatchNormalization into the Conv, ConvTranspose or Gemm beside it", run);
}

}  // namespace pare
