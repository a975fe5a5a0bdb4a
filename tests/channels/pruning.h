// pruning.h - what tests of channels share: networks from text with random weights, a cut that is proved, what is left.
#pragma once

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "channels/oracle.h"
#include "core/random.h"
#include "pare/channels.h"
#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {

/// A graph in ONNX's text form. What it declares as "float[8, 3, 3, 3] w" among the constants without giving values
/// becomes an initializer of random ones: positive if the name begins with "var", small if it is a vector.
inline Model network(std::string_view graph, int opset = 17, std::uint64_t seed = 7) {
  Model model =
      model_from_text("<ir_version: 8, opset_import: [\"\" : " + std::to_string(opset) + "]>\n" + std::string(graph));
  const GraphIndex index(model.graph);
  Rng rng(seed);
  for (const ValueInfo& info : model.graph.value_info) {
    if (info.dtype != DType::kFloat32 || !info.static_shape() || index.producer(info.name) >= 0) continue;
    const Shape shape = *info.static_shape();
    const double fan_in =
        shape.size() < 2 ? 4 : static_cast<double>(element_count(shape) / std::max<std::int64_t>(1, shape[0]));
    std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
    for (float& value : values)
      value = static_cast<float>(info.name.starts_with("var") ? rng.uniform(0.5, 1.5)
                                                              : rng.uniform(-1, 1) * std::sqrt(3 / fan_in));
    model.graph.initializers.set(info.name, Tensor::of<float>(shape, values));
  }
  model.graph.value_info.clear();
  return model;
}

inline ChannelFlow flow_of(const Model& model) { return trace_channels(model, inputs_of(model, 1)); }

inline std::int64_t node_of(const Model& model, std::string_view output) {
  const std::int64_t node = GraphIndex(model.graph).producer(output);
  if (node < 0) throw std::runtime_error("no node makes '" + std::string(output) + "'");
  return node;
}

/// The layer whose node makes the value.
inline const ChannelLayer& layer_of(const Model& model, const ChannelFlow& flow, std::string_view output) {
  const std::int64_t node = node_of(model, output);
  for (const ChannelLayer& layer : flow.layers)
    if (layer.node == node) return layer;
  throw std::runtime_error("'" + std::string(output) + "' is made by no layer");
}

/// Whether the class may go.
inline bool is_free(const ChannelFlow& flow, ChannelClass label) {
  if (label < 0) return false;
  const std::int32_t group = flow.group_of_class.at(static_cast<std::size_t>(label));
  return group >= 0 && flow.groups.at(static_cast<std::size_t>(group)).frozen.empty();
}

/// Why nothing of the layer can go; "" if something can or no reason is given.
inline std::string frozen_reason(const Model& model, const ChannelFlow& flow, std::string_view output) {
  const ChannelLayer& layer = layer_of(model, flow, output);
  for (const ChannelClass label : layer.outputs)
    if (is_free(flow, label)) return {};
  const auto position = &layer - flow.layers.data();
  for (const ChannelGroup& group : flow.groups)
    if (std::count(group.producers.begin(), group.producers.end(), position) > 0 && !group.frozen.empty())
      return group.frozen;
  return {};
}

/// Nothing of the layer can go, and the reason holds every one of `parts`.
inline void expect_frozen(const Model& model, std::string_view output, const std::vector<std::string>& parts) {
  const ChannelFlow flow = flow_of(model);
  for (const ChannelClass label : layer_of(model, flow, output).outputs)
    EXPECT_FALSE(is_free(flow, label)) << "a channel of '" << output << "' is free";
  const std::string reason = frozen_reason(model, flow, output);
  EXPECT_FALSE(reason.empty()) << "no reason why '" << output << "' is frozen";
  for (const std::string& part : parts) EXPECT_THAT(reason, ::testing::HasSubstr(part));
}

/// The free classes of the layer's channels, each once.
inline std::set<ChannelClass> free_classes(const Model& model, const ChannelFlow& flow, std::string_view output) {
  std::set<ChannelClass> classes;
  for (const ChannelClass label : layer_of(model, flow, output).outputs)
    if (is_free(flow, label)) classes.insert(label);
  return classes;
}

/// The channels of the layer that go when channel `channel` of it goes.
inline std::vector<std::int64_t> together(const Model& model, const ChannelFlow& flow, std::string_view output,
                                          std::int64_t channel) {
  const std::vector<ChannelClass>& outputs = layer_of(model, flow, output).outputs;
  std::vector<std::int64_t> channels;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    if (is_free(flow, outputs[i]) && outputs[i] == outputs.at(static_cast<std::size_t>(channel)))
      channels.push_back(static_cast<std::int64_t>(i));
  return channels;
}

/// Channels of layers, the layer named by the value that it makes.
using Chosen = std::vector<std::pair<std::string, std::vector<std::int64_t>>>;

struct Cut {
  Model before;
  ChannelFlow flow;
  RemovedClasses removed;
  Model after;

  /// The constant that the node that makes `output` reads as its input `input`.
  [[nodiscard]] Tensor constant(std::string_view output, std::size_t input = 1) const {
    return constant_in(after, output, input);
  }
  [[nodiscard]] Shape shape(std::string_view output, std::size_t input = 1) const {
    return constant(output, input).shape();
  }
  [[nodiscard]] std::vector<std::int64_t> ints(std::string_view output, std::size_t input = 1) const {
    return constant(output, input).to_int64s();
  }
  [[nodiscard]] std::int64_t group(std::string_view output) const {
    return after.graph.nodes.at(static_cast<std::size_t>(node_of(after, output))).int_or("group", 1);
  }
  /// That constant is the old one at those places of the axis: bit for bit.
  void expect_kept(std::string_view output, std::size_t input, std::size_t axis,
                   const std::vector<std::int64_t>& kept) const {
    const Tensor expected = gather(constant_in(before, output, input), axis, kept);
    EXPECT_TRUE(constant(output, input).same_as(expected))
        << "input " << input << " of the node that makes '" << output << "' is " << shape_text(shape(output, input))
        << ", expected " << shape_text(expected.shape()) << " of the old values";
  }

 private:
  static Tensor constant_in(const Model& model, std::string_view output, std::size_t input) {
    const Node& node = model.graph.nodes.at(static_cast<std::size_t>(node_of(model, output)));
    return model.graph.constant(node.input(input));
  }
};

/// Takes the classes of the chosen channels out and proves the result; it must be smaller and must differ from the
/// network before.
inline Cut cut(const Model& model, const Chosen& chosen) {
  Cut result{model, flow_of(model), {}, {}};
  std::set<ChannelClass> classes;
  for (const auto& [output, channels] : chosen)
    for (const std::int64_t channel : channels) {
      const ChannelClass label = layer_of(model, result.flow, output).outputs.at(static_cast<std::size_t>(channel));
      EXPECT_TRUE(is_free(result.flow, label))
          << "channel " << channel << " of '" << output << "' is fixed: " << frozen_reason(model, result.flow, output);
      classes.insert(label);
    }
  result.removed.assign(classes.begin(), classes.end());
  result.after = remove_channels(model, result.flow, result.removed);
  expect_proved(model, result.flow, result.removed, result.after);
  EXPECT_LT(weight_count(result.after), weight_count(model));
  EXPECT_GT(largest_difference(model, result.after, inputs_of(model, 1)), 1e-4) << "the cut changes nothing";
  return result;
}

/// Some of the free classes, never all of a group; `share` of each group's, rounded down but one at least.
inline RemovedClasses random_classes(const ChannelFlow& flow, double share, Rng& rng) {
  RemovedClasses removed;
  for (const ChannelGroup& group : flow.groups) {
    if (!group.frozen.empty() || group.classes.size() < 2) continue;
    std::vector<ChannelClass> classes(group.classes.begin(), group.classes.end());
    const auto size = static_cast<std::int64_t>(classes.size());
    const auto count =
        std::clamp<std::int64_t>(static_cast<std::int64_t>(share * static_cast<double>(size)), 1, size - 1);
    for (std::int64_t i = 0; i < count; ++i) {
      std::swap(classes[static_cast<std::size_t>(i)], classes[static_cast<std::size_t>(i + rng.below(size - i))]);
      removed.push_back(classes[static_cast<std::size_t>(i)]);
    }
  }
  return removed;
}

/// Whatever free classes go, few or nearly all, the result is proved. Returns how many classes are free.
inline std::int64_t expect_random_cuts(const Model& model, std::uint64_t seed = 1) {
  const ChannelFlow flow = flow_of(model);
  Rng rng(seed);
  for (const double share : {0.0, 0.25, 0.5, 0.99}) {
    SCOPED_TRACE("share " + std::to_string(share) + ", seed " + std::to_string(seed));
    const RemovedClasses removed = random_classes(flow, share, rng);
    expect_proved(model, flow, removed, remove_channels(model, flow, removed));
    if (::testing::Test::HasFailure()) break;
  }
  std::int64_t free = 0;
  for (const ChannelGroup& group : flow.groups)
    if (group.frozen.empty()) free += static_cast<std::int64_t>(group.classes.size());
  return free;
}

/// Either nothing of the layer can go, with a reason that names the node or the operator `part`, or whatever goes is
/// proved.
inline void expect_frozen_or_right(const Model& model, std::string_view output, const std::string& part) {
  const ChannelFlow flow = flow_of(model);
  if (free_classes(model, flow, output).empty()) {
    EXPECT_THAT(frozen_reason(model, flow, output), ::testing::HasSubstr(part));
  }
  expect_random_cuts(model);
}

}  // namespace pare::testing
