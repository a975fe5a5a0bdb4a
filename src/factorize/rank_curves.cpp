#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "core/parallel.h"
#include "factorize/candidate.h"
#include "factorize/layer_matrix.h"
#include "factorize/low_rank.h"
#include "factorize/weight_factors.h"
#include "fit/layer_rows.h"
#include "fit/lockstep.h"
#include "fit/output_error.h"

namespace pare {
namespace {

constexpr std::int64_t kLeastRows = 16384;  ///< ranks are compared by these, not fitted
constexpr double kShares[] = {1 / 16.0, 1 / 8.0, 1 / 4.0, 3 / 8.0, 1 / 2.0, 3 / 4.0, 1.0};

/// Shares of the break-even rank; half of it is among them.
std::vector<std::int64_t> ranks_to_try(std::int64_t limit) {
  std::vector<std::int64_t> ranks;
  for (const double share : kShares) {
    const auto rank = std::max<std::int64_t>(1, static_cast<std::int64_t>(share * static_cast<double>(limit)));
    ranks.push_back(std::min(rank, std::max<std::int64_t>(1, limit - 1)));
  }
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  return ranks;
}

/// Weights with the least error at half of the layer's MACs, and that error.
struct HalfRank {
  Matrix weights;
  double error = std::numeric_limits<double>::infinity();
};

HalfRank measure_ways(RankCandidate& candidate, const CentredMoments& moments, std::uint64_t seed) {
  HalfRank half;
  for (Way& way : candidate.ways) {
    const std::vector<std::int64_t> ranks = ranks_to_try(way.limit);
    const LowRank low_rank(folded(moments, way.fold), way.fold, ranks.back(), seed);
    for (const std::int64_t rank : ranks) {
      const Matrix product = low_rank.product(low_rank.start(rank, way.fold.outer_rank(rank)));
      const double error = low_rank.error(product) / std::max(moments.targets, 1e-300);
      way.points.push_back({.rank = rank, .error = error});
      if (rank == std::max<std::int64_t>(1, way.limit / 2) && error < half.error)
        half = {.weights = unfolded(product, way.fold), .error = error};
    }
  }
  return half;
}

HalfRank measure_by_weights(RankCandidate& candidate, std::uint64_t seed) {
  const LinearLayer& layer = candidate.layer;
  const Matrix weights = layer_matrix(layer);
  HalfRank half;
  for (Way& way : candidate.ways)
    for (const std::int64_t rank : ranks_to_try(way.limit)) {
      Matrix rest =
          unfolded(product_of(layer, way.fold, weight_factors(layer, way.fold, rank, way.fold.outer_rank(rank), seed)),
                   way.fold);
      Matrix product = rest;
      for (std::size_t i = 0; i < rest.values.size(); ++i) rest.values[i] -= weights.values[i];
      const double error = inner_product(rest, rest) / std::max(inner_product(weights, weights), 1e-300);
      way.points.push_back({.rank = rank, .error = error});
      if (rank == std::max<std::int64_t>(1, way.limit / 2) && error < half.error)
        half = {.weights = std::move(product), .error = error};
    }
  return half;
}

}  // namespace

void measure_rank_curves(const Model& model, const Trace& trace, const Dataset* data, const RankCurveOptions& options,
                         std::vector<RankCandidate>& candidates, ProgressSink& progress) {
  SessionOptions session = options.session;
  session.threads = working_threads(session.threads);
  set_blas_threads(session.threads);
  ProgressTask task(progress, "measure ranks", static_cast<std::int64_t>(candidates.size()), "layers");
  std::unordered_map<std::int64_t, std::size_t> candidate_of;
  std::vector<std::pair<std::size_t, HalfRank>> by_weights;
  std::int64_t done = 0;
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    if (data != nullptr && has_moments(candidates[c].layer)) {
      candidate_of[candidates[c].layer.node] = c;
      continue;
    }
    HalfRank half = measure_by_weights(candidates[c], options.seed);
    if (data != nullptr && std::isfinite(half.error)) by_weights.emplace_back(c, std::move(half));
    task.advance(++done);
  }
  if (data == nullptr) return;
  const OutputError output_error(model, *data, options.measured_samples, options.seed + 1, session);
  const auto set_scale = [&](RankCandidate& candidate, const LinearLayer& changed, double error) {
    Model other = model;
    write_linear_layer(other, changed);
    candidate.scale = output_error.of(other) / std::max(error, 1e-12);
  };
  for (const auto& [c, half] : by_weights) {
    LinearLayer changed = candidates[c].layer;
    changed.weight.assign(half.weights.values.begin(), half.weights.values.end());
    set_scale(candidates[c], changed, half.error);
  }
  if (candidate_of.empty()) return;
  std::vector<Stop> stops;
  for (const std::int64_t node : walk_order(model.graph)) {
    const auto found = candidate_of.find(node);
    if (found == candidate_of.end()) continue;
    const LinearLayer& layer = candidates[found->second].layer;
    stops.push_back({.node = node, .dense = {layer.input, layer.output}, .changed = {}});
  }
  Lockstep lockstep(model, stops, {}, trace.shapes, *data,
                    {.samples = options.samples, .seed = options.seed, .session = session});
  while (lockstep.next()) {
    RankCandidate& candidate = candidates[candidate_of.at(stops[lockstep.stop()].node)];
    const LinearLayer& layer = candidate.layer;
    LayerRows rows(lockstep, layer, {.value = layer.output, .minus = {}}, all_channels(layer),
                   {.least_rows = kLeastRows, .seed = options.seed, .memory_bytes = 0});
    MomentSums<float> sums(rows.width(), layer.outputs);
    rows.for_each([&](const RowBlock& block) { sums.add(block.patches.data(), nullptr, block.rows); });
    const CentredMoments moments =
        centred(sums.mean(), layer_matrix(layer), layer.can_have_bias, std::numeric_limits<double>::infinity());
    const HalfRank half = measure_ways(candidate, moments, options.seed);
    LinearLayer changed = layer;
    put_matrix(changed, half.weights, moments.p, mean_outputs(layer, moments.p));
    set_scale(candidate, changed, half.error);
    task.advance(++done);
  }
}

}  // namespace pare
