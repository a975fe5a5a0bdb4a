// walk.h - from front to back, each chosen layer becomes a product of two, fitted to what the dense network does on the
// inputs that come out of the layers changed before it.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "factorize/candidate.h"
#include "factorize/split_layer.h"
#include "pare/dataset.h"

namespace pare {

/// The way of a candidate and its rank; ways that cost the same are tried beside it and the best is taken.
struct ChosenRank {
  std::size_t candidate = 0, way = 0;
  std::int64_t rank = 0;
  std::int64_t outer = 0;  ///< kTucker; 0: as the fold says
  std::vector<std::size_t> also = {};
};

struct WalkOptions {
  std::int64_t samples = 512;
  std::uint64_t seed = 0;
  double damping = 1e-3;         ///< of the least squares towards the old weights, relative to the inputs' mean energy
  std::int64_t sweeps = 2;       ///< times that the first factor is fitted to the second, and that to the first
  std::int64_t view_passes = 1;  ///< with the activation in view: what it cuts off anyway does not count
  /// Instead of that: targets between what the activation makes of the dense output and what the layer gives now, the
  /// pull to the latter rising (Zhang, Zou, He, Sun 2015).
  bool penalty = false;
  SessionOptions session{};
};

struct LayerFit {
  std::string label;
  double error = 0;  ///< squared, over the variance of the target
  std::int64_t unknowns = 0, rows = 0;
};

struct Walked {
  Model model;                     ///< whole layers whose weights are the products
  std::vector<SplitLayer> splits;  ///< by chosen rank
  std::vector<LayerFit> layers;    ///< also those that stay whole and were refitted
  std::vector<std::string> notes;
};

/// `data` null: the weights alone decide.
[[nodiscard]] Walked walk_layers(const Model& model, const Trace& trace, const std::vector<RankCandidate>& candidates,
                                 const std::vector<ChosenRank>& chosen, const Dataset* data, const WalkOptions& options,
                                 ProgressSink& progress);

}  // namespace pare
