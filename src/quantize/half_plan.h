// half_plan.h - which nodes of a graph compute in float16, and in which type each value lives.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "quantize/half_guard.h"

namespace pare {

struct NodePlan {
  HalfSlots slots;
  bool half = false;
  Keep keep;  ///< of a node that touches float32 and stays there
};

struct HalfPlan {
  std::vector<NodePlan> nodes;
  /// float32 values that nodes or the caller will make as float16.
  std::unordered_set<std::string> half_values;
  /// Graph outputs that leave as float16.
  std::unordered_set<std::string> half_outputs;
  /// Graph inputs that were to become float16 and stay, with the reason.
  std::vector<NodeReason> kept_borders;
  [[nodiscard]] bool is_half(const std::string& value) const { return half_values.contains(value); }
};

/// `excluded`: per node why the user keeps it float32, or "". `keep_io`: graph inputs and outputs stay float32.
[[nodiscard]] HalfPlan plan_half(const HalfFacts& facts, const std::vector<std::string>& excluded, bool keep_io);

}  // namespace pare
