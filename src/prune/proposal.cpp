#include "prune/proposal.h"

#include <utility>

#include "fit/output_error.h"
#include "pare/channels.h"
#include "prune/drop_block.h"
#include "prune/repair.h"
#include "step/prove.h"

namespace pare {
namespace {

/// The same blocks in a network whose nodes have the same names for what they make.
std::vector<DropCandidate> relocate(std::vector<DropCandidate> drops, const Graph& from, const Graph& to) {
  const GraphIndex index(to);
  const auto moved = [&](std::int64_t node) {
    return index.producer(from.nodes[static_cast<std::size_t>(node)].output(0));
  };
  for (DropCandidate& drop : drops) {
    drop.add = moved(drop.add);
    for (std::int64_t& node : drop.body) node = moved(node);
  }
  return drops;
}

std::vector<GroupCut> group_cuts(const PruneProposal& proposal) {
  const Widths& widths = proposal.plan.widths;
  const std::vector<bool> vanished = vanished_groups(widths, proposal.choices.drops);
  std::vector<GroupCut> cuts;
  for (const ErrorCurve& curve : proposal.choices.curves) {
    const std::int64_t remove = widths.removed[static_cast<std::size_t>(curve.group)];
    if (remove > 0 && !vanished[static_cast<std::size_t>(curve.group)])
      cuts.push_back({curve.group, remove, curve.order});
  }
  return cuts;
}

}  // namespace

PruneRemoval PruneProposal::removal() const {
  PruneRemoval removal{removed_classes(plan.widths, choices.curves, choices.drops), {}};
  for (std::size_t i = 0; i < choices.drops.size(); ++i)
    if (plan.widths.dropped[i]) removal.drops.push_back(choices.drops[i]);
  return removal;
}

PrunedNetwork carry_out(const PruneRequest& request, const Model& model, const ChannelFlow& flow,
                        const PruneProposal& proposal, bool judge) {
  const Context& context = request.context;
  PrunedNetwork pruned{model, proposal.removal(), 0, {}};
  if (pruned.removal.empty()) return pruned;
  if (request.repair) {
    RepairOptions options;
    options.samples = request.options.integer("samples");
    options.seed = context.seed;
    options.session = context.session;
    options.drops = pruned.removal.drops;
    RepairResult repaired =
        prune_and_repair(model, flow, group_cuts(proposal), *context.data, options, *context.progress);
    pruned.model = std::move(repaired.model);
    pruned.removal.classes = std::move(repaired.removed);
    pruned.notes = std::move(repaired.notes);
  }
  if (judge) {
    const OutputError error(model, *context.data, judging_samples(request, model, flow), context.seed + 1,
                            context.session);
    pruned.error = error.of(request.repair ? pruned.model : mask_channels(pruned.model, flow, pruned.removal.classes));
  }
  return pruned;
}

Model network_without(const Model& model, const ChannelFlow& flow, const PruneRemoval& removal) {
  const Model cut = remove_channels(model, flow, removal.classes);
  return drop_blocks(cut, relocate(removal.drops, model.graph, cut.graph));
}

std::vector<StepCheck> prove_pruned(const PruneRequest& request, const Model& model, const ChannelFlow& flow,
                                    const PrunedNetwork& pruned, const Model& cut) {
  std::vector<StepCheck> checks;
  const RemovedClasses& removed = pruned.removal.classes;
  if (!removed.empty())
    checks.push_back(prove_equal("removed channels equal masked ones", mask_channels(model, flow, removed),
                                 remove_channels(model, flow, removed), request.context));
  if (request.repair)
    checks.push_back(prove_equal("the repaired network without them equals the masked one",
                                 mask_channels(pruned.model, flow, removed), cut, request.context));
  return checks;
}

}  // namespace pare
