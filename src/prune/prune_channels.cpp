#include "prune/prune_channels.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "budget/levels.h"
#include "core/fail.h"
#include "pare/channels.h"
#include "prune/prune_report.h"

namespace pare {
namespace {

constexpr double kTimingSeconds = 1;
constexpr std::int64_t kBlock = 4;  ///< runtimes compute other widths slower than the next larger multiple
constexpr int kAttempts = 8;

void check_types(const Model& model, const ChannelFlow& flow) {
  for (const ChannelLayer& layer : flow.layers) {
    const Node& node = model.graph.nodes[static_cast<std::size_t>(layer.node)];
    for (const std::string& input : node.inputs)
      if (const auto type = flow.trace->dtypes.find(input);
          type != flow.trace->dtypes.end() && is_float(type->second) && type->second != DType::kFloat32)
        fail(ErrorCode::kUnsupported,
             "prune: {} computes in {}\n  remedy: prune the float32 network, then convert it (pare convert)",
             layer.label, dtype_name(type->second));
  }
}

class Job {
 public:
  Job(const Model& model, const StepOptions& options, const Context& context)
      : original_(model), options_(options), context_(context), request_(prune_request(model, options, context)) {}

  StepResult run() {
    const std::int64_t steps = options_.integer("steps");
    Model model = original_;
    for (std::int64_t step = 1; step <= steps; ++step)
      model = one_step(model, scheduled_keep(target_.keep, step, steps), step == steps);
    return report_.finish(std::move(model));
  }

 private:
  Model one_step(const Model& model, double keep, bool last) {
    const ChannelFlow flow = trace_channels(model, probe_inputs(model, {.seed = context_.seed}));
    check_types(model, flow);
    if (last) report_.frozen(model, flow);
    const WidthOptions widths = width_options(model, flow, keep);
    const FoundChoices found = find_choices(request_, model, flow);
    report_.notes(found.notes);
    if (found.list.empty()) {
      if (last) report_.nothing("no layer has channels that can go");
      return model;
    }
    const Finalist best = best_of(model, flow, found.list, widths, last);
    if (last) report_.plan(flow, best.plan, widths, original_cost_);
    if (best.pruned.removal.empty()) {
      if (last) report_.limits_leave_nothing();
      return model;
    }
    Model cut = network_without(best.pruned.model, flow, best.pruned.removal);
    if (last) {
      const bool widened = best.align > kBlock && options_.integer("round") == 0;
      report_.speed(time_against_original(cut), keep, widened ? best.align : 0);
    }
    report_.checks(prove_pruned(request_, model, flow, best.pruned, cut));
    report_.layers(model, flow, best.pruned);
    return cut;
  }

  // --- Limits

  WidthOptions width_options(const Model& model, const ChannelFlow& flow, double keep) {
    WidthOptions widths;
    widths.keep = keep;
    widths.limits.align = options_.integer("round");
    if (widths.limits.align == 0) widths.limits.align = target_.by_layer ? 1 : kBlock;
    widths.limits.most = options_.number("cap");
    widths.limits.floor = options_.integer("floor");
    std::map<std::string, int> namesakes;
    for (std::size_t g = 0; g < flow.groups.size(); ++g) {
      const ChannelGroup& group = flow.groups[g];
      if (!group.frozen.empty()) continue;
      GroupLimits limits = widths.limits;
      // Shares are of what there was before the first step.
      const std::string key = fmt::format("{} {}", group.name, namesakes[group.name]++);
      limits.original =
          original_classes_.try_emplace(key, static_cast<std::int64_t>(group.classes.size())).first->second;
      for (const ChannelLayer& layer : flow.layers) {
        const std::string& reason = request_.reason_of(model, layer.node);
        const bool makes = std::any_of(layer.outputs.begin(), layer.outputs.end(), [&](ChannelClass one) {
          return one != kFixedChannel &&
                 flow.group_of_class[static_cast<std::size_t>(one)] == static_cast<std::int32_t>(g);
        });
        if (reason.empty() || !makes) continue;
        limits.excluded = layer.label + ": " + reason;
        report_.exclude({layer.label, model.graph.nodes[static_cast<std::size_t>(layer.node)].op_type, reason});
      }
      widths.by_group[static_cast<std::int64_t>(g)] = std::move(limits);
    }
    return widths;
  }

  // --- The best proposal

  /// A choice at the widths that were found for it.
  struct Finalist {
    PrunedNetwork pruned;
    WidthPlan plan;
    std::int64_t align = 1;
    bool in_time = true;  ///< a goal in time was met when the shapes were timed
  };

  Finalist best_of(const Model& model, const ChannelFlow& flow, const std::vector<PruneChoices>& choices,
                   const WidthOptions& widths, bool last) {
    Finalist best;
    for (const PruneChoices& one : choices) {
      WidthOptions fitting = widths;
      bool in_time = true;
      const PruneProposal proposal{one, timed_plan(model, flow, one, fitting, last, in_time)};
      if (&one != &choices.front() && best.in_time && !in_time) continue;
      PrunedNetwork pruned = carry_out(request_, model, flow, proposal, choices.size() > 1);
      const bool sooner = in_time && !best.in_time;
      if (&one != &choices.front() && !sooner && pruned.error >= best.pruned.error) continue;
      best = {std::move(pruned), proposal.plan, fitting.limits.align, in_time};
    }
    return best;
  }

  /// Times add up only nearly, and widths that no runtime likes may cost more than they save: the shapes of a plan are
  /// timed, and others are asked for, before anything is repaired.
  WidthPlan timed_plan(const Model& model, const ChannelFlow& flow, const PruneChoices& choices, WidthOptions& widths,
                       bool last, bool& in_time) {
    const double keep = widths.keep;
    constexpr double kNear = 0.97;  // of the goal: no nearer plan is looked for
    std::optional<WidthPlan> best;
    double best_share = 0;
    for (int attempt = 1;; ++attempt) {
      const PruneProposal proposal{choices, plan(flow, choices, widths)};
      const PruneRemoval removal = proposal.removal();
      if ((!last && !request_.by_time()) || removal.empty()) return best.value_or(proposal.plan);
      const SpeedComparison speed = time_against_original(network_without(model, flow, removal)).speed;
      if (!request_.by_time()) {
        if (attempt == kAttempts || !widen(speed, widths)) return proposal.plan;
        continue;
      }
      const double share = 1 / speed.ratio;
      if (share <= keep && share > best_share) {
        best = proposal.plan;
        best_share = share;
      }
      in_time = best.has_value();
      if (attempt == kAttempts || (share <= keep && share >= kNear * keep)) return best.value_or(proposal.plan);
      widths.keep = std::min(1.0, widths.keep * keep / share * (share > keep ? 0.99 : 1.0));
    }
  }

  WidthPlan plan(const ChannelFlow& flow, const PruneChoices& choices, WidthOptions widths) {
    if (target_.by_layer) return even_widths(flow, choices.curves, 1 - widths.keep, widths);
    if (original_cost_ == 0) original_cost_ = choices.cost.total(full_widths(flow, choices.drops));
    widths.original = original_cost_;
    return choose_widths(flow, choices.curves, choices.drops, choices.cost, widths);
  }

  /// Whether wider steps are worth an attempt: the present ones turned out slower than the original.
  bool widen(const SpeedComparison& speed, WidthOptions& widths) const {
    const bool free_widths =
        options_.integer("round") == 0 && !target_.by_layer && widths.limits.align < runtime_block();
    if (!free_widths || speed.verdict != Verdict::kSlower) return false;
    widths.limits.align *= 2;
    for (auto& [group, limits] : widths.by_group) limits.align = widths.limits.align;
    return true;
  }

  SideBySide time_against_original(const Model& cut) const {
    const BenchmarkOptions benchmark{
        .budget_s = kTimingSeconds, .min_blocks = request_.by_time() ? 15 : 5, .seed = context_.seed};
    return time_side_by_side(original_, cut, probe_inputs(original_, {.seed = context_.seed}), context_.session,
                             {.benchmark = benchmark}, *context_.progress);
  }

  const Model& original_;
  const StepOptions& options_;
  const Context& context_;
  const PruneRequest request_;
  const CostTarget& target_ = request_.target;
  PruneReport report_{request_};
  double original_cost_ = 0;                              ///< before the first step
  std::map<std::string, std::int64_t> original_classes_;  ///< by name of a group
};

}  // namespace

StepResult prune_channels(const Model& model, const StepOptions& options, Context& context) {
  return Job(model, options, context).run();
}

}  // namespace pare
