// plan.h - which nodes run on integers, and which values are quantized for that.
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "pare/graph.h"
#include "pare/step.h"
#include "quantize/ranges.h"
#include "quantize/targets/target.h"

namespace pare {

enum class NodeState {
  kFloat,
  kInteger,
  kVanished,  ///< a clamp that the saturation of the Q behind it replaces
};

struct Plan {
  std::vector<NodeState> states;       ///< per node of the graph
  std::vector<bool> on_stored;         ///< integer nodes that stand between the Q and the DQ
  std::vector<std::string> quantized;  ///< values that get a Q and a DQ, each after those it depends on
  /// Quantized value -> the value whose range it uses: itself, or the first of those that share one scale.
  std::unordered_map<std::string, std::string> range_of;
  std::vector<NodeReason> skipped;  ///< nodes that could have been expected to be integer

  [[nodiscard]] bool quantizes(const std::string& value) const { return range_of.contains(value); }
  /// The values whose ranges the plan needs, each once.
  [[nodiscard]] std::vector<std::string> observed() const;
};

using Ranges = std::map<std::string, Range, std::less<>>;

struct PlanOptions {
  const Target* target = nullptr;
  std::vector<std::string> user_reasons;  ///< per node, "" if it may be quantized (select.h)
  bool float_outputs = false;             ///< the last layers before the graph's outputs stay float
  /// Known so far. Concatenations of values whose ranges are 16 times apart are left float.
  const Ranges* ranges = nullptr;
};

/// Does not change the graph. Needs nodes in topological order.
[[nodiscard]] Plan plan_quantization(const Graph& graph, const PlanOptions& options);

/// The bias of a Conv or Gemm as one value per output channel. Absent: it has none. Throws Error(kUnsupported) with the
/// reason alone if it cannot become int32 (not constant, more than one row).
[[nodiscard]] std::vector<float> channel_bias(const Node& node, const Graph& graph, std::int64_t channels);
/// Number of output channels of a node with weights.
[[nodiscard]] std::int64_t output_channels(const Node& node, const Tensor& weights);

}  // namespace pare
