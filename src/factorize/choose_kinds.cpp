#include "factorize/choose_kinds.h"

#include <algorithm>
#include <optional>

#include "factorize/choose_ranks.h"

namespace pare {
namespace {

constexpr int kExchangeRates = 40;
/// Share of the time foretold for the fastest single kind; the table is not exact, so some plans aim lower.
constexpr double kAims[] = {1e9, 1.02, 1, 0.98, 0.95, 0.91};

class Planner {
 public:
  Planner(const std::vector<RankCandidate>& candidates, const LayerOptions& options, double budget)
      : candidates_(candidates), options_(options), budget_(budget) {}

  /// `rate`: error that a millisecond is worth. `kind` empty: any.
  KindPlan plan(const std::string& kind, double rate) const {
    std::vector<std::vector<RankOption>> layers;
    std::vector<std::vector<std::size_t>> from;
    for (std::size_t c = 0; c < candidates_.size(); ++c) {
      layers.emplace_back();
      from.emplace_back();
      for (std::size_t o = 0; o < options_.of[c].size(); ++o) {
        const LayerOption& option = options_.of[c][o];
        if (!kind.empty() && option.rank > 0 && !allowed(c, option.way, kind)) continue;
        layers.back().push_back({.cost = option.cost, .error = option.error - rate * option.saved_ms});
        from.back().push_back(o);
      }
    }
    const RankChoice choice = choose_ranks(layers, budget_);
    KindPlan plan{.kind = kind.empty() ? "mixed" : kind, .option = {}, .reached = choice.reached};
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

 private:
  bool allowed(std::size_t candidate, std::size_t way, const std::string& kind) const {
    return kind_name(candidates_[candidate].layer, candidates_[candidate].ways[way].fold.kind) == kind;
  }

  const std::vector<RankCandidate>& candidates_;
  const LayerOptions& options_;
  double budget_;
};

void add_new(std::vector<KindPlan>& plans, const KindPlan& plan) {
  const auto same = [&](const KindPlan& other) { return other.option == plan.option; };
  if (std::none_of(plans.begin(), plans.end(), same)) plans.push_back(plan);
}

/// Mixtures of least error for several shares of the time that is to be reached.
std::vector<KindPlan> mixtures(const Planner& planner, const std::vector<KindPlan>& single, double whole_ms) {
  double fastest = single.empty() ? -1e300 : single[0].saved_ms;
  for (const KindPlan& plan : single) fastest = std::max(fastest, plan.saved_ms);
  std::vector<KindPlan> all = {planner.plan("", 0)};
  // From next to nothing to more than any error.
  const double unit = std::max(all[0].error, 1e-12) / std::max(whole_ms, 1e-9);
  double rate = 1e-3;
  for (int i = 0; i < kExchangeRates; ++i, rate *= 1.4) all.push_back(planner.plan("", rate * unit));
  std::vector<KindPlan> chosen;
  for (const double aim : kAims) {
    const KindPlan* best = nullptr;
    for (const KindPlan& plan : all) {
      if (!plan.reached || whole_ms - plan.saved_ms > aim * (whole_ms - fastest)) continue;
      if (best == nullptr || plan.error < best->error) best = &plan;
    }
    if (best != nullptr) add_new(chosen, *best);
  }
  if (chosen.empty()) chosen.push_back(all[0]);
  return chosen;
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
  const Planner planner(candidates, options, budget);
  std::vector<KindPlan> plans;
  for (const std::string& kind : planner.kinds())
    if (KindPlan plan = planner.plan(kind, 0); plan.reached) plans.push_back(std::move(plan));
  const std::size_t singles = plans.size();
  for (KindPlan& plan : mixtures(planner, plans, whole_ms)) plans.push_back(std::move(plan));
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
