#include "budget/value_channels.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "ops/macs.h"

namespace pare {
namespace {

constexpr std::array<std::string_view, 47> kPassing = {"Abs",
                                                       "Add",
                                                       "AveragePool",
                                                       "BatchNormalization",
                                                       "Cast",
                                                       "Celu",
                                                       "Clip",
                                                       "Div",
                                                       "Dropout",
                                                       "Elu",
                                                       "Erf",
                                                       "Exp",
                                                       "Floor",
                                                       "Gelu",
                                                       "GlobalLpPool",
                                                       "GlobalAveragePool",
                                                       "GlobalMaxPool",
                                                       "HardSigmoid",
                                                       "HardSwish",
                                                       "Identity",
                                                       "InstanceNormalization",
                                                       "LeakyRelu",
                                                       "LpPool",
                                                       "Max",
                                                       "MaxPool",
                                                       "Min",
                                                       "Mish",
                                                       "Mul",
                                                       "Neg",
                                                       "PRelu",
                                                       "Pad",
                                                       "Pow",
                                                       "Reciprocal",
                                                       "Relu",
                                                       "Resize",
                                                       "Round",
                                                       "Selu",
                                                       "Sigmoid",
                                                       "Softplus",
                                                       "Softsign",
                                                       "Sqrt",
                                                       "Sub",
                                                       "Sum",
                                                       "Swish",
                                                       "Tanh",
                                                       "ThresholdedRelu",
                                                       "Upsample"};

bool passes(const Node& node) {
  return node.domain.empty() && std::find(kPassing.begin(), kPassing.end(), node.op_type) != kPassing.end();
}

class Spread {
 public:
  Spread(const Graph& graph, const ChannelFlow& flow) : graph_(graph), shapes_(flow.trace->shapes) {
    is_layer_.resize(graph.nodes.size());
    for (const ChannelLayer& layer : flow.layers) {
      const Node& node = graph.nodes[static_cast<std::size_t>(layer.node)];
      is_layer_[static_cast<std::size_t>(layer.node)] = true;
      const bool along_last = node.op_type.ends_with("MatMul") || node.op_type.ends_with("Gemm");
      const auto inputs = product_inputs(node);
      set(node.input(inputs ? inputs->data : 0), along_last, layer.inputs);
      set(node.output(0), along_last, layer.outputs);
    }
  }

  ChannelsOfValues run() {
    for (bool changed = true; std::exchange(changed, false);) {
      for (std::size_t i = 0; i < graph_.nodes.size(); ++i) changed |= forward(i);
      for (std::size_t i = graph_.nodes.size(); i-- > 0;) changed |= backward(i);
    }
    return std::move(known_);
  }

 private:
  const Shape* shape_of(const std::string& value) const {
    const auto found = shapes_.find(value);
    return found == shapes_.end() ? nullptr : &found->second;
  }
  bool set(const std::string& value, bool along_last, const std::vector<ChannelClass>& classes) {
    const Shape* shape = shape_of(value);
    return shape != nullptr && set(value, along_last ? static_cast<std::int64_t>(shape->size()) - 1 : 1, classes);
  }
  bool set(const std::string& value, std::int64_t axis, const std::vector<ChannelClass>& classes) {
    const Shape* shape = shape_of(value);
    if (shape == nullptr || axis < 0 || axis >= static_cast<std::int64_t>(shape->size()) || known_.contains(value) ||
        (*shape)[static_cast<std::size_t>(axis)] != static_cast<std::int64_t>(classes.size()))
      return false;
    known_[value] = {.axis = axis, .classes = classes};
    return true;
  }
  const ValueChannels* find(const std::string& value) const {
    const auto found = known_.find(value);
    return found == known_.end() ? nullptr : &found->second;
  }

  bool forward(std::size_t index) {
    const Node& node = graph_.nodes[index];
    if (is_layer_[index] || node.outputs.empty() || known_.contains(node.outputs[0])) return false;
    const Shape* output = shape_of(node.outputs[0]);
    if (output == nullptr) return false;
    if (node.is("Concat")) return forward_concat(node, *output);
    if (!passes(node)) return false;
    for (const std::string& input : node.inputs) {
      const ValueChannels* channels = find(input);
      if (channels == nullptr || shape_of(input)->size() != output->size()) continue;
      const ValueChannels copy = *channels;
      if (set(node.outputs[0], copy.axis, copy.classes)) return true;
    }
    return false;
  }

  bool forward_concat(const Node& node, const Shape& output) {
    std::vector<ChannelClass> all;
    std::int64_t axis = node.int_or("axis", 1);
    if (axis < 0) axis += static_cast<std::int64_t>(output.size());
    for (const std::string& input : node.inputs) {
      const ValueChannels* channels = find(input);
      if (channels == nullptr || channels->axis != axis) return false;
      all.insert(all.end(), channels->classes.begin(), channels->classes.end());
    }
    return set(node.outputs[0], axis, all);
  }

  bool backward(std::size_t index) {
    const Node& node = graph_.nodes[index];
    if (is_layer_[index] || node.outputs.empty() || !passes(node)) return false;
    const ValueChannels* channels = find(node.outputs[0]);
    if (channels == nullptr) return false;
    const ValueChannels copy = *channels;
    bool changed = false;
    for (const std::string& input : node.inputs) {
      const Shape* shape = shape_of(input);
      if (shape == nullptr || shape->size() != shape_of(node.outputs[0])->size() || graph_.initializers.contains(input))
        continue;
      changed |= set(input, copy.axis, copy.classes);
    }
    return changed;
  }

  const Graph& graph_;
  const std::unordered_map<std::string, Shape>& shapes_;
  std::vector<bool> is_layer_;
  ChannelsOfValues known_;
};

}  // namespace

ChannelsOfValues channels_of_values(const Graph& graph, const ChannelFlow& flow) { return Spread(graph, flow).run(); }

std::int64_t follower_axis(const Node& node, std::size_t input, const Shape& constant, const ValueChannels& output,
                           std::int64_t output_rank) {
  const auto channels = static_cast<std::int64_t>(output.classes.size());
  const auto rank = static_cast<std::int64_t>(constant.size());
  if (channels < 2) return -1;
  if (node.is("BatchNormalization") || node.is("InstanceNormalization") || node.is("ConvTranspose") ||
      node.op_type.ends_with("Conv"))  // FusedConv of ONNX Runtime too
    return input > 0 && rank == 1 && constant[0] == channels ? 0 : -1;
  // Broadcasting aligns from the last dimension.
  const std::int64_t axis = output.axis - (output_rank - rank);
  return axis >= 0 && axis < rank && constant[static_cast<std::size_t>(axis)] == channels ? axis : -1;
}

}  // namespace pare
