// value_channels.h - which classes the channels of inner values belong to, as far as they pass one to one.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "pare/channels.h"

namespace pare {

struct ValueChannels {
  std::int64_t axis = 1;
  std::vector<ChannelClass> classes;  ///< along the axis
};
using ChannelsOfValues = std::unordered_map<std::string, ValueChannels>;

/// From the layers' inputs and outputs through element by element operators, normalization, pooling, resizing and
/// Concat. Values behind other operators (Reshape, Split ...) are absent. Needs flow.trace.
[[nodiscard]] ChannelsOfValues channels_of_values(const Graph& graph, const ChannelFlow& flow);

/// The dimension of a constant input that runs along the channels of the node's output (a bias, a scale, a slope); -1
/// if there is none.
[[nodiscard]] std::int64_t follower_axis(const Node& node, std::size_t input, const Shape& constant,
                                         const ValueChannels& output, std::int64_t output_rank);

}  // namespace pare
