#include "prune/prune_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace pare {

void PruneReport::frozen(const Model& model, const ChannelFlow& flow) {
  for (const ChannelGroup& group : flow.groups) {
    if (group.producers.empty()) continue;
    const ChannelLayer& layer = flow.layers[static_cast<std::size_t>(group.producers[0])];
    const std::string& op = model.graph.nodes[static_cast<std::size_t>(layer.node)].op_type;
    NodeReason entry{layer.label, op, "keeps its channels: " + group.frozen};
    const bool told = !result_.skipped.empty() && result_.skipped.back().node == entry.node &&
                      result_.skipped.back().reason == entry.reason;
    if (!group.frozen.empty() && !told) result_.skipped.push_back(std::move(entry));
  }
}

void PruneReport::notes(const std::vector<std::string>& notes) {
  result_.notes.insert(result_.notes.end(), notes.begin(), notes.end());
}

void PruneReport::checks(const std::vector<StepCheck>& checks) {
  result_.checks.insert(result_.checks.end(), checks.begin(), checks.end());
}

void PruneReport::plan(const ChannelFlow& flow, const WidthPlan& plan, const WidthOptions& widths,
                       double original_cost) {
  const CostTarget& target = request_.target;
  double got = 1;
  if (target.by_layer) {
    double all = 0, gone = 0;
    for (const auto& [group, limits] : widths.by_group) {
      const auto g = static_cast<std::size_t>(group);
      const auto before = static_cast<double>(limits.original);
      all += before;
      gone += before - static_cast<double>(flow.groups[g].classes.size()) + static_cast<double>(plan.widths.removed[g]);
    }
    got = all == 0 ? 1 : 1 - gone / all;
  } else if (original_cost > 0) {
    got = plan.got / original_cost;
  }
  result_.figures["asked_share"] = target.keep;
  if (request_.by_time()) return;  // what was measured tells, see speed
  result_.figures["got_share"] = got;
  result_.notes.push_back(fmt::format("asked for {}, got {:.4g} %", target.text, 100 * got));
  constexpr double kRounding = 0.05;  // whole channels of each layer
  const bool reached = target.by_layer ? got <= target.keep + kRounding : plan.reached;
  if (!reached)
    result_.missed =
        fmt::format("{}: {:.4g} % is the least{}{}", target.text, 100 * got, plan.note.empty() ? "" : "; ", plan.note);
}

void PruneReport::speed(const SideBySide& timed, double keep, std::int64_t widened_to) {
  const SpeedComparison& speed = timed.speed;
  const std::string& asked = request_.target.text;
  result_.figures["speed_ratio"] = speed.ratio;
  if (request_.by_time()) {
    result_.figures["got_share"] = 1 / speed.ratio;
    result_.notes.push_back("asked for " + asked + ", " + timed.text());
    result_.missed =
        speed.ratio * keep >= 1 ? "" : fmt::format("{}: {:.2f} times as fast was measured", asked, speed.ratio);
    return;
  }
  result_.notes.push_back(timed.text());
  if (widened_to > 0)
    result_.notes.push_back(fmt::format(
        "widths are multiples of {}: narrower steps were measured to be slower (round=4 pins them)", widened_to));
  if (speed.verdict == Verdict::kSlower)
    result_.notes.push_back("that is slower: ask for time (speedup=1.2), or for rounder widths (round=16)");
}

void PruneReport::layers(const Model& model, const ChannelFlow& flow, const PrunedNetwork& pruned) {
  std::vector<bool> gone(flow.group_of_class.size(), false);
  for (const ChannelClass one : pruned.removal.classes) gone[static_cast<std::size_t>(one)] = true;
  for (const ChannelLayer& layer : flow.layers) {
    const auto lost = std::count_if(layer.outputs.begin(), layer.outputs.end(), [&](ChannelClass one) {
      return one != kFixedChannel && gone[static_cast<std::size_t>(one)];
    });
    if (lost == 0) continue;
    const auto all = static_cast<std::int64_t>(layer.outputs.size());
    LayerWidths& widths =
        widths_of_
            .try_emplace(layer.label,
                         LayerWidths{layer.node, model.graph.nodes[static_cast<std::size_t>(layer.node)].op_type, all,
                                     all, layer.depthwise})
            .first->second;
    widths.now = all - lost;
  }
  for (const DropCandidate& drop : pruned.removal.drops) {
    const Node& add = model.graph.nodes[static_cast<std::size_t>(drop.add)];
    dropped_.push_back({node_label(add, drop.add), add.op_type, "the block that ends here is gone"});
  }
  notes(pruned.notes);
}

void PruneReport::nothing(const std::string& why) {
  if (!widths_of_.empty() || !dropped_.empty()) return;  // earlier steps took all there was
  const bool asked = request_.target.keep < 1;
  result_.notes.push_back("nothing was removed: " + (asked ? why : std::string("the goal asks for nothing")));
  if (asked) result_.missed = fmt::format("{}: nothing was removed, {}", request_.target.text, why);
}

void PruneReport::limits_leave_nothing() {
  nothing(excluded_.empty() ? "limits leave nothing to go" : "limits and excluded layers leave nothing to go");
}

StepResult PruneReport::finish(Model model) {
  double channels = 0;
  for (const auto& [label, widths] : widths_of_) {
    result_.done.push_back({label, widths.op_type, fmt::format("keeps {} of {} channels", widths.now, widths.before)});
    if (!widths.depthwise) channels += static_cast<double>(widths.before - widths.now);
  }
  std::stable_sort(result_.done.begin(), result_.done.end(), [&](const NodeReason& a, const NodeReason& b) {
    return widths_of_.at(a.node).node < widths_of_.at(b.node).node;
  });
  result_.done.insert(result_.done.end(), dropped_.begin(), dropped_.end());
  result_.changes = static_cast<std::int64_t>(result_.done.size());
  result_.figures["removed_channels"] = channels;
  result_.figures["dropped_blocks"] = static_cast<double>(dropped_.size());
  for (const auto& [label, entry] : excluded_) result_.skipped.push_back(entry);
  result_.model = std::move(model);
  return std::move(result_);
}

}  // namespace pare
