// graph_edit.h - a model under change: who makes and reads what stays known while nodes go and inputs move.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "pare/graph.h"
#include "pare/model_io.h"
#include "pare/step.h"

namespace pare {

/// Works on its own copy. Node numbers are those of the model it started from and stay valid: a removed node keeps its
/// number. Subgraphs are never changed but for the names they capture.
class GraphEdit {
 public:
  explicit GraphEdit(const Model& model);

  [[nodiscard]] std::int64_t node_count() const { return static_cast<std::int64_t>(graph().nodes.size()); }
  [[nodiscard]] bool removed(std::int64_t node) const { return removed_[static_cast<std::size_t>(node)]; }
  [[nodiscard]] const Node& node(std::int64_t index) const { return graph().nodes[static_cast<std::size_t>(index)]; }
  [[nodiscard]] const Graph& graph() const { return model_.graph; }
  [[nodiscard]] const Model& model() const { return model_; }
  [[nodiscard]] std::int64_t opset() const { return opset_; }

  /// -1: a graph input, an initializer, nothing.
  [[nodiscard]] std::int64_t producer(const std::string& value) const;
  /// Node numbers, one for each read; captures by subgraphs not among them.
  [[nodiscard]] const std::vector<std::int64_t>& readers(const std::string& value) const;
  [[nodiscard]] bool is_output(const std::string& value) const { return outputs_.contains(value); }
  [[nodiscard]] bool is_captured(const std::string& value) const { return captured_.contains(value); }
  /// Nobody reads it, no subgraph captures it, and it is no output.
  [[nodiscard]] bool is_unused(const std::string& value) const;
  /// Why the value may not vanish into its one reader, "" if it may: "'x' is read 3 times".
  [[nodiscard]] std::string not_private(const std::string& value) const;
  /// An initializer, or the tensor of a Constant node; empty otherwise.
  [[nodiscard]] Tensor constant(const std::string& value) const;
  /// Type and shape inferred from the inputs alone (declared types of inner values may be stale); null if unknown.
  [[nodiscard]] const ValueInfo* type(const std::string& value) const;
  /// The dimensions that are numbers above 0; -1 for the others. nullopt: rank unknown.
  [[nodiscard]] std::optional<Shape> known_shape(const std::string& value) const;

  Node& change_attributes(std::int64_t node) { return model_.graph.nodes[static_cast<std::size_t>(node)]; }
  /// Grows the input list as needed.
  void set_input(std::int64_t node, std::size_t input, const std::string& value);
  void drop_input(std::int64_t node, std::size_t input);
  /// The node makes `value` from now on instead of what it made; readers are not touched.
  void set_output(std::int64_t node, std::size_t output, const std::string& value);
  void remove_node(std::int64_t node);
  /// All readers of `from`, subgraphs included, read `to`; outputs of the graph are not touched.
  void redirect(const std::string& from, const std::string& to);
  /// Under the wanted name or the nearest free one, which is returned.
  std::string add_initializer(std::string_view wanted, Tensor tensor);
  /// Gives the node another tensor at that input: in place if nobody else reads it, else as a copy of its own.
  void set_weight(std::int64_t node, std::size_t input, Tensor tensor, std::string_view wanted_name);
  Model& change_model() { return model_; }

  void done(std::int64_t node, std::string reason);
  void done(NodeReason what);
  void skip(std::int64_t node, std::string reason);
  /// The changed model with nodes and declared types that are gone taken out.
  [[nodiscard]] StepResult finish();

 private:
  void forget_read(const std::string& value, std::int64_t node);

  Model model_;
  std::int64_t opset_ = 0;
  std::vector<bool> removed_;
  std::unordered_map<std::string, std::int64_t> producers_;
  std::unordered_map<std::string, std::vector<std::int64_t>> readers_;
  std::unordered_set<std::string> outputs_, captured_;
  std::unordered_map<std::string, Tensor> constant_nodes_;
  NameGenerator names_;
  mutable std::optional<ValueTypes> types_;
  StepResult result_;
};

/// A rewrite without options.
[[nodiscard]] StepInfo rewrite_step(std::string name, std::string summary,
                                    std::function<StepResult(const Model&, Context&)> run);

/// The model's types as far as they follow from its inputs: the declared shapes of its outputs are left aside.
[[nodiscard]] ValueTypes types_from_inputs(const Model& model);

/// Drops declared types of values that no longer exist; weights stop being listed as inputs (IR 3), which would ask for
/// every new initializer to be listed too.
void tidy_declarations(Model& model);

/// Whether one of the graph's quantization annotations holds the name.
[[nodiscard]] bool is_annotated(const Graph& graph, std::string_view name);

}  // namespace pare
