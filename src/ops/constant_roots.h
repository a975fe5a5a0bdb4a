// constant_roots.h - which values are constant, and from which stored tensors.
#pragma once

#include <set>
#include <string>
#include <unordered_map>

#include "pare/graph.h"

namespace pare {

/// Values of the main graph that do not depend on its inputs: initializers, Constant nodes, and what is computed from
/// those alone (DequantizeLinear of stored int8 weights, ConstantOfShape ...). A snapshot; the graph must outlive it.
class ConstantRoots {
 public:
  explicit ConstantRoots(const Graph& graph);
  [[nodiscard]] bool is_constant(const std::string& value) const { return roots_.contains(value); }
  /// Names of the stored tensors (initializers, outputs of Constant nodes) behind a constant value; empty if it is
  /// none.
  [[nodiscard]] const std::set<std::string>& roots(const std::string& value) const;
  /// The stored tensor of that name, empty if there is none.
  [[nodiscard]] Tensor stored(const std::string& root) const { return index_.constant(root); }
  /// Whether all the node's inputs are constant, so that it never runs with data.
  [[nodiscard]] bool computes_constants(const Node& node) const;
  [[nodiscard]] const GraphIndex& index() const noexcept { return index_; }

 private:
  GraphIndex index_;
  std::unordered_map<std::string, std::set<std::string>> roots_;
};

}  // namespace pare
