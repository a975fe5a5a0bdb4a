// drop_block.h - residual blocks whose body can go as a whole, and the network without them.
#pragma once

#include <vector>

#include "budget/curve.h"
#include "pare/graph.h"

namespace pare {

/// Before:        y = Add(x, body(x))
/// After:         y = x
/// Fires when:    an Add or a Sum of two has operands of equal shape (flow.trace), one of them computed from the other
///                and constants alone, by nodes with at least one layer that nobody else needs
/// Declines when: the block holds another one (that is the candidate), the output of a body node is a graph output or
///                read by a subgraph
/// In node order; `error` is 0. `groups` are those that only layers of the body make and read. Needs flow.trace.
[[nodiscard]] std::vector<DropCandidate> find_drop_candidates(const Model& model, const ChannelFlow& flow);

/// The network in which the readers of each Add read its shortcut instead. A Relu behind the Add goes too where the
/// shortcut is never negative already, likewise a Clip behind an equal Clip. Nodes and weights that nobody needs any
/// more are gone; graph outputs keep their names. Throws Error(kInvalidArgument) if a candidate is of another model.
[[nodiscard]] Model drop_blocks(const Model& model, const std::vector<DropCandidate>& drops);

}  // namespace pare
