// choices.h - what can go from a network, what that costs in accuracy, and what it saves.
#pragma once

#include <string>
#include <vector>

#include "budget/cost.h"
#include "prune/request.h"

namespace pare {

struct PruneChoices {
  std::vector<ErrorCurve> curves;
  std::vector<DropCandidate> drops;
  Cost cost;  ///< not for the same share of every layer
};

struct FoundChoices {
  /// Ways to estimate the same thing, each the better one for some networks; empty if no layer has channels that can
  /// go.
  std::vector<PruneChoices> list;
  std::vector<std::string> notes;
};
[[nodiscard]] FoundChoices find_choices(const PruneRequest& request, const Model& model, const ChannelFlow& flow);

/// How many samples tell which proposal is best: as many as for repair, as long as they take little memory. Of few
/// samples the wrong one may win.
[[nodiscard]] std::int64_t judging_samples(const PruneRequest& request, const Model& model, const ChannelFlow& flow);

}  // namespace pare
