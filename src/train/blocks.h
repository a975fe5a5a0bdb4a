// blocks.h - where a compressed network and the dense one it came from can be compared: the ends of their blocks.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "pare/graph.h"
#include "pare/session.h"

namespace pare {

/// The end of a block: a value that everything after it passes through, of the same shape in both networks, or with
/// fewer channels in the changed one.
struct BlockEnd {
  std::string value;  ///< in the changed network
  std::string dense;  ///< what it stands for in the dense one: the same name, or the end of a block that was dropped
  bool fewer_channels = false;  ///< than there
};

/// In the order of the nodes. Every part between two ends holds weights; activations belong to the part before them, so
/// that an error which they hide does not count. The last ends are the network's outputs, where they are numbers.
/// Ends with fewer channels are given where there is a chain of four and more layers between ends of the same shape.
/// `dense_trace`, `trace`: of one run of both with the same inputs.
[[nodiscard]] std::vector<BlockEnd> find_block_ends(const Model& dense, const Trace& dense_trace, const Model& changed,
                                                    const Trace& trace);
/// Every `span`-th end, and the last.
[[nodiscard]] std::vector<BlockEnd> every_nth(const std::vector<BlockEnd>& ends, std::int64_t span);

}  // namespace pare
