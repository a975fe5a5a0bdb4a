#include "factorize/choose_kinds.h"

#include <algorithm>
#include <optional>

#include "factorize/choose_ranks.h"

namespace pare {
namespace {

constexpr int kExchangeRates = 40;
/// Share of the time foretold for the fastest single kind; the table is not exact, so some plans aim lower.
constexpr double kAims[] = {1e9, 1, 0.98, 0.96, 0.93, 0.9};

class Planner {
 public:
  Planner(const std::vector<RankCandidate>& candidates, LayerOptions options, double budget)
      : candidates_(candidates), options_(std::move(options)), budget_(budget) {}

  /// `rate`: error that a millisecond is worth.
  KindPlan plan(const std::vector<std::string>& kinds, double rate) const {
    std::vector<std::vector<RankOption>> layers;
    std::vector<std::vector<std::size_t>> from;
    for (std::size_t c = 0; c < candidates_.size(); ++c) {
      layers.emplace_back();
      from.emplace_back();
      for (std::size_t o = 0; o < options_.of[c].size(); ++o) {
        const LayerOption& option = options_.of[c][o];
        if (option.rank > 0 && !allowed(c, option.way, kinds)) continue;
        layers.back().push_back({.cost = option.cost, .error = option.error - rate * option.saved_ms});
        from.back().push_back(o);
      }
    }
    const RankChoice choice = choose_ranks(layers, budget_);
    KindPlan plan{.kind = kinds.size() == 1 ? kinds[0] : "mixed", .option = {}, .reached = choice.reached};
    for (std::size_t c = 0; c < candidates_.size(); ++c) {
      plan.option.push_back(from[c][choice.option[c]]);
      const LayerOption& option = options_.of[c][plan.option.back()];
      plan.cost += option.cost;
      plan.error += option.error;
      plan.saved_ms += option.saved_ms;
    }
    return plan;
  }

  std::vector<std::string> kinds() const {
    std::vector<std::string> found;
    for (const RankCandidate& candidate : candidates_)
      for (const Way& way : candidate.ways) {
        const std::string name = kind_name(candidate.layer, way.fold.kind);
        if (std::find(found.begin(), found.end(), name) == found.end()) found.push_back(name);
      }
    return found;
  }

  /// Layers were timed alone. What a plan of one kind takes in truth is shared out among that kind's options.
  void correct(const KindPlan& plan, double saved_ms) {
    const auto changed = std::count_if(plan.option.begin(), plan.option.end(), [](std::size_t o) { return o > 0; });
    if (changed == 0) return;
    const double more = (saved_ms - plan.saved_ms) / static_cast<double>(changed);
    for (std::size_t c = 0; c < candidates_.size(); ++c)
      for (LayerOption& option : options_.of[c])
        if (option.rank > 0 && allowed(c, option.way, {plan.kind})) option.saved_ms += more;
  }

 private:
  bool allowed(std::size_t candidate, std::size_t way, const std::vector<std::string>& kinds) const {
    const std::string name = kind_name(candidates_[candidate].layer, candidates_[candidate].ways[way].fold.kind);
    return std::find(kinds.begin(), kinds.end(), name) != kinds.end();
  }

  const std::vector<RankCandidate>& candidates_;
  LayerOptions options_;
  double budget_;
};

void add_new(std::vector<KindPlan>& plans, const KindPlan& plan) {
  const auto same = [&](const KindPlan& other) { return other.option == plan.option; };
  if (std::none_of(plans.begin(), plans.end(), same)) plans.push_back(plan);
}

/// Mixtures of these kinds of least error for several shares of the time that is to be reached.
void add_mixtures(const Planner& planner, const std::vector<std::string>& kinds, double reach_ms, double whole_ms,
                  std::vector<KindPlan>& plans) {
  std::vector<KindPlan> all = {planner.plan(kinds, 0)};
  // From next to nothing to more than any error.
  const double unit = std::max(all[0].error, 1e-12) / std::max(whole_ms, 1e-9);
  double rate = 1e-3;
  for (int i = 0; i < kExchangeRates; ++i, rate *= 1.4) all.push_back(planner.plan(kinds, rate * unit));
  for (const double aim : kAims) {
    const KindPlan* best = nullptr;
    for (const KindPlan& plan : all) {
      if (!plan.reached || whole_ms - plan.saved_ms > aim * reach_ms) continue;
      if (best == nullptr || plan.error < best->error) best = &plan;
    }
    if (best != nullptr) add_new(plans, *best);
  }
  if (plans.empty()) plans.push_back(all[0]);
}

}  // namespace

std::string kind_name(const LinearLayer& layer, FactorKind kind) {
  switch (kind) {
    case FactorKind::kVertical:
    case FactorKind::kHorizontal:
      return "spatial";
    case FactorKind::kPoint:
      return "point";
    case FactorKind::kTucker:
      return "tucker2";
    case FactorKind::kChannel:
      break;
  }
  return layer.taps == 1 ? "svd" : "channel";
}

KindChoice choose_kinds(const std::vector<RankCandidate>& candidates, const LayerOptions& options, double budget,
                        double whole_ms, const MeasurePlans& measure) {
  Planner planner(candidates, options, budget);
  std::vector<KindPlan> plans;
  const std::vector<std::string> kinds = planner.kinds();
  for (const std::string& kind : kinds)
    if (KindPlan plan = planner.plan({kind}, 0); plan.reached) plans.push_back(std::move(plan));
  const std::size_t singles = plans.size();
  if (singles > 0) {
    const std::vector<double> times = measure(plans);
    for (std::size_t i = 0; i < singles; ++i) {
      planner.correct(plans[i], whole_ms - times[i]);
      plans[i].saved_ms = whole_ms - times[i];
    }
  }
  // Of two kinds besides: the more there is to choose from, the more the choice goes for errors of the table.
  const KindPlan* quick = nullptr;
  const KindPlan* close = nullptr;
  for (const KindPlan& plan : plans) {
    if (quick == nullptr || plan.saved_ms > quick->saved_ms) quick = &plan;
    if (close == nullptr || plan.error < close->error) close = &plan;
  }
  const double reach_ms = quick == nullptr ? whole_ms : whole_ms - quick->saved_ms;
  const std::vector<std::string> two =
      quick == close ? std::vector<std::string>{} : std::vector{quick->kind, close->kind};
  if (!two.empty()) add_mixtures(planner, two, reach_ms, whole_ms, plans);
  add_mixtures(planner, kinds, reach_ms, whole_ms, plans);
  const std::vector<double> times = measure(plans);
  double fastest = 1e300;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    plans[i].time = times[i];
    if (i < singles) fastest = std::min(fastest, times[i]);
  }
  const KindPlan* best = nullptr;
  for (const KindPlan& plan : plans)
    if (plan.time <= fastest && (best == nullptr || plan.error < best->error)) best = &plan;
  return {.best = *best, .single = {plans.begin(), plans.begin() + static_cast<std::ptrdiff_t>(singles)}};
}

}  // namespace pare
