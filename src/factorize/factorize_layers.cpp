#include "factorize/factorize_layers.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "budget/levels.h"
#include "budget/target.h"
#include "budget/time_parts.h"
#include "core/fail.h"
#include "core/words.h"
#include "factorize/candidate.h"
#include "factorize/choose_kinds.h"
#include "factorize/choose_ranks.h"
#include "factorize/layer_options.h"
#include "factorize/network_cost.h"
#include "factorize/time_ways.h"
#include "factorize/walk.h"
#include "measure/side_by_side.h"
#include "step/prove.h"
#include "step/select.h"

namespace pare {
namespace {

constexpr double kTimingSeconds = 1, kMostSeconds = 8;  ///< where time is the goal a busy machine gets more of it
constexpr double kNarrow = 0.06;                        ///< width of an interval that is good enough, of the ratio
constexpr int kAttempts = 4;
constexpr double kPlanSeconds = 8;
constexpr double kInPlaceMs = 10;   ///< of slower networks each layer is timed alone; then plans are timed as a whole
constexpr double kSlowMs = 50;      ///< few runs of slower networks are enough
constexpr double kSameTime = 0.02;  ///< of a layer's time

class Job {
 public:
  Job(const Model& model, const StepOptions& options, Context& context)
      : model_(model), options_(options), context_(context) {
    std::vector<std::string> goals;
    for (const char* goal : {"macs", "params", "latency", "speedup", "rank", "energy"})
      if (options.given(goal)) goals.emplace_back(goal);
    if (options.flag("evbmf")) goals.emplace_back("evbmf");
    if (goals.size() > 1)
      fail(ErrorCode::kInvalidArgument, "factorize: {} contradict each other\n  remedy: give one goal",
           join(goals, " and "));
    target_ = cost_target("factorize", {"bytes", "channels"}, options);
    by_layer_ = options.given("rank") || options.given("energy") || options.flag("evbmf");
    if (options.given("rank") && options.integer("rank") < 1)
      fail(ErrorCode::kInvalidArgument, "factorize: rank must be 1 or more");
    if (options.given("energy") && (options.number("energy") <= 0 || options.number("energy") > 1))
      fail(ErrorCode::kInvalidArgument, "factorize: energy={} is out of range\n  remedy: a share such as 95%",
           options.word("energy"));
    by_time_ = !by_layer_ && target_.kind == CostKind::kMilliseconds;
    mixed_ = !by_layer_ && !by_time_ && options.word("kind") == "auto";
    rules_ = {.cost = target_.kind, .round = options.integer("round"), .force = options.flag("force")};
  }

  StepResult run() {
    inputs_ = probe_inputs(model_, {.seed = context_.seed});
    trace_ = trace_model(model_, inputs_);
    RankCandidateOptions wanted{
        .kind = options_.word("kind"),
        .every_kind = by_time_ || mixed_,
        .above_break_even = options_.flag("force"),
        .user_reasons = user_reasons(model_.graph, options_.words("exclude"), options_.words("only"))};
    RankCandidates found = find_candidates(model_, trace_, wanted);
    candidates_ = std::move(found.list);
    result_.skipped = std::move(found.skipped);
    if (candidates_.empty()) return nothing("no layer can be factorized");
    if (by_time_ || mixed_) find_times();
    if (!options_.given("rank") && !options_.flag("evbmf")) find_curves();
    layers_ = options();
    for (NodeReason& one : layers_.skipped) result_.skipped.push_back(std::move(one));
    choose();
    if (chosen_.empty()) return nothing("no layer became two");
    WalkOptions walk{.samples = options_.integer("samples"), .seed = context_.seed, .session = context_.session};
    walk.penalty = options_.word("relu") == "penalty";
    Walked walked = walk_layers(model_, trace_, candidates_, chosen_, context_.data.get(), walk, *context_.progress);
    result_.model = split_layers(walked.model, walked.splits);
    result_.checks.push_back(prove_equal("two factors equal their product", walked.model, result_.model, context_));
    report(walked);
    return std::move(result_);
  }

 private:
  StepResult nothing(const std::string& why) {
    result_.notes.push_back("nothing was factorized: " + why);
    result_.model = model_;
    return std::move(result_);
  }

  void find_curves() {
    measure_rank_curves(model_, trace_, context_.data.get(),
                        {.samples = options_.integer("samples"), .seed = context_.seed, .session = context_.session},
                        candidates_, *context_.progress);
  }

  void find_times() {
    TimeWaysOptions time{.session = context_.session, .seed = context_.seed, .progress = context_.progress};
    time.block = options_.integer("round") > 0 ? options_.integer("round") : runtime_block();
    time.alone_above_ms = mixed_ ? kInPlaceMs : 1e300;
    times_ = time_ways(model_, trace_, inputs_, candidates_, time);
  }

  LayerOptions options() const {
    if (options_.given("rank")) return options_of_rank(candidates_, rules_, options_.integer("rank"));
    if (options_.given("energy")) return options_of_energy(candidates_, rules_, options_.number("energy"));
    if (options_.flag("evbmf")) return options_of_evbmf(candidates_, rules_);
    if (by_time_) return options_of_time(candidates_, rules_, times_);
    return options_of_cost(candidates_, rules_, mixed_ ? &times_ : nullptr);
  }

  // --- Choice

  void choose() {
    if (by_layer_) {
      for (std::size_t c = 0; c < candidates_.size(); ++c) {
        const std::vector<LayerOption>& own = layers_.of[c];
        if (own.empty()) continue;
        ChosenRank one{.candidate = c, .way = own[0].way, .rank = own[0].rank, .outer = own[0].outer};
        for (std::size_t o = 1; o < own.size(); ++o)
          if (own[o].rank == one.rank) one.also.push_back(own[o].way);
        chosen_.push_back(std::move(one));
      }
      return;
    }
    double whole = 0;
    for (const auto& own : layers_.of) whole += own[0].cost;
    before_ = by_time_ ? times_.whole_ms : network_cost(model_, trace_, target_.kind);
    if (by_time_) return choose_by_time();
    const double budget = target_.keep * before_ - (before_ - whole);
    if (mixed_) {
      const MeasurePlans measure = [this](const std::vector<KindPlan>& plans) { return times_of(plans); };
      const KindChoice choice = choose_kinds(candidates_, layers_, budget, times_.whole_ms, measure);
      take(choice.best.option);
      got_ = (choice.best.cost + before_ - whole) / before_;
      reached_ = choice.best.reached;
      for (const KindPlan& plan : choice.single)
        result_.notes.push_back(fmt::format("{} everywhere would take {:.2f} times as long at that goal", plan.kind,
                                            plan.time / choice.best.time));
      return;
    }
    const RankChoice choice = choose_ranks(rank_options(), budget);
    take(choice.option);
    got_ = (choice.cost + before_ - whole) / before_;
    reached_ = choice.reached;
  }

  void choose_by_time() {
    double keep = target_.keep;
    std::optional<RankChoice> best;
    for (int attempt = 1; attempt <= kAttempts; ++attempt) {
      const RankChoice choice = choose_ranks(rank_options(), (keep - 1) * before_);
      take_timed(choice);
      if (chosen_.empty()) return;
      // Savings add up only nearly: shapes alone tell the time, so this costs no fitting.
      const double share =
          1 / time_against_original(with_shapes(model_, candidates_, shapes_of(choice.option))).speed.ratio;
      if (share <= target_.keep && (!best || choice.error < best->error)) best = choice;
      if (share <= target_.keep && share > 0.96 * target_.keep) break;
      if (!choice.reached && share > target_.keep) break;
      keep = std::min(1.0, keep * (share > target_.keep ? 0.985 : 0.99) * target_.keep / share);
    }
    if (best) take_timed(*best);  // on a busy machine the last attempt need not be it
  }

  void take_timed(const RankChoice& choice) {
    take(choice.option);
    got_ = 1 + choice.cost / before_;
    reached_ = choice.reached;
  }

  std::vector<std::vector<RankOption>> rank_options() const {
    std::vector<std::vector<RankOption>> layers;
    for (const auto& own : layers_.of) {
      layers.emplace_back();
      for (const LayerOption& option : own) layers.back().push_back({option.cost, option.error});
    }
    return layers;
  }

  std::vector<ShapeChoice> shapes_of(const std::vector<std::size_t>& plan) const {
    std::vector<ShapeChoice> shapes;
    for (std::size_t c = 0; c < candidates_.size(); ++c)
      if (const LayerOption& option = layers_.of[c][plan[c]]; option.rank > 0)
        shapes.push_back({.candidate = c, .way = option.way, .rank = option.rank});
    return shapes;
  }

  std::vector<double> times_of(const std::vector<KindPlan>& plans) const {
    SessionOptions session = context_.session;
    session.extra_outputs.clear();
    std::vector<std::unique_ptr<Session>> sessions;
    std::vector<Session*> parts;
    const auto open = [&](const Model& model) {
      sessions.push_back(open_session(model, session));
      sessions.back()->bind(inputs_);
      return sessions.back().get();
    };
    Session* whole = open(model_);
    for (const KindPlan& plan : plans) parts.push_back(open(with_shapes(model_, candidates_, shapes_of(plan.option))));
    PartTimes times = time_parts(system_clocks(), *whole, parts,
                                 {.budget_s = kPlanSeconds,
                                  .min_rounds = times_.whole_ms > kSlowMs ? 3 : 9,
                                  .max_rounds = 100,
                                  .seed = context_.seed});
    for (double& ms : times.part_ms) ms *= times_.whole_ms / times.whole_ms;
    return times.part_ms;
  }

  void take(const std::vector<std::size_t>& plan) {
    chosen_.clear();
    for (std::size_t c = 0; c < candidates_.size(); ++c) {
      const LayerOption& option = layers_.of[c][plan[c]];
      if (option.rank == 0) continue;
      ChosenRank one{.candidate = c, .way = option.way, .rank = option.rank, .outer = option.outer};
      const double slack = mixed_ ? kSameTime * times_.candidates[c].layer_ms : 0;
      for (const LayerOption& other : layers_.of[c])
        if (other.rank == option.rank && other.way != option.way && other.cost <= option.cost * (1 + 1e-9) &&
            (!mixed_ || other.saved_ms >= option.saved_ms - slack))
          one.also.push_back(other.way);
      chosen_.push_back(std::move(one));
    }
  }

  // --- Report

  SideBySide time_against_original(const Model& changed) const {
    SideBySideOptions options{.benchmark = {.budget_s = kTimingSeconds, .seed = context_.seed}};
    if (by_time_) {
      options.most_s = kMostSeconds;
      options.narrow = kNarrow;
    }
    return time_side_by_side(model_, changed, inputs_, context_.session, options, *context_.progress);
  }

  void report(const Walked& walked) {
    for (std::size_t i = 0; i < chosen_.size(); ++i) {
      const RankCandidate& candidate = candidates_[chosen_[i].candidate];
      const SplitLayer& split = walked.splits[i];
      result_.done.push_back({candidate.label, candidate.op_type,
                              fold_text(split.layer, split.fold.kind, split.factors.rank, split.factors.outer)});
      ++result_.changes;
    }
    for (const std::string& note : walked.notes) result_.notes.push_back(note);
    result_.figures["factorized_layers"] = static_cast<double>(chosen_.size());
    const SideBySide timed = time_against_original(result_.model);
    const SpeedComparison& speed = timed.speed;
    if (!by_layer_) {
      result_.figures["asked_share"] = target_.keep;
      result_.figures["got_share"] = got_;
      if (!by_time_) result_.notes.push_back(fmt::format("asked for {}, got {:.4g} %", target_.text, 100 * got_));
      if (!by_time_ && !reached_) result_.missed = fmt::format("{}: {:.4g} % is the least", target_.text, 100 * got_);
    }
    result_.figures["speed_ratio"] = speed.ratio;
    result_.notes.push_back(timed.text());
    if (by_time_ && speed.ratio * target_.keep < 1)
      result_.missed = fmt::format("{}: {:.2f} times as fast was measured", target_.text, speed.ratio);
    if (!by_time_ && speed.verdict == Verdict::kSlower)
      result_.notes.push_back(
          "that is slower: ask for time (speedup=1.2), which leaves layers whole that gain nothing");
  }

  const Model& model_;
  const StepOptions& options_;
  Context& context_;
  CostTarget target_;
  RankRules rules_;
  bool by_layer_ = false, by_time_ = false, reached_ = true;
  bool mixed_ = false;  ///< MACs or parameters are the goal, the clock chooses the kinds
  NamedTensors inputs_;
  Trace trace_;
  std::vector<RankCandidate> candidates_;
  TimedNetwork times_;
  LayerOptions layers_;
  std::vector<ChosenRank> chosen_;
  double before_ = 0, got_ = 1;
  StepResult result_;
};

}  // namespace

StepResult factorize_layers(const Model& model, const StepOptions& options, Context& context) {
  return Job(model, options, context).run();
}

}  // namespace pare
