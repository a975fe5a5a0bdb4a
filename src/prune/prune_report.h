// prune_report.h - what the step prune tells: figures, notes, what became of each layer, and what was left alone.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "measure/side_by_side.h"
#include "prune/proposal.h"

namespace pare {

/// Collects over the steps of a schedule. The request must outlive it.
class PruneReport {
 public:
  explicit PruneReport(const PruneRequest& request) : request_(request) {}

  void frozen(const Model& model, const ChannelFlow& flow);
  /// A layer that the user keeps.
  void exclude(NodeReason layer) { excluded_[layer.node] = std::move(layer); }
  void notes(const std::vector<std::string>& notes);
  void checks(const std::vector<StepCheck>& checks);
  /// What the goal asks for and what `plan` gives. `original_cost`: before the first step; 0: shares of each layer are
  /// wanted.
  void plan(const ChannelFlow& flow, const WidthPlan& plan, const WidthOptions& widths, double original_cost);
  /// Time as it was measured, whatever was asked for. `keep`: the share of the time that was asked for; `widened_to`:
  /// the multiple that widths came to because narrower steps were slower, or 0.
  void speed(const SideBySide& timed, double keep, std::int64_t widened_to);
  /// What each layer had at first and has now.
  void layers(const Model& model, const ChannelFlow& flow, const PrunedNetwork& pruned);
  /// The last step found nothing that can go.
  void nothing(const std::string& why);
  void limits_leave_nothing();

  [[nodiscard]] StepResult finish(Model model);

 private:
  struct LayerWidths {
    std::int64_t node = 0;
    std::string op_type;
    std::int64_t before = 0, now = 0;
    bool depthwise = false;
  };

  const PruneRequest& request_;
  std::map<std::string, LayerWidths> widths_of_;  ///< by label, of layers that lost channels
  std::vector<NodeReason> dropped_;
  std::map<std::string, NodeReason> excluded_;  ///< by label
  StepResult result_;
};

}  // namespace pare
