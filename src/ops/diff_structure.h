// diff_structure.h - what one graph has that another has not; for people, not for machines.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "pare/graph.h"

namespace pare {

struct StructureDiff {
  struct Change {
    std::string node;  ///< node_label
    std::string what;  ///< "attribute group: 1 -> 4", "weight 'w': float32 [16, 3, 3, 3] -> int8 [16, 3, 3, 3]",
                       ///< "weight 'w': other values"
  };
  std::vector<std::string> added, removed;  ///< node labels
  std::vector<Change> changed;
  std::map<std::string, std::pair<std::int64_t, std::int64_t>>
      op_counts;                       ///< operators whose number differs: before, after
  std::vector<std::string> interface;  ///< differences of inputs, outputs, opset
  [[nodiscard]] bool same() const noexcept {
    return added.empty() && removed.empty() && changed.empty() && interface.empty();
  }
};
/// Nodes of one type are the same node if they carry the same unique name, or else make the same first output.
[[nodiscard]] StructureDiff diff_structure(const Model& before, const Model& after);

}  // namespace pare
