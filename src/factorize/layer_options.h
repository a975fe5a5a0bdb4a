// layer_options.h - what each layer can become: ways and ranks with what they cost and how much error they make.
#pragma once

#include <cstdint>
#include <vector>

#include "budget/target.h"
#include "factorize/candidate.h"
#include "factorize/time_ways.h"

namespace pare {

struct LayerOption {
  std::size_t way = 0;
  std::int64_t rank = 0;   ///< 0: it stays
  std::int64_t outer = 0;  ///< kTucker
  double cost = 0;         ///< MACs, parameters, or milliseconds saved (negative)
  double error = 0;        ///< squared, of the network's outputs as far as that can be told beforehand
  double saved_ms = 0;     ///< if ways were timed
};

struct LayerOptions {
  std::vector<std::vector<LayerOption>> of;  ///< by candidate; with a goal for the network the first one is to stay
  std::vector<NodeReason> skipped;
};

struct RankRules {
  CostKind cost = CostKind::kMacs;
  std::int64_t round = 0;  ///< ranks are multiples of it; 0: of what suits
  bool force = false;
};

/// One rank everywhere; all ways that it saves something in.
[[nodiscard]] LayerOptions options_of_rank(const std::vector<RankCandidate>& candidates, const RankRules& rules,
                                           std::int64_t rank);
/// The least rank that keeps that share of the outputs, in the way that costs least.
[[nodiscard]] LayerOptions options_of_energy(const std::vector<RankCandidate>& candidates, const RankRules& rules,
                                             double energy);
/// The rank that evbmf_rank finds in the weights, in the way that costs least.
[[nodiscard]] LayerOptions options_of_evbmf(const std::vector<RankCandidate>& candidates, const RankRules& rules);
/// All ranks worth thinking of. `times` null: not timed.
[[nodiscard]] LayerOptions options_of_cost(const std::vector<RankCandidate>& candidates, const RankRules& rules,
                                           const TimedNetwork* times);
/// Ranks that were timed and save time; their cost is the time.
[[nodiscard]] LayerOptions options_of_time(const std::vector<RankCandidate>& candidates, const RankRules& rules,
                                           const TimedNetwork& times);

/// Of a rank between timed ones: what the next higher one saves, since runtimes compute in blocks.
[[nodiscard]] double saved_ms(const TimedCandidate& timed, std::size_t way, std::int64_t rank);

}  // namespace pare
