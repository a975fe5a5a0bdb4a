// target.h - what a runtime can compute on 8-bit integers and what it needs around each operator to do so.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "pare/graph.h"

namespace pare {

enum class Role {
  kAnchor,       ///< has weights: worth a Q and a DQ of its own
  kFollower,     ///< has an integer kernel that pays only between integer neighbours
  kPassThrough,  ///< moves values: what goes in and what comes out share one scale
  kClamp,        ///< Relu, Clip: lies in the saturation of the Q behind it
  kFloat,        ///< stays float on purpose; `why` tells
};

struct OpRule {
  std::string_view op;
  Role role = Role::kFloat;
  /// Becomes integer only with a Q behind it. Otherwise the kernel also gives float, and a Q stands behind it only
  /// where an integer reader wants one.
  bool needs_output_q = true;
  /// Pass-through: no fewer elements come out than go in, so that the Q may move in front of it.
  bool hoists = false;
  /// Pass-through: computes on uint8 as it stands, between the Q and the DQ, where the runtime finds no pattern for it.
  bool on_stored = false;
  /// Gives much less than it takes: done on integers even if floats follow.
  bool shrinks = false;
  std::string_view why = {};  ///< kFloat: the reason for the report
  /// Why this node has no integer kernel though its type has; "" if it has. Null: always.
  std::string (*declines)(const Node& node, const Graph& graph) = nullptr;
};

struct Target {
  std::string_view name;
  std::span<const OpRule> rules;
  /// Clamps are taken out where the saturation of a Q does their work; else they stay and the runtime fuses them.
  bool clamps_vanish = false;
  [[nodiscard]] const OpRule* find(const Node& node) const noexcept;
};

/// "onnxruntime", "openvino". Throws Error(kInvalidArgument).
[[nodiscard]] const Target& find_target(std::string_view name);
[[nodiscard]] const Target& onnxruntime_target();
[[nodiscard]] const Target& openvino_target();

/// Conditions that targets share.
[[nodiscard]] std::string declines_unless_nearest(const Node& node, const Graph& graph);
[[nodiscard]] std::string declines_unless_constant_pad(const Node& node, const Graph& graph);
[[nodiscard]] std::string declines_transposed_input(const Node& node, const Graph& graph);

}  // namespace pare
