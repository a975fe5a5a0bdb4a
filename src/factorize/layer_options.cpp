#include "factorize/layer_options.h"

#include <algorithm>
#include <cmath>

#include "core/fail.h"
#include "factorize/evbmf.h"
#include "factorize/layer_matrix.h"

namespace pare {
namespace {

constexpr double kLeastGain = 0.05;        ///< of a layer's time
constexpr std::int64_t kCoarseLimit = 64;  ///< ranks of wider layers go in fours
constexpr double kLowestShare = 1 / 16.0;  ///< of the break-even rank

NodeReason skip(const RankCandidate& candidate, std::string reason) {
  return {candidate.label, candidate.op_type, std::move(reason)};
}

const FoldCost& cost_table(const Way& way, const RankRules& rules) {
  return rules.cost == CostKind::kParameters ? way.parameters : way.macs;
}

LayerOption option_of(const RankCandidate& candidate, std::size_t way, std::int64_t rank, const RankRules& rules) {
  const Way& one = candidate.ways[way];
  const std::int64_t outer = one.fold.outer_rank(rank);
  // The scale was measured with all other layers whole. A layer that seems to matter little alone also makes good
  // what went wrong before it, as far as its rank lets it: between both, the geometric mean. Measured on ResNet-20 at
  // a third of its MACs: 84.3 % with the scale, 87.1 % without, 87.5 % with its root.
  return {.way = way,
          .rank = rank,
          .outer = outer,
          .cost = cost_table(one, rules).at(rank, outer),
          .error = std::sqrt(candidate.scale) * one.error_at(rank)};
}

std::int64_t step_of(const Way& way, const RankRules& rules) {
  if (rules.round > 0) return rules.round;
  return way.limit > kCoarseLimit ? 4 : 1;
}

void keep_cheapest(std::vector<LayerOption>& options) {
  std::sort(options.begin(), options.end(), [](const LayerOption& a, const LayerOption& b) { return a.cost < b.cost; });
  if (options.size() > 1) options.resize(1);
}

}  // namespace

LayerOptions options_of_rank(const std::vector<RankCandidate>& candidates, const RankRules& rules, std::int64_t rank) {
  LayerOptions result;
  for (const RankCandidate& candidate : candidates) {
    std::vector<LayerOption>& own = result.of.emplace_back();
    for (std::size_t way = 0; way < candidate.ways.size(); ++way) {
      const std::int64_t most = std::min(rank, candidate.ways[way].fold.full_rank());
      if (most < candidate.ways[way].limit) own.push_back(option_of(candidate, way, most, rules));
    }
    if (own.empty())
      result.skipped.push_back(
          skip(candidate, fmt::format("rank {} saves nothing: the break-even is {}", rank, candidate.ways[0].limit)));
  }
  return result;
}

LayerOptions options_of_energy(const std::vector<RankCandidate>& candidates, const RankRules& rules, double energy) {
  const double lost = 1 - energy;
  LayerOptions result;
  for (const RankCandidate& candidate : candidates) {
    std::vector<LayerOption>& own = result.of.emplace_back();
    for (std::size_t way = 0; way < candidate.ways.size(); ++way) {
      const Way& one = candidate.ways[way];
      const std::int64_t step = step_of(one, rules);
      std::int64_t rank = step;
      while (rank < one.limit && one.error_at(rank) > lost) rank += step;
      if (rank < one.limit) own.push_back(option_of(candidate, way, rank, rules));
    }
    keep_cheapest(own);
    if (!own.empty()) continue;
    const Way& one = candidate.ways[0];
    result.skipped.push_back(
        skip(candidate, fmt::format("no gain: at rank {} it keeps {:.4g} % of its outputs, at the "
                                    "break-even ({}) nothing is saved",
                                    one.limit - 1, 100 * (1 - one.error_at(one.limit - 1)), one.limit)));
  }
  return result;
}

LayerOptions options_of_evbmf(const std::vector<RankCandidate>& candidates, const RankRules& rules) {
  LayerOptions result;
  for (const RankCandidate& candidate : candidates) {
    std::vector<LayerOption>& own = result.of.emplace_back();
    if (candidate.layer.groups > 1) {
      result.skipped.push_back(skip(candidate, "evbmf does not look into groups"));
      continue;
    }
    const Matrix weights = layer_matrix(candidate.layer);
    std::int64_t highest = 0;
    for (std::size_t way = 0; way < candidate.ways.size(); ++way) {
      const Way& one = candidate.ways[way];
      const auto rounded = [&](std::int64_t rank, std::int64_t most) {
        const std::int64_t step = std::max<std::int64_t>(1, rules.round);
        return std::min((rank + step - 1) / step * step, most);
      };
      const std::int64_t found =
          evbmf_rank(reshaped(take_columns(weights, one.fold.order), weights.rows * one.fold.taps, one.fold.columns))
              .rank;
      highest = std::max(highest, found);
      LayerOption option = option_of(candidate, way, rounded(found, one.fold.full_rank()), rules);
      if (one.fold.kind == FactorKind::kTucker) {
        option.outer = rounded(std::min(evbmf_rank(weights).rank, option.rank * one.fold.taps), weights.rows);
        option.cost = cost_table(one, rules).at(option.rank, option.outer);
        const bool saves = one.macs.at(option.rank, option.outer) < one.macs.whole &&
                           one.parameters.at(option.rank, option.outer) < one.parameters.whole;
        if (option.outer > 0 && found > 0 && (saves || rules.force)) own.push_back(option);
      } else if (found > 0 && option.rank < one.limit) {
        own.push_back(option);
      }
    }
    keep_cheapest(own);
    if (own.empty())
      result.skipped.push_back(skip(candidate, highest == 0
                                                   ? "its weights look like noise alone: no rank is found"
                                                   : fmt::format("no gain: rank {} is found, the break-even is {}",
                                                                 highest, candidate.ways[0].limit)));
  }
  return result;
}

LayerOptions options_of_cost(const std::vector<RankCandidate>& candidates, const RankRules& rules,
                             const TimedNetwork* times) {
  LayerOptions result;
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    const RankCandidate& candidate = candidates[c];
    std::vector<LayerOption>& own = result.of.emplace_back();
    own.push_back({.cost = cost_table(candidate.ways[0], rules).whole});
    for (std::size_t way = 0; way < candidate.ways.size(); ++way) {
      const Way& one = candidate.ways[way];
      const std::int64_t step = step_of(one, rules);
      const auto lowest = static_cast<std::int64_t>(kLowestShare * static_cast<double>(one.limit));
      for (std::int64_t rank = step; rank < one.limit; rank += step) {
        if (rank < lowest) continue;
        own.push_back(option_of(candidate, way, rank, rules));
        if (times != nullptr) own.back().saved_ms = saved_ms(times->candidates[c], way, rank);
      }
    }
  }
  return result;
}

LayerOptions options_of_time(const std::vector<RankCandidate>& candidates, const RankRules& rules,
                             const TimedNetwork& times) {
  LayerOptions result;
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    const RankCandidate& candidate = candidates[c];
    const TimedCandidate& timed = times.candidates[c];
    std::vector<LayerOption>& own = result.of.emplace_back();
    own.push_back({});
    double best = -1e300;
    for (const TimedRank& one : timed.ranks) {
      best = std::max(best, one.saved_ms);
      if (!rules.force && one.saved_ms < kLeastGain * timed.layer_ms) continue;
      own.push_back(option_of(candidate, one.way, one.rank, rules));
      own.back().cost = -one.saved_ms;
      own.back().saved_ms = one.saved_ms;
    }
    if (own.size() > 1) continue;
    if (timed.ranks.empty())
      result.skipped.push_back(
          skip(candidate,
               fmt::format("too thin for the runtime's blocks: its break-even is rank {}", candidate.ways[0].limit)));
    else
      result.skipped.push_back(
          skip(candidate, fmt::format("no faster: the best factors take {:.1f} us {} than the layer ({:.1f} us)",
                                      1000 * std::abs(best), best > 0 ? "less" : "more", 1000 * timed.layer_ms)));
  }
  return result;
}

double saved_ms(const TimedCandidate& timed, std::size_t way, std::int64_t rank) {
  const TimedRank *last = nullptr, *before = nullptr;
  for (const TimedRank& one : timed.ranks) {
    if (one.way != way) continue;
    if (one.rank >= rank) return one.saved_ms;
    before = last;
    last = &one;
  }
  if (last == nullptr) return 0;
  if (before == nullptr) return last->saved_ms * static_cast<double>(last->rank) / static_cast<double>(rank);
  const double slope = (last->saved_ms - before->saved_ms) / static_cast<double>(last->rank - before->rank);
  return last->saved_ms + std::min(0.0, slope) * static_cast<double>(rank - last->rank);
}

}  // namespace pare
