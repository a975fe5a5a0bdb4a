// proposal.h - one way of pruning: what goes, the repaired network, the one without it, and the proof.
#pragma once

#include <string>
#include <vector>

#include "budget/choose_widths.h"
#include "prune/choices.h"

namespace pare {

struct PruneRemoval {
  RemovedClasses classes;
  std::vector<DropCandidate> drops;
  [[nodiscard]] bool empty() const noexcept { return classes.empty() && drops.empty(); }
};

/// The choices must outlive it.
struct PruneProposal {
  const PruneChoices& choices;
  WidthPlan plan;
  /// Repair may take other channels, as many of each group.
  [[nodiscard]] PruneRemoval removal() const;
};

/// What a proposal became.
struct PrunedNetwork {
  Model model;  ///< whole shapes; what reads a removed channel is zero if it was repaired
  PruneRemoval removal;
  double error = 0;  ///< of the outputs, on samples, if it was judged
  std::vector<std::string> notes;
};
[[nodiscard]] PrunedNetwork carry_out(const PruneRequest& request, const Model& model, const ChannelFlow& flow,
                                      const PruneProposal& proposal, bool judge);

/// `model` may be repaired; its nodes are those that the flow was made from.
[[nodiscard]] Model network_without(const Model& model, const ChannelFlow& flow, const PruneRemoval& removal);

/// The oracle: what was taken out of the network as it was equals a mask; what was repaired, likewise. `cut` is the
/// pruned network without its removal.
[[nodiscard]] std::vector<StepCheck> prove_pruned(const PruneRequest& request, const Model& model,
                                                  const ChannelFlow& flow, const PrunedNetwork& pruned,
                                                  const Model& cut);

}  // namespace pare
