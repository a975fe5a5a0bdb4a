// upgrade_node.h - one node of an older opset in the words of opset 13.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pare/graph.h"
#include "pare/model_io.h"

namespace pare {

/// What an upgrade may ask about the graph it is in, and where it puts what the node now needs.
class UpgradeSite {
 public:
  /// `types` may be null (subgraphs): then nothing is known of shapes.
  UpgradeSite(Graph& graph, NameGenerator& names, const ValueTypes* types, std::int64_t model_opset, DType float_type)
      : opset(model_opset), graph_(graph), index_(graph), names_(names), types_(types), float_type_(float_type) {}

  const std::int64_t opset;  ///< the model's, before

  [[nodiscard]] std::optional<Shape> known_shape(const std::string& value) const;  ///< -1: not known
  /// From inference, or from the layers that the value passes: inference does not know every operator of opset 1.
  [[nodiscard]] std::optional<std::int64_t> known_rank(const std::string& value) const;
  /// The value's type; the model's only float type where inference gives none.
  [[nodiscard]] DType float_type_of(const std::string& value) const;
  [[nodiscard]] Tensor constant(const std::string& value) const { return graph_.constant(value); }
  [[nodiscard]] bool is_read(const std::string& value) const {
    return !index_.uses(value).empty() || index_.is_output(value);
  }
  std::string add_constant(const std::string& wanted, Tensor tensor);
  /// A node to stand before or behind the one being upgraded.
  void insert_before(Node node) { before.push_back(std::move(node)); }
  void insert_behind(Node node) { behind.push_back(std::move(node)); }
  [[nodiscard]] std::string fresh(const std::string& wanted) { return names_.fresh(wanted); }

  std::vector<Node> before, behind;

 private:
  Graph& graph_;
  const GraphIndex index_;
  NameGenerator& names_;
  const ValueTypes* types_;
  DType float_type_;
};

struct NodeUpgrade {
  std::string done;     ///< what changed; "": nothing had to
  std::string why_not;  ///< not empty: the node cannot be raised, and the model must stay as it is
};
/// Of ONNX's own domain; attributes that hold graphs are not entered.
[[nodiscard]] NodeUpgrade upgrade_node(Node& node, UpgradeSite& site);

/// The larger ones, of one operator family each.
[[nodiscard]] NodeUpgrade upgrade_softmax(Node& node, UpgradeSite& site);   ///< Softmax, LogSoftmax, Hardmax
[[nodiscard]] NodeUpgrade upgrade_resize(Node& node, UpgradeSite& site);    ///< Resize-10, Resize-11
[[nodiscard]] NodeUpgrade upgrade_upsample(Node& node, UpgradeSite& site);  ///< Upsample-1, -7, -9

}  // namespace pare
