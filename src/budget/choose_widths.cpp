#include "budget/choose_widths.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

#include "core/fail.h"

namespace pare {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// Steps of the way through one group: narrower ones only refine the end.
constexpr std::int64_t kStepsPerGroup = 64;

const GroupLimits& limits_of(const WidthOptions& options, std::int64_t group) {
  const auto found = options.by_group.find(group);
  return found == options.by_group.end() ? options.limits : found->second;
}

/// One cut, give-back or drop from where the search stands.
struct Move {
  std::int64_t group = -1, removed = 0;  ///< new width of the group
  std::int64_t drop = -1;                ///< or a block
  double error = 0, cost = 0;            ///< what they change by
};

bool overlap(const DropCandidate& a, const DropCandidate& b) {
  const std::set<std::int64_t> nodes(a.body.begin(), a.body.end());
  return a.add == b.add || nodes.contains(b.add) ||
         std::any_of(b.body.begin(), b.body.end(), [&](std::int64_t node) { return nodes.contains(node); });
}

class Search {
 public:
  Search(const ChannelFlow& flow, const std::vector<ErrorCurve>& curves, const std::vector<DropCandidate>& drops,
         const Cost& cost, const WidthOptions& options)
      : curves_(curves), drops_(drops), cost_(cost), widths_(full_widths(flow, drops)) {
    curve_of_.resize(flow.groups.size(), -1);
    levels_.resize(flow.groups.size(), {0});
    moves_.resize(flow.groups.size());
    gone_.resize(flow.groups.size(), false);
    for (std::size_t c = 0; c < curves.size(); ++c) {
      const auto group = static_cast<std::size_t>(curves[c].group);
      curve_of_[group] = static_cast<std::int64_t>(c);
      levels_[group] = allowed_removals(flow, curves[c], limits_of(options, curves[c].group));
    }
    for (std::size_t d = 0; d < drops.size(); ++d) {
      const bool free = std::all_of(drops[d].groups.begin(), drops[d].groups.end(),
                                    [&](std::int64_t group) { return limits_of(options, group).excluded.empty(); });
      blocked_.push_back(!free);
    }
    plan_.before = current_cost_ = cost.total(widths_);
    plan_.asked = options.keep * (options.original > 0 ? options.original : plan_.before);
    limit_ = plan_.asked * (1 + 1e-12);
  }

  WidthPlan run() {
    offer({});
    for (std::size_t group = 0; group < moves_.size(); ++group) list_moves(static_cast<std::int64_t>(group));
    while (const std::optional<Move> best = next()) take(*best);
    return finish();
  }

 private:
  double error_at(std::int64_t group, std::int64_t removed) const {
    const std::int64_t curve = curve_of_[static_cast<std::size_t>(group)];
    return curve < 0 ? 0 : curves_[static_cast<std::size_t>(curve)].error[static_cast<std::size_t>(removed)];
  }
  std::int64_t removed(std::int64_t group) const { return widths_.removed[static_cast<std::size_t>(group)]; }

  void list_moves(std::int64_t group) {
    std::vector<Move>& moves = moves_[static_cast<std::size_t>(group)];
    moves.clear();
    if (gone_[static_cast<std::size_t>(group)]) return;
    for (const std::int64_t level : levels_[static_cast<std::size_t>(group)])
      if (level != removed(group))
        moves.push_back({.group = group,
                         .removed = level,
                         .error = error_at(group, level) - error_at(group, removed(group)),
                         .cost = cost_.change(widths_, group, level)});
  }

  std::vector<Move> drop_moves() const {
    std::vector<Move> moves;
    for (std::size_t d = 0; d < drops_.size(); ++d) {
      if (blocked_[d] || widths_.dropped[d]) continue;
      Move move{.drop = static_cast<std::int64_t>(d), .error = drops_[d].error};
      for (const std::int64_t group : drops_[d].groups)
        if (!gone_[static_cast<std::size_t>(group)]) move.error -= error_at(group, removed(group));
      move.cost = cost_.change_by_drop(widths_, move.drop);
      moves.push_back(move);
    }
    return moves;
  }

  /// Offers every move as a plan of its own; returns the cut that costs least for what it saves.
  std::optional<Move> next() {
    std::optional<Move> best;
    double best_slope = kInfinity;
    const auto consider = [&](const Move& move, bool on_the_way) {
      offer(move);
      if (!on_the_way || move.cost >= -1e-12 * plan_.before) return;
      const double slope = move.error / -move.cost;
      if (slope < best_slope) best_slope = slope, best = move;
    };
    for (const Move& move : drop_moves()) consider(move, true);
    for (std::size_t group = 0; group < moves_.size(); ++group) {
      const std::int64_t least = stride(group);
      for (const Move& move : moves_[group])
        consider(move, move.removed >= widths_.removed[group] + least ||
                           (move.removed > widths_.removed[group] && move.removed == levels_[group].back()));
    }
    return best;
  }

  std::int64_t stride(std::size_t group) const { return 1 + levels_[group].back() / kStepsPerGroup; }

  void offer(const Move& move) {
    const double cost = current_cost_ + move.cost, error = current_error_ + move.error;
    const bool fits = cost <= limit_;
    // Within the budget the least error, equal errors to the cheaper one; outside of it the cheapest.
    const bool better = fits != plan_.reached ? fits
                        : fits                ? std::pair(error, cost) < std::pair(plan_.error, plan_.got)
                                              : std::pair(cost, error) < std::pair(plan_.got, plan_.error);
    if (started_ && !better) return;
    started_ = true;
    plan_.widths = widths_;
    apply(move, plan_.widths);
    plan_.reached = fits;
    plan_.got = cost;
    plan_.error = error;
  }

  static void apply(const Move& move, Widths& widths) {
    if (move.group >= 0) widths.removed[static_cast<std::size_t>(move.group)] = move.removed;
    if (move.drop >= 0) widths.dropped[static_cast<std::size_t>(move.drop)] = true;
  }

  void take(const Move& move) {
    apply(move, widths_);
    current_error_ += move.error;
    current_cost_ += move.cost;
    std::set<std::int64_t> stale;
    const auto touch = [&](std::int64_t group) {
      for (const std::int64_t other : cost_.coupled(group)) stale.insert(other);
    };
    if (move.group >= 0) touch(move.group);
    if (move.drop >= 0) {
      const DropCandidate& dropped = drops_[static_cast<std::size_t>(move.drop)];
      for (const std::int64_t group : dropped.groups) gone_[static_cast<std::size_t>(group)] = true;
      for (std::size_t d = 0; d < drops_.size(); ++d)
        if (overlap(dropped, drops_[d])) blocked_[d] = true;
      // Layers of the body are gone for every group that they read or make.
      for (std::int64_t group = 0; group < static_cast<std::int64_t>(moves_.size()); ++group) stale.insert(group);
    }
    for (const std::int64_t group : stale) list_moves(group);
  }

  WidthPlan finish() {
    // Sums of many changes: once more from the widths themselves.
    plan_.got = cost_.total(plan_.widths);
    plan_.error = error_of(plan_.widths, curves_, drops_);
    if (!plan_.reached)
      plan_.note = fmt::format("not reached: {:.1f} % of the cost remain at least, {:.1f} % were asked for",
                               100 * plan_.got / plan_.before, 100 * plan_.asked / plan_.before);
    return std::move(plan_);
  }

  const std::vector<ErrorCurve>& curves_;
  const std::vector<DropCandidate>& drops_;
  const Cost& cost_;
  std::vector<std::int64_t> curve_of_;
  std::vector<std::vector<std::int64_t>> levels_;
  std::vector<std::vector<Move>> moves_;  ///< by group, at the current widths
  std::vector<bool> gone_, blocked_;
  Widths widths_;
  double current_cost_ = 0, current_error_ = 0, limit_ = 0;
  bool started_ = false;  ///< the plan holds something
  WidthPlan plan_;
};

}  // namespace

WidthPlan choose_widths(const ChannelFlow& flow, const std::vector<ErrorCurve>& curves,
                        const std::vector<DropCandidate>& drops, const Cost& cost, const WidthOptions& options) {
  if (!(options.keep >= 0 && options.keep <= 1))
    fail(ErrorCode::kInvalidArgument, "{} of the cost cannot remain\n  remedy: a share between 0 and 1", options.keep);
  return Search(flow, curves, drops, cost, options).run();
}

WidthPlan even_widths(const ChannelFlow& flow, const std::vector<ErrorCurve>& curves, double share,
                      const WidthOptions& options) {
  if (!(share >= 0 && share < 1))
    fail(ErrorCode::kInvalidArgument, "cannot remove {} of the channels\n  remedy: a share from 0 to below 1", share);
  WidthPlan plan{.widths = full_widths(flow, {}), .before = 1, .asked = 1 - share, .reached = true};
  double all = 0, gone = 0;
  for (const ErrorCurve& curve : curves) {
    const auto group = static_cast<std::size_t>(curve.group);
    const GroupLimits& limits = limits_of(options, curve.group);
    const std::vector<std::int64_t> levels = allowed_removals(flow, curve, limits);
    const auto now = static_cast<std::int64_t>(flow.groups[group].classes.size());
    const std::int64_t original = std::max(limits.original, now);
    const double wanted = share * static_cast<double>(original) - static_cast<double>(original - now);
    std::int64_t best = 0;
    for (const std::int64_t level : levels)
      if (std::abs(static_cast<double>(level) - wanted) < std::abs(static_cast<double>(best) - wanted) - 1e-9)
        best = level;
    plan.widths.removed[group] = best;
    if (levels.size() < 2) continue;
    all += static_cast<double>(original);
    gone += static_cast<double>(original - now + best);
  }
  plan.got = all > 0 ? 1 - gone / all : 1;
  plan.error = error_of(plan.widths, curves, {});
  if (all == 0 && share > 0) plan.reached = false, plan.note = "no group may lose channels";
  return plan;
}

double scheduled_keep(double keep, std::int64_t step, std::int64_t steps) {
  if (steps < 1 || step < 0 || step > steps)
    fail(ErrorCode::kInvalidArgument, "there is no step {} of {}", step, steps);
  return 1 - (1 - keep) * static_cast<double>(step) / static_cast<double>(steps);
}

}  // namespace pare
