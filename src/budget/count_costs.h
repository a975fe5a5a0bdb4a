// count_costs.h - MACs, parameters, bytes or channels as a function of the widths, counted from the network itself.
#pragma once

#include <string>
#include <string_view>

#include "budget/cost.h"

namespace pare {

enum class CostKind { kMacs, kParameters, kBytes, kChannels, kMilliseconds };
/// "MACs", "parameters", "bytes", "channels", "milliseconds".
[[nodiscard]] std::string_view cost_name(CostKind kind) noexcept;
/// "macs", "params", "bytes", "channels", "ms"; throws Error(kInvalidArgument).
[[nodiscard]] CostKind parse_cost(std::string_view word);

/// Exact for MACs of all layers, however they are grouped, and of products of two computed values (flow.inputs), and
/// for the parameters and bytes of layers and of what follows their channels one to one (biases, normalization, slopes;
/// value_channels.h); everything else counts as if it stayed as it is. Bytes are those of stored tensors. Channels are
/// those that layers other than depthwise ones make. Not for kMilliseconds (latency_table.h).
[[nodiscard]] Cost count_costs(CostKind kind, const Model& model, const ChannelFlow& flow,
                               const std::vector<ErrorCurve>& curves, const std::vector<DropCandidate>& drops = {});

/// The channels of one block of a layer, as a function of the widths: how many of `classes` stay.
[[nodiscard]] CostFactor kept_channels(const std::vector<ChannelClass>& classes, const ChannelFlow& flow,
                                       const std::vector<ErrorCurve>& curves, const std::vector<std::int64_t>& places);

/// One factor pair per block of the layer: a grouped layer's blocks see their own inputs alone; of a depthwise layer
/// the outputs count alone.
[[nodiscard]] std::vector<CostPart> layer_blocks(const ChannelLayer& layer, const ChannelFlow& flow,
                                                 const std::vector<ErrorCurve>& curves,
                                                 const std::vector<std::int64_t>& places);

/// By node: candidates with which it goes.
[[nodiscard]] std::vector<std::vector<std::int64_t>> drops_of_nodes(std::size_t nodes,
                                                                    const std::vector<DropCandidate>& drops);

}  // namespace pare
