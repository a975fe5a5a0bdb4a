// sub_model.h - a part of a network as a network of its own.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "pare/graph.h"
#include "pare/session.h"

namespace pare {

/// The nodes in that (topological) order, reading `inputs` (name, type and shape of tensors at hand; dynamic: shapes
/// are left open) and giving `outputs`. Constants come along.
[[nodiscard]] Model sub_model(const Model& model, std::span<const std::int64_t> nodes, const NamedTensors& inputs,
                              bool dynamic, const std::vector<std::string>& outputs);
/// What a node reads, captures of its subgraphs included.
[[nodiscard]] std::vector<std::string> values_read(const Node& node);

}  // namespace pare
