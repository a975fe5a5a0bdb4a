// label_flow.h - runs a graph on the names of channels: every operator's rule moves, ties or freezes them and notes how
// the node is cut when some go.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "channels/labels.h"
#include "channels/units.h"
#include "ops/constant_roots.h"
#include "pare/session.h"

namespace pare {

class Cutter;

/// What a layer reads and makes, in units.
struct LayerUnits {
  std::int64_t node = 0;
  std::int64_t groups = 1;
  bool depthwise = false;
  std::vector<Unit> inputs, outputs;
};

/// An input at which units end; a mask goes here.
struct ConsumerInput {
  std::int64_t node = 0;
  std::size_t input = 0;
  Labels labels;
};

/// Blocks that must lose equally many units each.
struct Balance {
  std::vector<Unit> units;  ///< blocks end to end
  std::int64_t blocks = 1;
  std::string reason;  ///< for what is frozen because it cannot be balanced
};

class LabelFlow {
 public:
  using Edit = std::function<void(Cutter&)>;
  using Refusals = std::vector<std::pair<std::int64_t, std::string>>;
  /// `graph` and `trace` must outlive it. What passes one of the `refused` nodes is frozen.
  LabelFlow(const Graph& graph, const Trace& trace, std::int64_t opset, const Refusals& refused = {});

  [[nodiscard]] const Graph& graph() const { return graph_; }
  [[nodiscard]] const Trace& trace() const { return trace_; }
  [[nodiscard]] const ConstantRoots& constants() const { return constants_; }
  [[nodiscard]] std::int64_t opset() const { return opset_; }
  [[nodiscard]] const Units& units() const { return units_; }
  [[nodiscard]] const std::unordered_map<std::string, Labels>& labels() const { return labels_; }
  [[nodiscard]] const std::vector<LayerUnits>& layers() const { return layers_; }
  [[nodiscard]] const std::vector<ConsumerInput>& consumers() const { return consumers_; }
  [[nodiscard]] const std::vector<std::pair<std::int64_t, Edit>>& edits() const { return edits_; }

 private:
  friend class NodeFlow;
  void freeze_outputs();
  void resolve();
  void balance(const Balance& constraint);
  void make_grid(const std::string& value, const Labels& labels);

  const Graph& graph_;
  const Trace& trace_;
  ConstantRoots constants_;
  std::int64_t opset_;
  Units units_;
  std::unordered_map<std::string, Labels> labels_;
  std::vector<std::string> labelled_;  ///< keys of labels_ in node order
  std::vector<LayerUnits> layers_;
  std::vector<ConsumerInput> consumers_;
  std::vector<Balance> balances_;
  std::vector<std::pair<std::int64_t, Edit>> edits_;
  std::map<std::string, std::size_t, std::less<>> layer_of_weight_;
};

/// One node as its rule sees it.
class NodeFlow {
 public:
  NodeFlow(LabelFlow& flow, std::int64_t node);

  [[nodiscard]] const Node& node() const { return node_; }
  [[nodiscard]] std::int64_t index() const { return index_; }
  [[nodiscard]] std::int64_t opset() const { return flow_.opset(); }
  [[nodiscard]] std::string label() const { return node_label(node_, index_); }

  [[nodiscard]] bool has_input(std::size_t input) const { return !node_.input(input).empty(); }
  [[nodiscard]] bool is_constant(std::size_t input) const { return flow_.constants().is_constant(node_.input(input)); }
  [[nodiscard]] const Shape& shape(std::size_t input) const;
  [[nodiscard]] const Shape& out_shape(std::size_t output = 0) const;
  /// Integers that are constant or were seen when the graph ran; nullopt: not known.
  [[nodiscard]] std::optional<std::vector<std::int64_t>> integers(std::size_t input) const;
  [[nodiscard]] Labels labels(std::size_t input) const;
  /// Nothing is noted where nothing is labelled.
  void set(std::size_t output, Labels labels);

  /// A sentence for what stays because of this node.
  [[nodiscard]] std::string reason(std::string_view why) const;
  void freeze(const Labels& labels, std::string_view why);
  void freeze_inputs(std::string_view why);
  void tie(const Labels& a, const Labels& b, std::string_view why);
  /// What the node mixes along an axis can only go together; frozen if that is all there is. The axis no longer varies
  /// in the result.
  Labels mix(Labels labels, std::int64_t axis, std::string_view why);
  /// Mixed along every axis but this one.
  Labels only_axis(Labels labels, std::int64_t axis, std::string_view why);
  /// Units along an axis of that size, kNoUnit where nothing is labelled.
  [[nodiscard]] static std::vector<Unit> along(const Labels& labels, std::int64_t axis, std::int64_t size);

  std::vector<Unit> produce(std::int64_t count);
  void add_layer(LayerUnits layer, std::string_view weight);
  void add_consumer(std::size_t input, const Labels& labels);
  void add_balance(std::vector<Unit> units, std::int64_t blocks, std::string_view why);
  void edit(LabelFlow::Edit edit) { flow_.edits_.emplace_back(index_, std::move(edit)); }

 private:
  LabelFlow& flow_;
  const Node& node_;
  std::int64_t index_;
};

/// A negative axis counts from the end.
[[nodiscard]] inline std::int64_t positive_axis(std::int64_t axis, std::int64_t rank) {
  return axis < 0 ? axis + rank : axis;
}

}  // namespace pare
