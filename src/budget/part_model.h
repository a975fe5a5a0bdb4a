// part_model.h - a few nodes of a network as a small network of their own, to be timed.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "pare/channels.h"

namespace pare {

/// Nodes that do something with the channels of a group: the layers that make them, what follows, depthwise layers
/// among it, and the layers that read them. Indices into Graph::nodes, ascending.
[[nodiscard]] std::set<std::int64_t> nodes_of_group(const Graph& graph, const GraphIndex& index,
                                                    const ChannelFlow& flow, std::int64_t group);

struct PartModel {
  Model model;
  NamedTensors inputs;  ///< random
  /// The same for parts of equal structure: operators, attributes, shapes and wiring; not weights and names.
  std::string structure;
};

/// The nodes whose first outputs are named, out of `model`: the network that `trace` was made of, or a cut of it. What
/// other nodes make for them are inputs of the part, as large as in the trace; small integers that the trace knows are
/// constants. nullopt where a node holds a subgraph, or a type or shape is not known.
[[nodiscard]] std::optional<PartModel> extract_part(const Model& model, const std::set<std::string>& outputs,
                                                    const Trace& trace, std::uint64_t seed = 0);

}  // namespace pare
