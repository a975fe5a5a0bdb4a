// time_ways.h - milliseconds that each way and rank of a layer saves, on the runtime in use, in place.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "factorize/candidate.h"
#include "measure/timing.h"

namespace pare {

struct TimedRank {
  std::size_t way = 0;
  std::int64_t rank = 0;
  double saved_ms = 0;  ///< for one such layer
};

struct TimedCandidate {
  double layer_ms = 0;  ///< as it is, alone
  std::vector<TimedRank> ranks;
};

struct TimedNetwork {
  double whole_ms = 0;
  std::vector<TimedCandidate> candidates;  ///< in their order
};

struct TimeWaysOptions {
  Clocks clocks = system_clocks();
  double budget_s = 20;           ///< for everything
  std::int64_t block = 16;        ///< ranks are multiples of it; half of it for thin layers
  double alone_above_ms = 1e300;  ///< slower networks: layers outside of the network, much sooner done, not as exact
  SessionOptions session{};
  std::uint64_t seed = 0;
  ProgressSink* progress = &silent_progress();
};
/// Layers alike are timed once: all of them in the network become two, side by side with the network as it is; or one
/// of them alone, side by side with its factors.
[[nodiscard]] TimedNetwork time_ways(const Model& model, const Trace& trace, const NamedTensors& inputs,
                                     const std::vector<RankCandidate>& candidates, const TimeWaysOptions& options);

/// The network with these layers as two of the right shapes; only its speed is meant.
struct ShapeChoice {
  std::size_t candidate = 0, way = 0;
  std::int64_t rank = 0;
};
[[nodiscard]] Model with_shapes(const Model& model, const std::vector<RankCandidate>& candidates,
                                const std::vector<ShapeChoice>& choices);

}  // namespace pare
