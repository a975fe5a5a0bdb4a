#include "ops/follow_channels.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>

#include "ops/weight_layer.h"

namespace pare {
namespace {

/// Operators that leave every channel in its place or, as Add and Concat, in one that is easy to tell.
constexpr std::array<std::string_view, 35> kKeepChannels = {"Relu",
                                                            "LeakyRelu",
                                                            "PRelu",
                                                            "Clip",
                                                            "Sigmoid",
                                                            "HardSwish",
                                                            "HardSigmoid",
                                                            "Elu",
                                                            "Selu",
                                                            "Celu",
                                                            "Softplus",
                                                            "Tanh",
                                                            "Mish",
                                                            "Gelu",
                                                            "BatchNormalization",
                                                            "MaxPool",
                                                            "AveragePool",
                                                            "GlobalAveragePool",
                                                            "GlobalMaxPool",
                                                            "Dropout",
                                                            "Identity",
                                                            "Add",
                                                            "Mul",
                                                            "Sub",
                                                            "Div",
                                                            "Concat",
                                                            "Resize",
                                                            "Upsample",
                                                            "Cast",
                                                            "Sum",
                                                            "Flatten",
                                                            "InstanceNormalization",
                                                            "QuantizeLinear",
                                                            "DequantizeLinear",
                                                            "Min"};

bool keeps_channels(const Node& node) {
  return node.domain.empty() &&
         std::find(kKeepChannels.begin(), kKeepChannels.end(), node.op_type) != kKeepChannels.end();
}

}  // namespace

std::string channels_end(const Graph& graph, const ConstantRoots& constants, const Node& from) {
  std::deque<std::string> open = {from.output(0)};
  std::unordered_set<std::string> seen = {from.output(0)};
  while (!open.empty()) {
    const std::string value = open.front();
    open.pop_front();
    if (constants.index().is_output(value)) return fmt::format("its channels are those of the output '{}'", value);
    for (const GraphIndex::Use& use : constants.index().uses(value)) {
      const Node& node = graph.nodes[static_cast<std::size_t>(use.node)];
      if (node.is("Shape") || node.is("Size")) continue;
      const bool depthwise = node.is("Conv") && node.int_or("group", 1) > 1;
      if (is_weight_layer(node) && !depthwise) {
        if (use.input == 0 && constants.is_constant(node.input(1))) continue;
        return fmt::format("{} multiplies it with another computed value", node_label(node, use.node));
      }
      if (!depthwise && !keeps_channels(node))
        return fmt::format("it reaches {}, where channels are not followed", node_label(node, use.node));
      if (seen.insert(node.output(0)).second) open.push_back(node.output(0));
    }
  }
  return {};
}

}  // namespace pare
