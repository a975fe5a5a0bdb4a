// cutter.h - the graph under the knife: weights and the constants that spell sizes become what is left of them.
#pragma once

#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "channels/label_flow.h"

namespace pare {

class Cutter {
 public:
  /// `gone[unit]` for roots of units.
  Cutter(const Model& model, const LabelFlow& flow, std::vector<bool> gone);

  [[nodiscard]] bool gone(Unit unit) const;
  /// Positions whose units stay.
  [[nodiscard]] std::vector<std::int64_t> kept(std::span<const Unit> units) const;
  /// Positions that stay along an axis of a value. Throws Error(kInternal) if what stays is no full grid.
  [[nodiscard]] std::vector<std::int64_t> kept_along(const std::string& value, std::int64_t axis) const;
  [[nodiscard]] std::int64_t old_size(const std::string& value, std::int64_t axis) const;
  [[nodiscard]] std::int64_t new_size(const std::string& value, std::int64_t axis) const;
  [[nodiscard]] Shape new_shape(const std::string& value) const;

  [[nodiscard]] Node& node(std::int64_t index) { return model_.graph.nodes[static_cast<std::size_t>(index)]; }
  /// The node's own copy of a constant input keeps these positions of an axis.
  void cut_constant(std::int64_t node, std::size_t input, std::int64_t axis,
                    const std::vector<std::int64_t>& positions);
  /// The weight of a grouped layer, [rows, columns / groups ...]: rows and, in each group, its columns.
  void cut_grouped(std::int64_t node, std::size_t input, std::int64_t groups, const std::vector<std::int64_t>& rows,
                   const std::vector<std::int64_t>& columns);
  void set_constant(std::int64_t node, std::size_t input, Tensor tensor);
  /// Entries of an integer list: of a constant, or of the constant pieces that a Concat makes it from; what is computed
  /// as the graph runs is left alone.
  void set_entries(std::int64_t node, std::size_t input, const std::map<std::int64_t, std::int64_t>& entries);
  /// Adds or replaces an integer list input (node and all its shares of it keep theirs).
  void set_integers(std::int64_t node, std::size_t input, const std::vector<std::int64_t>& values);

  [[nodiscard]] Model finish();

 private:
  struct Wanted {
    Tensor tensor;                                                         ///< of a stored constant
    std::vector<std::pair<std::int64_t, std::vector<std::int64_t>>> cuts;  ///< of one that is computed
    bool uniform = false;  ///< only its size counts: it must be one value everywhere
  };
  void set_computed(std::int64_t node, std::size_t input, const std::map<std::int64_t, std::int64_t>& entries);
  [[nodiscard]] Tensor current(std::int64_t node, std::size_t input) const;
  void store_shared();
  void store(const std::string& name, const std::vector<std::pair<std::int64_t, std::size_t>>& users);
  void cut_computed();
  bool cut_uniform(std::int64_t node, std::size_t input, const Wanted& wanted);

  Model model_;
  const LabelFlow& flow_;
  std::vector<bool> gone_;
  NameGenerator names_;
  std::map<std::pair<std::int64_t, std::size_t>, Wanted> wanted_;
  std::vector<Node> new_nodes_;
};

/// Positions of one axis of a tensor of any dtype of whole bytes.
[[nodiscard]] Tensor take_positions(const Tensor& tensor, std::int64_t axis, std::span<const std::int64_t> positions);

}  // namespace pare
