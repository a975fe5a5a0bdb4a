// follow_channels.h - where the output channels of a convolution go.
#pragma once

#include <string>

#include "ops/constant_roots.h"

namespace pare {

/// "" if every channel ends in layers that can be given fewer input channels; else why the channels must stay: they
/// reach an output of the network, or an operator whose effect on channels is not followed here (a first look: pruning
/// itself follows more).
[[nodiscard]] std::string channels_end(const Graph& graph, const ConstantRoots& constants, const Node& from);

}  // namespace pare
