// select.h - which nodes the user wants left alone.
#pragma once

#include <string>
#include <vector>

#include "pare/graph.h"

namespace pare {

/// Per node of the graph why the user's words keep it as it is; "" where they do not. A word is a node's name, an
/// operator type, the name of a node's output (for nodes without a name), or a shell pattern over these. `only` empty:
/// all but the excluded. Throws Error(kInvalidArgument) naming a word that matches nothing, with the nearest known
/// ones.
[[nodiscard]] std::vector<std::string> user_reasons(const Graph& graph, const std::vector<std::string>& exclude,
                                                    const std::vector<std::string>& only);

}  // namespace pare
