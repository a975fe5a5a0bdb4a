#include "prune/prune_channels.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "budget/choose_widths.h"
#include "budget/count_costs.h"
#include "budget/latency_table.h"
#include "budget/target.h"
#include "core/fail.h"
#include "fit/output_error.h"
#include "pare/channels.h"
#include "prune/criteria.h"
#include "prune/drop_block.h"
#include "prune/error_curves.h"
#include "prune/repair.h"
#include "step/prove.h"
#include "step/select.h"

namespace pare {
namespace {

constexpr std::int64_t kBlockSamples = 128;
constexpr double kTimingSeconds = 1;
constexpr std::int64_t kBlock = 4;  ///< runtimes compute other widths slower than the next larger multiple
constexpr int kAttempts = 8;

/// What can go, what it costs in accuracy, and what is saved.
struct Choices {
  std::vector<ErrorCurve> curves;
  std::vector<DropCandidate> drops;
  Cost cost;  ///< not for the same share of every layer
};

/// One way of getting there.
struct Proposal {
  const Choices& choices;
  WidthPlan plan;

  [[nodiscard]] std::vector<DropCandidate> dropped() const {
    std::vector<DropCandidate> taken;
    for (std::size_t i = 0; i < choices.drops.size(); ++i)
      if (plan.widths.dropped[i]) taken.push_back(choices.drops[i]);
    return taken;
  }
};

/// What a proposal became.
struct Pruned {
  Model model;  ///< whole shapes; what reads a removed channel is zero if it was repaired
  RemovedClasses removed;
  std::vector<DropCandidate> drops;
  double error = 0;  ///< of the outputs, on samples
  std::vector<std::string> notes;
};

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

class Job {
 public:
  Job(const Model& model, const StepOptions& options, Context& context)
      : original_(model), options_(options), context_(context), target_(cost_target("prune", {}, options)) {
    const std::string& criterion = options.word("criterion");
    from_data_ = criterion == "reconstruction" || (criterion == "auto" && context.data != nullptr);
    repair_ = options.word("repair") == "on" || (options.word("repair") == "auto" && context.data != nullptr);
    if ((criterion == "reconstruction" || options.word("repair") == "on") && context.data == nullptr)
      fail(
          ErrorCode::kInvalidArgument,
          "prune: {} needs data\n  remedy: give unlabelled samples (a few hundred are enough), or criterion=l2 without "
          "them",
          criterion == "reconstruction" ? "criterion=reconstruction" : "repair");
    const std::vector<std::string> reasons = user_reasons(model.graph, options.words("exclude"), options.words("only"));
    for (std::size_t i = 0; i < reasons.size(); ++i)
      if (!reasons[i].empty()) reasons_[model.graph.nodes[i].output(0)] = reasons[i];
  }

  StepResult run() {
    const std::int64_t steps = options_.integer("steps");
    Model model = original_;
    for (std::int64_t step = 1; step <= steps; ++step)
      model = one_step(model, scheduled_keep(target_.keep, step, steps), step == steps);
    result_.model = std::move(model);
    report_changes();
    return std::move(result_);
  }

 private:
  Model one_step(const Model& model, double keep, bool last) {
    const ChannelFlow flow = trace_channels(model, probe_inputs(model, {.seed = context_.seed}));
    check_types(model, flow);
    if (last) report_frozen(model, flow);
    const WidthOptions widths = width_options(model, flow, keep);
    const std::vector<Choices> choices = find_choices(model, flow);
    if (choices.empty()) return nothing(model, last, "no layer has channels that can go");
    const Finalist best = best_of(model, flow, choices, widths, last);
    if (best.pruned.removed.empty() && best.pruned.drops.empty()) {
      report_plan(flow, best.plan, last);
      return nothing(
          model, last,
          excluded_.empty() ? "limits leave nothing to go" : "limits and excluded layers leave nothing to go");
    }
    Model cut = without(best.pruned.model, flow, best.pruned);
    report_plan(flow, best.plan, last);
    if (last) report_speed(time_against_original(cut), keep, best.align);
    prove(model, flow, best.pruned, cut);
    note_layers(model, flow, best.pruned);
    return cut;
  }

  /// `model` may be repaired; its nodes are those that the flow was made from.
  static Model without(const Model& model, const ChannelFlow& flow, const Pruned& pruned) {
    const Model cut = remove_channels(model, flow, pruned.removed);
    return drop_blocks(cut, relocate(pruned.drops, model.graph, cut.graph));
  }

  SpeedComparison time_against_original(const Model& cut) {
    SessionOptions session = context_.session;
    session.extra_outputs.clear();
    const auto before = open_session(original_, session), after = open_session(cut, session);
    const NamedTensors inputs = probe_inputs(original_, {.seed = context_.seed});
    before->bind(inputs);
    after->bind(inputs);
    timed_with_ = before->description();
    const std::int64_t blocks = target_.kind == CostKind::kMilliseconds ? 15 : 5;
    return compare_speed(*before, *after, {.budget_s = kTimingSeconds, .min_blocks = blocks, .seed = context_.seed},
                         *context_.progress);
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

  /// A choice at the widths that were found for it.
  struct Finalist {
    Pruned pruned;
    WidthPlan plan;
    std::int64_t align = 1;
    bool in_time = true;  ///< a goal in time was met when the shapes were timed
  };

  Finalist best_of(const Model& model, const ChannelFlow& flow, const std::vector<Choices>& choices,
                   const WidthOptions& widths, bool last) {
    Finalist best;
    for (const Choices& one : choices) {
      WidthOptions fitting = widths;
      bool in_time = true;
      const Proposal proposal{one, timed_plan(model, flow, one, fitting, last, in_time)};
      if (&one != &choices.front() && best.in_time && !in_time) continue;
      Pruned pruned = realize(model, flow, proposal, choices.size() > 1);
      const bool sooner = in_time && !best.in_time;
      if (&one != &choices.front() && !sooner && pruned.error >= best.pruned.error) continue;
      best = {std::move(pruned), proposal.plan, fitting.limits.align, in_time};
    }
    return best;
  }

  /// Times add up only nearly, and widths that no runtime likes may cost more than they save: the shapes of a plan are
  /// timed, and others are asked for, before anything is repaired.
  WidthPlan timed_plan(const Model& model, const ChannelFlow& flow, const Choices& choices, WidthOptions& widths,
                       bool last, bool& in_time) {
    const double keep = widths.keep;
    const bool by_time = target_.kind == CostKind::kMilliseconds;
    constexpr double kNear = 0.97;  // of the goal: no nearer plan is looked for
    std::optional<WidthPlan> best;
    double best_share = 0;
    for (int attempt = 1;; ++attempt) {
      const Proposal proposal{choices, plan(flow, choices, widths)};
      Pruned shapes;
      shapes.removed = removed_classes(proposal.plan.widths, choices.curves, choices.drops);
      shapes.drops = proposal.dropped();
      if ((!last && !by_time) || (shapes.removed.empty() && shapes.drops.empty())) return best.value_or(proposal.plan);
      const SpeedComparison speed = time_against_original(without(model, flow, shapes));
      if (!by_time) {
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

  WidthPlan plan(const ChannelFlow& flow, const Choices& choices, WidthOptions widths) {
    if (target_.by_layer) return even_widths(flow, choices.curves, 1 - widths.keep, widths);
    if (original_cost_ == 0) original_cost_ = choices.cost.total(full_widths(flow, choices.drops));
    widths.original = original_cost_;
    return choose_widths(flow, choices.curves, choices.drops, choices.cost, widths);
  }

  Model nothing(const Model& model, bool last, const std::string& why) {
    if (!last || !widths_of_.empty() || !dropped_.empty()) return model;
    const bool asked = target_.keep < 1;
    result_.notes.push_back("nothing was removed: " + (asked ? why : std::string("the goal asks for nothing")));
    if (asked) result_.missed = fmt::format("{}: nothing was removed, {}", target_.text, why);
    return model;
  }

  static void check_types(const Model& model, const ChannelFlow& flow) {
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

  [[nodiscard]] const std::string& reason_of(const Model& model, std::int64_t node) const {
    static const std::string kNone;
    const auto reason = reasons_.find(model.graph.nodes[static_cast<std::size_t>(node)].output(0));
    return reason == reasons_.end() ? kNone : reason->second;
  }

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
        const std::string& reason = reason_of(model, layer.node);
        const bool makes = std::any_of(layer.outputs.begin(), layer.outputs.end(), [&](ChannelClass one) {
          return one != kFixedChannel &&
                 flow.group_of_class[static_cast<std::size_t>(one)] == static_cast<std::int32_t>(g);
        });
        if (reason.empty() || !makes) continue;
        limits.excluded = layer.label + ": " + reason;
        excluded_[layer.label] = {layer.label, model.graph.nodes[static_cast<std::size_t>(layer.node)].op_type, reason};
      }
      widths.by_group[static_cast<std::int64_t>(g)] = std::move(limits);
    }
    return widths;
  }

  std::vector<Choices> find_choices(const Model& model, const ChannelFlow& flow) {
    std::vector<Choices> all;
    const auto add = [&](std::vector<ErrorCurve> curves, std::vector<DropCandidate> drops) {
      if (curves.empty()) return;
      Cost cost;
      if (target_.kind == CostKind::kMilliseconds)
        cost = measure_latency(model, flow, curves, drops,
                               {.session = context_.session, .seed = context_.seed, .progress = context_.progress})
                   .cost;
      else if (!target_.by_layer)
        cost = count_costs(target_.kind, model, flow, curves, drops);
      all.push_back({std::move(curves), std::move(drops), std::move(cost)});
    };
    if (!from_data_) {
      const std::string& criterion = options_.word("criterion");
      add(weight_curves(parse_criterion(criterion == "auto" ? "l2" : criterion), model, flow, context_.seed), {});
      return all;
    }
    std::vector<DropCandidate> drops = droppable_blocks(model, flow);
    CurveOptions curve_options;
    curve_options.samples = options_.integer("samples");
    curve_options.seed = context_.seed;
    curve_options.session = context_.session;
    ErrorCurves curves = error_curves(model, flow, *context_.data, curve_options, *context_.progress);
    for (std::string& note : curves.notes) result_.notes.push_back(std::move(note));
    // Each kind of curve is the better one for some networks; errors of blocks compare with scaled ones alone.
    add(std::move(curves.local), {});
    if (!target_.by_layer) add(std::move(curves.scaled), std::move(drops));
    return all;
  }

  /// With what the outputs lose without each, a share of it: repair brings most of it back (measured on residual
  /// networks: 0.3 of a block's error stays).
  std::vector<DropCandidate> droppable_blocks(const Model& model, const ChannelFlow& flow) {
    const std::string& word = options_.word("blocks");
    if (word == "off" || target_.by_layer || target_.kind == CostKind::kChannels || !repair_) return {};
    std::vector<DropCandidate> drops = find_drop_candidates(model, flow);
    std::erase_if(
        drops, [&](const DropCandidate& drop) { return !can_silence(model, flow, drop) || is_excluded(model, drop); });
    if (drops.empty()) return drops;
    const OutputError error(model, *context_.data, std::min(kBlockSamples, judging_samples(model, flow)),
                            context_.seed + 1, context_.session);
    ProgressTask task(*context_.progress, "measure blocks", static_cast<std::int64_t>(drops.size()), "blocks");
    constexpr double kStays = 0.3;
    for (std::size_t i = 0; i < drops.size(); ++i) {
      drops[i].error = kStays * error.of(drop_blocks(model, {drops[i]}));
      task.advance(static_cast<std::int64_t>(i) + 1);
    }
    return drops;
  }

  [[nodiscard]] bool is_excluded(const Model& model, const DropCandidate& drop) const {
    return !reason_of(model, drop.add).empty() ||
           std::any_of(drop.body.begin(), drop.body.end(),
                       [&](std::int64_t node) { return !reason_of(model, node).empty(); });
  }

  /// As many as for repair, as long as they take little memory: of few samples the wrong proposal may win.
  [[nodiscard]] std::int64_t judging_samples(const Model& model, const ChannelFlow& flow) const {
    constexpr std::int64_t kMostBytes = 100'000'000, kLeast = 32;
    std::int64_t bytes = 1;
    for (const auto& [name, tensor] : *flow.inputs) bytes += tensor.size_bytes();
    for (const ValueInfo& output : model.graph.outputs)
      if (const auto shape = flow.trace->shapes.find(output.name); shape != flow.trace->shapes.end())
        bytes += 4 * element_count(shape->second);
    return std::min(options_.integer("samples"), std::max(kLeast, kMostBytes / bytes));
  }

  Pruned realize(const Model& model, const ChannelFlow& flow, const Proposal& proposal, bool judge) {
    Pruned pruned;
    pruned.removed = removed_classes(proposal.plan.widths, proposal.choices.curves, proposal.choices.drops);
    pruned.drops = proposal.dropped();
    pruned.model = model;
    if (pruned.removed.empty() && pruned.drops.empty()) return pruned;
    if (repair_) {
      const std::vector<bool> vanished = vanished_groups(proposal.plan.widths, proposal.choices.drops);
      std::vector<GroupCut> cuts;
      for (const ErrorCurve& curve : proposal.choices.curves) {
        const std::int64_t remove = proposal.plan.widths.removed[static_cast<std::size_t>(curve.group)];
        if (remove > 0 && !vanished[static_cast<std::size_t>(curve.group)])
          cuts.push_back({curve.group, remove, curve.order});
      }
      RepairOptions repair_options;
      repair_options.samples = options_.integer("samples");
      repair_options.seed = context_.seed;
      repair_options.session = context_.session;
      repair_options.drops = pruned.drops;
      RepairResult repaired = prune_and_repair(model, flow, cuts, *context_.data, repair_options, *context_.progress);
      pruned.model = std::move(repaired.model);
      pruned.removed = std::move(repaired.removed);
      pruned.notes = std::move(repaired.notes);
    }
    if (judge) {
      const OutputError error(model, *context_.data, judging_samples(model, flow), context_.seed + 1, context_.session);
      pruned.error = error.of(repair_ ? pruned.model : mask_channels(pruned.model, flow, pruned.removed));
    }
    return pruned;
  }

  /// The oracle: what was taken out of the network as it was equals a mask; what was repaired, likewise.
  void prove(const Model& model, const ChannelFlow& flow, const Pruned& pruned, const Model& cut) {
    constexpr const char* kOracle = "removed channels equal masked ones";
    if (!pruned.removed.empty())
      result_.checks.push_back(prove_equal(kOracle, mask_channels(model, flow, pruned.removed),
                                           remove_channels(model, flow, pruned.removed), context_));
    if (repair_)
      result_.checks.push_back(prove_equal("the repaired network without them equals the masked one",
                                           mask_channels(pruned.model, flow, pruned.removed), cut, context_));
  }

  void report_frozen(const Model& model, const ChannelFlow& flow) {
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

  void report_plan(const ChannelFlow& flow, const WidthPlan& plan, bool last) {
    if (!last) return;
    double got = 1;
    if (target_.by_layer) {
      double all = 0, gone = 0;
      std::map<std::string, int> namesakes;
      for (std::size_t g = 0; g < flow.groups.size(); ++g) {
        if (!flow.groups[g].frozen.empty()) continue;
        const std::string& name = flow.groups[g].name;
        const auto before = static_cast<double>(original_classes_.at(fmt::format("{} {}", name, namesakes[name]++)));
        all += before;
        gone +=
            before - static_cast<double>(flow.groups[g].classes.size()) + static_cast<double>(plan.widths.removed[g]);
      }
      got = all == 0 ? 1 : 1 - gone / all;
    } else if (original_cost_ > 0) {
      got = plan.got / original_cost_;
    }
    result_.figures["asked_share"] = target_.keep;
    if (target_.kind == CostKind::kMilliseconds) return;  // what was measured tells, report_speed
    result_.figures["got_share"] = got;
    result_.notes.push_back(fmt::format("asked for {}, got {:.4g} %", target_.text, 100 * got));
    constexpr double kRounding = 0.05;  // whole channels of each layer
    const bool reached = target_.by_layer ? got <= target_.keep + kRounding : plan.reached;
    if (!reached)
      result_.missed = fmt::format("{}: {:.4g} % is the least{}{}", target_.text, 100 * got,
                                   plan.note.empty() ? "" : "; ", plan.note);
  }

  /// Time is reported as it was measured, whatever was asked for.
  void report_speed(const SpeedComparison& speed, double keep, std::int64_t align) {
    const bool by_time = target_.kind == CostKind::kMilliseconds;
    result_.figures["speed_ratio"] = speed.ratio;
    if (target_.kind == CostKind::kMilliseconds) result_.figures["got_share"] = 1 / speed.ratio;
    result_.notes.push_back(fmt::format("{}measured {:.2f} times as fast as before ({:.2f} to {:.2f}), {}, batch 1",
                                        by_time ? "asked for " + target_.text + ", " : "", speed.ratio,
                                        speed.interval.low, speed.interval.high, timed_with_));
    if (target_.kind == CostKind::kMilliseconds) {
      result_.missed = speed.ratio * keep >= 1
                           ? ""
                           : fmt::format("{}: {:.2f} times as fast was measured", target_.text, speed.ratio);
    } else if (align > kBlock && options_.integer("round") == 0) {
      result_.notes.push_back(fmt::format(
          "widths are multiples of {}: narrower steps were measured to be slower (round=4 pins them)", align));
    }
    if (target_.kind != CostKind::kMilliseconds && speed.verdict == Verdict::kSlower) {
      result_.notes.push_back("that is slower: ask for time (speedup=1.2), or for rounder widths (round=16)");
    }
  }

  /// What each layer had at first and has now.
  void note_layers(const Model& model, const ChannelFlow& flow, const Pruned& pruned) {
    std::vector<bool> gone(flow.group_of_class.size(), false);
    for (const ChannelClass one : pruned.removed) gone[static_cast<std::size_t>(one)] = true;
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
    for (const DropCandidate& drop : pruned.drops) {
      const Node& add = model.graph.nodes[static_cast<std::size_t>(drop.add)];
      dropped_.push_back({node_label(add, drop.add), add.op_type, "the block that ends here is gone"});
    }
    result_.notes.insert(result_.notes.end(), pruned.notes.begin(), pruned.notes.end());
  }

  void report_changes() {
    double channels = 0;
    for (const auto& [label, widths] : widths_of_) {
      result_.done.push_back(
          {label, widths.op_type, fmt::format("keeps {} of {} channels", widths.now, widths.before)});
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
  }

  const Model& original_;
  const StepOptions& options_;
  Context& context_;
  CostTarget target_;
  bool from_data_ = false, repair_ = false;
  double original_cost_ = 0;
  std::string timed_with_;
  struct LayerWidths {
    std::int64_t node = 0;
    std::string op_type;
    std::int64_t before = 0, now = 0;
    bool depthwise = false;
  };
  std::map<std::string, LayerWidths> widths_of_;  ///< by label, of layers that lost channels
  std::vector<NodeReason> dropped_;
  std::map<std::string, std::string> reasons_;  ///< by what a node makes, why the user keeps it as it is
  std::map<std::string, NodeReason> excluded_;
  std::map<std::string, std::int64_t> original_classes_;
  StepResult result_;
};

}  // namespace

StepResult prune_channels(const Model& model, const StepOptions& options, Context& context) {
  return Job(model, options, context).run();
}

}  // namespace pare
