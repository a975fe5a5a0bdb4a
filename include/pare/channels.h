// pare/channels.h - which channels of a network stand and fall together, the network without some of them, and the
// masked network that it must equal.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "pare/graph.h"
#include "pare/session.h"

namespace pare {

/// Channels that can only go together, over all tensors of the network. -1 stands for what can never go.
using ChannelClass = std::int32_t;
inline constexpr ChannelClass kFixedChannel = -1;

/// One convolution, transposed convolution or matrix product with constant weights. Input and output channels are
/// counted as the data counts them (for a grouped convolution over all groups), not as the weight tensor stores them.
struct ChannelLayer {
  std::int64_t node = 0;  ///< index in Graph::nodes
  std::string label;      ///< node_label()
  std::int64_t groups = 1;
  bool depthwise = false;             ///< channel i of the input makes the output channels i*k to i*k + k - 1 alone
  std::vector<ChannelClass> inputs;   ///< class of each input channel; of a Gemm or MatMul: of each row of the product
  std::vector<ChannelClass> outputs;  ///< class of each output channel
};

/// Classes between which one may choose: they are made by the same layers. Any of them may go as long as one stays.
struct ChannelGroup {
  std::string name;                     ///< label of the first layer that makes it
  std::vector<ChannelClass> classes;    ///< in the order of the first layer's output channels
  std::vector<std::int64_t> producers;  ///< indices into ChannelFlow::layers; depthwise layers are neither
  std::vector<std::int64_t> consumers;
  std::int64_t channels = 0;  ///< output channels of the first layer that belong to the group
  std::string frozen;         ///< why nothing of it can go; "" if it is free
};

/// A snapshot of one model: node indices are those of the model it was made from.
struct ChannelFlow {
  std::vector<ChannelLayer> layers;  ///< in node order
  std::vector<ChannelGroup> groups;  ///< in the order of their first layer
  std::vector<std::int32_t> group_of_class;
  /// How the network was run to know its shapes.
  std::shared_ptr<const Trace> trace;
  std::shared_ptr<const NamedTensors> inputs;
  /// Nodes that could not be cut when it was tried, and what went wrong; their channels are fixed.
  std::vector<std::pair<std::int64_t, std::string>> refused;
};

/// Follows the channels through the network by labels: the graph is run on the names of channels instead of on numbers.
/// `inputs` is one batch that the model runs with (probe_inputs); batch 1 is best. A trial cut of every free group is
/// part of it: what would not run is fixed, see `refused`. Throws Error of the runtime if the model does not run.
[[nodiscard]] ChannelFlow trace_channels(const Model& model, const NamedTensors& inputs);

/// What every tensor loses when classes go.
using RemovedClasses = std::vector<ChannelClass>;

/// The network without the classes: producers emit the channels that stay, everything between and the consumers are
/// cut to them; constants that spell a channel count are rewritten. With nothing removed the model comes back bit for
/// bit. Throws Error(kInvalidArgument) when a class is fixed, unknown or the last of its group; Error(kInternal) naming
/// the node if the cut network would not have the expected shapes.
[[nodiscard]] Model remove_channels(const Model& model, const ChannelFlow& flow, const RemovedClasses& removed);

/// The oracle for it: the same network with a 0/1 mask multiplied at the input of every consumer that reads one of the
/// classes. Removing a channel means that every consumer sees it as absent; that is not the same as zeroing the filter
/// (biases live on).
[[nodiscard]] Model mask_channels(const Model& model, const ChannelFlow& flow, const RemovedClasses& removed);

}  // namespace pare
