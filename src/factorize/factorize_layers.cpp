#include "factorize/factorize_layers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "budget/levels.h"
#include "budget/target.h"
#include "core/fail.h"
#include "core/words.h"
#include "factorize/candidate.h"
#include "factorize/choose_ranks.h"
#include "factorize/time_ways.h"
#include "factorize/walk.h"
#include "ops/macs.h"
#include "ops/parameters.h"
#include "pare/measure.h"
#include "step/prove.h"
#include "step/select.h"

namespace pare {
namespace {

constexpr double kTimingSeconds = 1, kMostSeconds = 8;
constexpr double kNarrow = 0.06;  ///< width of an interval that is good enough, of the ratio
constexpr int kAttempts = 4;
constexpr double kLeastGain = 0.05;        ///< of a layer's time
constexpr std::int64_t kCoarseLimit = 64;  ///< ranks of wider layers go in fours
constexpr double kLowestShare = 1 / 16.0;  ///< of the break-even rank

/// What a layer can become.
struct Option {
  std::size_t way = 0;
  std::int64_t rank = 0;  ///< 0: it stays
  double cost = 0;        ///< MACs, parameters, or milliseconds saved (negative)
};

class Job {
 public:
  Job(const Model& model, const StepOptions& options, Context& context)
      : model_(model), options_(options), context_(context) {
    std::vector<std::string> goals;
    for (const char* goal : {"macs", "params", "latency", "speedup", "rank", "energy"})
      if (options.given(goal)) goals.emplace_back(goal);
    if (goals.size() > 1)
      fail(ErrorCode::kInvalidArgument, "factorize: {} contradict each other\n  remedy: give one goal",
           join(goals, " and "));
    target_ = cost_target("factorize", {"bytes", "channels"}, options);
    by_layer_ = options.given("rank") || options.given("energy");
    if (options.given("rank") && options.integer("rank") < 1)
      fail(ErrorCode::kInvalidArgument, "factorize: rank must be 1 or more");
    if (options.given("energy") && (options.number("energy") <= 0 || options.number("energy") > 1))
      fail(ErrorCode::kInvalidArgument, "factorize: energy={} is out of range\n  remedy: a share such as 95%",
           options.word("energy"));
    by_time_ = !by_layer_ && target_.kind == CostKind::kMilliseconds;
  }

  StepResult run() {
    inputs_ = probe_inputs(model_, {.seed = context_.seed});
    trace_ = trace_model(model_, inputs_);
    RankCandidateOptions wanted{
        .kind = options_.word("kind"),
        .every_kind = by_time_,
        .above_break_even = options_.flag("force"),
        .user_reasons = user_reasons(model_.graph, options_.words("exclude"), options_.words("only"))};
    RankCandidates found = find_candidates(model_, trace_, wanted);
    candidates_ = std::move(found.list);
    result_.skipped = std::move(found.skipped);
    if (candidates_.empty()) return nothing("no layer can be factorized");
    if (by_time_) find_times();
    if (options_.given("rank"))
      rank_options();
    else
      find_curves();
    if (options_.given("energy")) energy_options();
    if (!by_layer_) goal_options();
    choose();
    if (chosen_.empty()) return nothing("no layer became two");
    WalkOptions walk{.samples = options_.integer("samples"), .seed = context_.seed, .session = context_.session};
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

  void skip(const RankCandidate& candidate, std::string reason) {
    result_.skipped.push_back({candidate.label, candidate.op_type, std::move(reason)});
  }

  void find_curves() {
    measure_rank_curves(model_, trace_, context_.data.get(),
                        {.samples = options_.integer("samples"), .seed = context_.seed, .session = context_.session},
                        candidates_, *context_.progress);
  }

  void find_times() {
    TimeWaysOptions time{.session = context_.session, .seed = context_.seed, .progress = context_.progress};
    time.block = options_.integer("round") > 0 ? options_.integer("round") : runtime_block();
    times_ = time_ways(model_, trace_, inputs_, candidates_, time);
  }

  double cost_of(const Way& way, std::int64_t rank) const {
    const FoldCost& cost = target_.kind == CostKind::kParameters ? way.parameters : way.macs;
    return rank == 0 ? cost.whole : cost.at(rank, way.fold.outer_rank(rank));
  }

  // --- Options of each layer

  void rank_options() {
    const std::int64_t rank = options_.integer("rank");
    for (const RankCandidate& candidate : candidates_) {
      std::vector<Option> own;
      for (std::size_t way = 0; way < candidate.ways.size(); ++way) {
        const std::int64_t most = std::min(rank, candidate.ways[way].fold.full_rank());
        if (most < candidate.ways[way].limit)
          own.push_back({.way = way, .rank = most, .cost = cost_of(candidate.ways[way], most)});
      }
      if (own.empty())
        skip(candidate, fmt::format("rank {} saves nothing: the break-even is {}", rank, candidate.ways[0].limit));
      layer_options_.push_back(std::move(own));
    }
  }

  void energy_options() {
    const double lost = 1 - options_.number("energy");
    for (const RankCandidate& candidate : candidates_) {
      std::vector<Option> own;
      for (std::size_t way = 0; way < candidate.ways.size(); ++way) {
        const Way& one = candidate.ways[way];
        const std::int64_t step = step_of(one);
        std::int64_t rank = step;
        while (rank < one.limit && one.error_at(rank) > lost) rank += step;
        if (rank < one.limit) own.push_back({.way = way, .rank = rank, .cost = cost_of(one, rank)});
      }
      if (own.empty()) {
        const Way& one = candidate.ways[0];
        skip(candidate,
             fmt::format("no gain: at rank {} it keeps {:.4g} % of its outputs, at the break-even ({}) nothing "
                         "is saved",
                         one.limit - 1, 100 * (1 - one.error_at(one.limit - 1)), one.limit));
      }
      // The cheapest that keeps as much.
      std::sort(own.begin(), own.end(), [](const Option& a, const Option& b) { return a.cost < b.cost; });
      if (own.size() > 1) own.resize(1);
      layer_options_.push_back(std::move(own));
    }
  }

  std::int64_t step_of(const Way& way) const {
    if (options_.integer("round") > 0) return options_.integer("round");
    return way.limit > kCoarseLimit ? 4 : 1;
  }

  void goal_options() {
    for (std::size_t c = 0; c < candidates_.size(); ++c) {
      const RankCandidate& candidate = candidates_[c];
      std::vector<Option> own = {{.way = 0, .rank = 0, .cost = by_time_ ? 0 : cost_of(candidate.ways[0], 0)}};
      if (by_time_) {
        add_timed(c, own);
      } else {
        for (std::size_t way = 0; way < candidate.ways.size(); ++way) {
          const Way& one = candidate.ways[way];
          const std::int64_t step = step_of(one);
          const auto lowest = static_cast<std::int64_t>(kLowestShare * static_cast<double>(one.limit));
          for (std::int64_t rank = step; rank < one.limit; rank += step)
            if (rank >= lowest) own.push_back({.way = way, .rank = rank, .cost = cost_of(one, rank)});
        }
      }
      layer_options_.push_back(std::move(own));
    }
  }

  void add_timed(std::size_t c, std::vector<Option>& own) {
    const TimedCandidate& timed = times_.candidates[c];
    double best = -1e300;
    for (const TimedRank& one : timed.ranks) {
      best = std::max(best, one.saved_ms);
      if (options_.flag("force") || one.saved_ms >= kLeastGain * timed.layer_ms)
        own.push_back({.way = one.way, .rank = one.rank, .cost = -one.saved_ms});
    }
    if (own.size() > 1) return;
    const RankCandidate& candidate = candidates_[c];
    if (timed.ranks.empty())
      skip(candidate,
           fmt::format("too thin for the runtime's blocks: its break-even is rank {}", candidate.ways[0].limit));
    else
      skip(candidate, fmt::format("no faster: the best pair of factors takes {:.1f} us {} than the layer ({:.1f} us)",
                                  1000 * std::abs(best), best > 0 ? "less" : "more", 1000 * timed.layer_ms));
  }

  // --- Choice

  double network_cost() const {
    double total = 0;
    if (target_.kind == CostKind::kMacs) {
      const ShapeOf shape_of = [this](std::string_view value) -> std::optional<Shape> {
        if (const auto found = trace_.shapes.find(std::string(value)); found != trace_.shapes.end())
          return found->second;
        const Tensor constant = model_.graph.constant(value);
        return constant.empty() ? std::nullopt : std::optional(constant.shape());
      };
      for (const Node& node : model_.graph.nodes) total += static_cast<double>(node_macs(node, shape_of).value_or(0));
      return total;
    }
    std::map<std::string, std::int64_t> counted;
    const GraphIndex index(model_.graph);
    for (const Node& node : model_.graph.nodes)
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        const Tensor constant = index.constant(node.inputs[i]);
        if (!constant.empty() && is_parameter(node, i, constant.dtype(), constant.element_count()))
          counted[node.inputs[i]] = constant.element_count();
      }
    for (const auto& [name, elements] : counted) total += static_cast<double>(elements);
    return total;
  }

  void choose() {
    if (by_layer_) {
      for (std::size_t c = 0; c < candidates_.size(); ++c) {
        if (layer_options_[c].empty()) continue;
        ChosenRank one{.candidate = c, .way = layer_options_[c][0].way, .rank = layer_options_[c][0].rank};
        for (std::size_t o = 1; o < layer_options_[c].size(); ++o)
          if (layer_options_[c][o].rank == one.rank) one.also.push_back(layer_options_[c][o].way);
        chosen_.push_back(std::move(one));
      }
      return;
    }
    std::vector<std::vector<RankOption>> layers;
    double whole = 0;
    for (std::size_t c = 0; c < candidates_.size(); ++c) {
      layers.emplace_back();
      for (const Option& option : layer_options_[c]) layers.back().push_back({option.cost, error_of(c, option)});
      whole += layers.back()[0].cost;
    }
    before_ = by_time_ ? times_.whole_ms : network_cost();
    double keep = target_.keep;
    for (int attempt = 1;; ++attempt) {
      const double budget = by_time_ ? (keep - 1) * before_ : target_.keep * before_ - (before_ - whole);
      const RankChoice choice = choose_ranks(layers, budget);
      take(choice);
      got_ = by_time_ ? 1 + choice.cost / before_ : (choice.cost + before_ - whole) / before_;
      reached_ = choice.reached;
      if (!by_time_ || chosen_.empty() || attempt == kAttempts) return;
      // Savings add up only nearly: shapes alone tell the time, so this costs no fitting.
      std::vector<ShapeChoice> shapes;
      for (const ChosenRank& one : chosen_) shapes.push_back({one.candidate, one.way, one.rank});
      const double share = 1 / speed_of(with_shapes(model_, candidates_, shapes)).ratio;
      const bool in_reach = share <= target_.keep && share > 0.96 * target_.keep;
      if (in_reach || (!choice.reached && share > target_.keep)) return;
      keep = std::min(1.0, keep * (share > target_.keep ? 0.985 : 0.99) * target_.keep / share);
    }
  }

  double error_of(std::size_t c, const Option& option) const {
    const RankCandidate& candidate = candidates_[c];
    // The scale was measured with all other layers whole. A layer that seems to matter little alone also makes good
    // what went wrong before it, as far as its rank lets it: between both, the geometric mean. Measured on ResNet-20 at
    // a third of its MACs: 84.3 % with the scale, 87.1 % without, 87.5 % with its root.
    return option.rank == 0 ? 0 : std::sqrt(candidate.scale) * candidate.ways[option.way].error_at(option.rank);
  }

  void take(const RankChoice& choice) {
    chosen_.clear();
    for (std::size_t c = 0; c < candidates_.size(); ++c) {
      const Option& option = layer_options_[c][choice.option[c]];
      if (option.rank == 0) continue;
      ChosenRank one{.candidate = c, .way = option.way, .rank = option.rank};
      for (const Option& other : layer_options_[c])
        if (other.rank == option.rank && other.way != option.way && other.cost <= option.cost * (1 + 1e-9))
          one.also.push_back(other.way);
      chosen_.push_back(std::move(one));
    }
  }

  // --- Report

  SpeedComparison speed_of(const Model& changed) {
    SessionOptions session = context_.session;
    session.extra_outputs.clear();
    const auto before = open_session(model_, session), after = open_session(changed, session);
    before->bind(inputs_);
    after->bind(inputs_);
    timed_with_ = before->description();
    // Where time is the goal a busy machine gets more of it.
    for (double seconds = kTimingSeconds;; seconds *= 2) {
      SpeedComparison speed =
          compare_speed(*before, *after, {.budget_s = seconds, .seed = context_.seed}, *context_.progress);
      const bool narrow = speed.interval.high - speed.interval.low < kNarrow * speed.ratio;
      if (!by_time_ || narrow || seconds >= kMostSeconds) return speed;
    }
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
    const SpeedComparison speed = speed_of(result_.model);
    if (!by_layer_) {
      result_.figures["asked_share"] = target_.keep;
      result_.figures["got_share"] = got_;
      if (!by_time_) result_.notes.push_back(fmt::format("asked for {}, got {:.4g} %", target_.text, 100 * got_));
      if (!by_time_ && !reached_) result_.missed = fmt::format("{}: {:.4g} % is the least", target_.text, 100 * got_);
    }
    result_.figures["speed_ratio"] = speed.ratio;
    result_.notes.push_back(fmt::format("measured {:.2f} times as fast as before ({:.2f} to {:.2f}), {}, batch 1",
                                        speed.ratio, speed.interval.low, speed.interval.high, timed_with_));
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
  bool by_layer_ = false, by_time_ = false, reached_ = true;
  NamedTensors inputs_;
  Trace trace_;
  std::vector<RankCandidate> candidates_;
  TimedNetwork times_;
  std::vector<std::vector<Option>> layer_options_;
  std::vector<ChosenRank> chosen_;
  double before_ = 0, got_ = 1;
  std::string timed_with_;
  StepResult result_;
};

}  // namespace

StepResult factorize_layers(const Model& model, const StepOptions& options, Context& context) {
  return Job(model, options, context).run();
}

}  // namespace pare
