#include "prune/choices.h"

#include <algorithm>
#include <utility>

#include "budget/count_costs.h"
#include "budget/latency_table.h"
#include "fit/output_error.h"
#include "prune/criteria.h"
#include "prune/drop_block.h"
#include "prune/error_curves.h"
#include "prune/repair.h"

namespace pare {
namespace {

constexpr std::int64_t kBlockSamples = 128;

bool is_excluded(const PruneRequest& request, const Model& model, const DropCandidate& drop) {
  return !request.reason_of(model, drop.add).empty() ||
         std::any_of(drop.body.begin(), drop.body.end(),
                     [&](std::int64_t node) { return !request.reason_of(model, node).empty(); });
}

/// With what the outputs lose without each, a share of it: repair brings most of it back (measured on residual
/// networks: 0.3 of a block's error stays).
std::vector<DropCandidate> droppable_blocks(const PruneRequest& request, const Model& model, const ChannelFlow& flow) {
  const std::string& word = request.options.word("blocks");
  if (word == "off" || request.target.by_layer || request.target.kind == CostKind::kChannels || !request.repair)
    return {};
  std::vector<DropCandidate> drops = find_drop_candidates(model, flow);
  std::erase_if(drops, [&](const DropCandidate& drop) {
    return !can_silence(model, flow, drop) || is_excluded(request, model, drop);
  });
  if (drops.empty()) return drops;
  const Context& context = request.context;
  const OutputError error(model, *context.data, std::min(kBlockSamples, judging_samples(request, model, flow)),
                          context.seed + 1, context.session);
  ProgressTask task(*context.progress, "measure blocks", static_cast<std::int64_t>(drops.size()), "blocks");
  constexpr double kStays = 0.3;
  for (std::size_t i = 0; i < drops.size(); ++i) {
    drops[i].error = kStays * error.of(drop_blocks(model, {drops[i]}));
    task.advance(static_cast<std::int64_t>(i) + 1);
  }
  return drops;
}

}  // namespace

FoundChoices find_choices(const PruneRequest& request, const Model& model, const ChannelFlow& flow) {
  const Context& context = request.context;
  FoundChoices found;
  const auto add = [&](std::vector<ErrorCurve> curves, std::vector<DropCandidate> drops) {
    if (curves.empty()) return;
    Cost cost;
    if (request.by_time())
      cost = measure_latency(model, flow, curves, drops,
                             {.session = context.session, .seed = context.seed, .progress = context.progress})
                 .cost;
    else if (!request.target.by_layer)
      cost = count_costs(request.target.kind, model, flow, curves, drops);
    found.list.push_back({std::move(curves), std::move(drops), std::move(cost)});
  };
  if (!request.from_data) {
    const std::string& criterion = request.options.word("criterion");
    add(weight_curves(parse_criterion(criterion == "auto" ? "l2" : criterion), model, flow, context.seed), {});
    return found;
  }
  std::vector<DropCandidate> drops = droppable_blocks(request, model, flow);
  CurveOptions curve_options;
  curve_options.samples = request.options.integer("samples");
  curve_options.seed = context.seed;
  curve_options.session = context.session;
  ErrorCurves curves = error_curves(model, flow, *context.data, curve_options, *context.progress);
  found.notes = std::move(curves.notes);
  // Errors of blocks compare with scaled curves alone.
  add(std::move(curves.local), {});
  if (!request.target.by_layer) add(std::move(curves.scaled), std::move(drops));
  return found;
}

std::int64_t judging_samples(const PruneRequest& request, const Model& model, const ChannelFlow& flow) {
  constexpr std::int64_t kMostBytes = 100'000'000, kLeast = 32;
  std::int64_t bytes = 1;
  for (const auto& [name, tensor] : *flow.inputs) bytes += tensor.size_bytes();
  for (const ValueInfo& output : model.graph.outputs)
    if (const auto shape = flow.trace->shapes.find(output.name); shape != flow.trace->shapes.end())
      bytes += 4 * element_count(shape->second);
  return std::min(request.options.integer("samples"), std::max(kLeast, kMostBytes / bytes));
}

}  // namespace pare
