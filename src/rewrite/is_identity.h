// is_identity.h - whether a node hands its input on unchanged.
#pragma once

#include <string>

#include "rewrite/graph_edit.h"

namespace pare {

struct IdentityVerdict {
  std::string input;   ///< the value that the node's first output equals; "": it changes something
  std::string reason;  ///< why it is one; with an empty `input` why it is none although it looks like one
};
[[nodiscard]] IdentityVerdict judge_identity(const GraphEdit& edit, std::int64_t node);

}  // namespace pare
