#include "factorize/walk.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "core/parallel.h"
#include "factorize/layer_matrix.h"
#include "factorize/view.h"
#include "factorize/weight_factors.h"
#include "fit/layer_rows.h"
#include "fit/lockstep.h"
#include "fit/sub_model.h"

namespace pare {
namespace {

constexpr int kSteps = 12, kViewSteps = 6;
constexpr std::int64_t kFewRows = 8;  ///< per unknown: the layer is not fitted to other inputs than the dense ones
constexpr std::int64_t kLeastRows = 131072;
constexpr std::int64_t kPenaltyPasses = 6;  ///< with each of the two penalties
constexpr float kLowPenalty = 0.01F, kHighPenalty = 1;
constexpr double kNoFit = std::numeric_limits<double>::infinity();

/// One layer at its stop.
struct Place {
  LinearLayer layer;
  FitTarget target;
  const ChosenRank* chosen = nullptr;  ///< null: stays whole, refitted
};

/// The factors of one way as far as they are fitted.
struct Fitted {
  const Fold* fold;
  LowRank low_rank;
  Factors factors;
  double error;
};

class Walker {
 public:
  Walker(const Model& model, const Trace& trace, const std::vector<RankCandidate>& candidates,
         const std::vector<ChosenRank>& chosen, const WalkOptions& options)
      : model_(model), trace_(trace), candidates_(candidates), chosen_(chosen), options_(options), index_(model.graph) {
    options_.session.threads = working_threads(options_.session.threads);
    set_blas_threads(options_.session.threads);
    result_.splits.resize(chosen.size());
    for (std::size_t i = 0; i < chosen.size(); ++i) chosen_at_[candidate(chosen[i]).layer.node] = &chosen[i];
  }

  Walked by_weights() {
    result_.model = model_;
    for (const ChosenRank& one : chosen_) by_weights(one, result_.model);
    return std::move(result_);
  }

  Walked run(const Dataset& data, ProgressSink& progress) {
    find_places();
    std::vector<Stop> stops;
    for (const Place& place : places_) {
      Stop stop{.node = place.layer.node, .dense = {place.target.value}, .changed = place.target.minus};
      stop.changed.push_back(place.layer.input);
      stops.push_back(std::move(stop));
    }
    Lockstep lockstep(model_, std::move(stops), changing_, trace_.shapes, data,
                      {.samples = options_.samples, .seed = options_.seed, .session = options_.session});
    for (const ChosenRank* one : by_weights_) by_weights(*one, lockstep.model());
    ProgressTask task(progress, "factorize layers", static_cast<std::int64_t>(places_.size()), "layers");
    while (lockstep.next()) {
      fit(lockstep, places_[lockstep.stop()]);
      task.advance(static_cast<std::int64_t>(lockstep.stop()) + 1);
    }
    result_.model = std::move(lockstep.model());
    return std::move(result_);
  }

 private:
  const RankCandidate& candidate(const ChosenRank& one) const { return candidates_[one.candidate]; }
  std::size_t place_of(const ChosenRank& one) const { return static_cast<std::size_t>(&one - chosen_.data()); }

  /// Of the ways that cost the same the one nearest to the weights.
  void by_weights(const ChosenRank& one, Model& model) {
    LinearLayer layer = candidate(one).layer;
    const Matrix old = layer_matrix(layer);
    double least = kNoFit;
    for (const std::size_t way : ways_of(one)) {
      const Fold& fold = candidate(one).ways[way].fold;
      const Factors factors = weight_factors(layer, fold, one.rank, outer_of(one, fold), options_.seed);
      const Matrix product = unfolded(product_of(layer, fold, factors), fold);
      double error = 0;
      for (std::size_t i = 0; i < old.values.size(); ++i) error += std::pow(product.values[i] - old.values[i], 2);
      if (error >= least) continue;
      least = error;
      layer.weight.assign(product.values.begin(), product.values.end());
      result_.splits[place_of(one)] = {.layer = layer, .fold = fold, .factors = factors};
    }
    write_linear_layer(model, layer);
    result_.layers.push_back({.label = candidate(one).label,
                              .error = least / std::max(inner_product(old, old), 1e-300),
                              .unknowns = layer.columns()});
  }

  static std::vector<std::size_t> ways_of(const ChosenRank& one) {
    std::vector<std::size_t> ways = one.also;
    ways.insert(ways.begin(), one.way);
    return ways;
  }
  static std::int64_t outer_of(const ChosenRank& one, const Fold& fold) {
    return one.outer > 0 ? one.outer : fold.outer_rank(one.rank);
  }

  void keep(const ChosenRank& one, const LinearLayer& layer, Fitted best) {
    balance(best.factors);
    result_.splits[place_of(one)] = {.layer = layer, .fold = *best.fold, .factors = std::move(best.factors)};
  }

  /// The way that was chosen, and those that cost the same: the one with the least error.
  Fitted fit_ways(const ChosenRank& one, const CentredMoments& moments, std::int64_t sweeps) const {
    std::optional<Fitted> best;
    for (const std::size_t way : ways_of(one)) {
      const Fold& fold = candidate(one).ways[way].fold;
      Fitted now{&fold, LowRank(folded(moments, fold), fold, one.rank, options_.seed), {}, 0};
      now.factors = now.low_rank.start(one.rank, outer_of(one, fold));
      for (std::int64_t sweep = 0; sweep < sweeps; ++sweep) {
        now.low_rank.fit_first(now.factors, kSteps);
        now.low_rank.fit_second(now.factors);
      }
      now.error = now.low_rank.error(now.low_rank.product(now.factors));
      if (!best || now.error < best->error) best = std::move(now);
    }
    return std::move(*best);
  }

  /// The layers from the first chosen one on that have other inputs than before, and what each is fitted to.
  void find_places() {
    const std::vector<std::int64_t> order = walk_order(model_.graph);
    std::unordered_map<std::int64_t, std::int64_t> at;
    for (std::size_t i = 0; i < order.size(); ++i) at[order[i]] = static_cast<std::int64_t>(i);
    std::unordered_set<std::string> differs;
    for (const std::int64_t node_index : order) {
      const Node& node = model_.graph.nodes[static_cast<std::size_t>(node_index)];
      const std::vector<std::string> reads = values_read(node);
      bool affected = std::any_of(reads.begin(), reads.end(), [&](const auto& name) { return differs.contains(name); });
      const auto chosen = chosen_at_.find(node_index);
      const bool mine = chosen != chosen_at_.end();
      if (mine || affected) {
        affected = true;
        ReadLayer read = read_linear_layer(model_.graph, index_, node_index);
        if (read.layer && has_moments(*read.layer)) {
          const auto known = [&](const std::string& value) {
            const std::int64_t maker = index_.producer(value);
            return maker < 0 || at.at(maker) < at.at(node_index);
          };
          changing_.push_back(read.layer->node);
          if (read.layer->end != read.layer->node) changing_.push_back(read.layer->end);
          FitTarget target = find_target(model_.graph, index_, *read.layer, trace_.shapes, known);
          places_.push_back({.layer = std::move(*read.layer),
                             .target = std::move(target),
                             .chosen = mine ? chosen->second : nullptr});
        } else if (mine) {
          by_weights_.push_back(chosen->second);
          changing_.push_back(node_index);
          result_.notes.push_back(candidate(*chosen->second).label + ": by its weights alone" +
                                  (candidate(*chosen->second).layer.groups > 1   ? ", it has several groups"
                                   : candidate(*chosen->second).layer.transposed ? ", it is transposed"
                                                                                 : ", too wide for moments"));
        }
      }
      if (!affected) continue;
      for (const std::string& name : node.outputs) differs.insert(name);
    }
  }

  void fit(Lockstep& lockstep, Place& place) {
    LinearLayer& layer = place.layer;
    LayerRows rows(lockstep, layer, place.target, all_channels(layer),
                   {.least_rows = kLeastRows, .seed = options_.seed});
    Moments all = moments_of(rows, layer);
    const bool few = all.count < kFewRows * rows.width();
    if (few && place.chosen == nullptr) return;
    const Matrix old = layer_matrix(layer);
    const bool constant = layer.can_have_bias;
    CentredMoments moments = centred(all, old, constant, few ? kNoFit : options_.damping);
    std::optional<Fitted> best;
    Matrix weights = moments.weights;
    if (place.chosen != nullptr) {
      best = fit_ways(*place.chosen, moments, options_.sweeps);
      weights = unfolded(best->low_rank.product(best->factors), *best->fold);
    }
    const double error = moments.error(weights) / std::max(moments.targets, 1e-300);
    put_matrix(layer, weights, moments.p, moments.t);
    for (std::int64_t pass = 0; place.target.clipped && !few && constant && pass < view_passes(); ++pass) {
      all.g = targets_in_view(rows, place, all.h, pass);
      moments = centred(all, old, constant, options_.damping);
      weights = moments.weights;
      if (best) {
        best->low_rank.set_targets(take_columns(moments.r, best->fold->order));
        best->low_rank.fit_first(best->factors, kViewSteps);
        best->low_rank.fit_second(best->factors);
        weights = unfolded(best->low_rank.product(best->factors), *best->fold);
      }
      put_matrix(layer, weights, moments.p, moments.t);
    }
    write_linear_layer(lockstep.model(), layer);
    result_.layers.push_back({.label = node_label(model_.graph.nodes[static_cast<std::size_t>(layer.node)], layer.node),
                              .error = error,
                              .unknowns = rows.width(),
                              .rows = all.count});
    if (best) keep(*place.chosen, layer, std::move(*best));
  }

  std::int64_t view_passes() const { return options_.penalty ? 2 * kPenaltyPasses : options_.view_passes; }

  /// Weights with the bias as the last column, if there can be one.
  static std::vector<float> whole_weights(const LinearLayer& layer) {
    const std::int64_t columns = layer.columns(), width = columns + (layer.can_have_bias ? 1 : 0);
    std::vector<float> weights(static_cast<std::size_t>(layer.outputs * width));
    for (std::int64_t o = 0; o < layer.outputs; ++o) {
      std::copy_n(layer.weight.begin() + o * columns, columns, weights.begin() + o * width);
      if (layer.can_have_bias)
        weights[static_cast<std::size_t>((o + 1) * width - 1)] = layer.bias[static_cast<std::size_t>(o)];
    }
    return weights;
  }

  /// E[t p^T] = W H + E[(t - W p) p^T], W what the layer is now: what it makes already costs no accuracy, though the
  /// rows are summed in float. So full rank gives the layer back.
  static Moments moments_of(LayerRows& rows, const LinearLayer& layer) {
    const std::vector<float> weights = whole_weights(layer);
    MomentSums<float> sums(rows.width(), layer.outputs);
    std::vector<float> rest;
    rows.for_each([&](const RowBlock& block) {
      rest.resize(block.targets.size());
      apply_weights(block.patches.data(), weights.data(), block.rows, layer.outputs, rows.width(), rest.data());
      for (std::size_t i = 0; i < rest.size(); ++i) rest[i] = block.targets[i] - rest[i];
      sums.add(block.patches.data(), rest.data(), block.rows);
    });
    Moments moments = sums.mean();
    Matrix now(layer.outputs, rows.width());
    std::copy(weights.begin(), weights.end(), now.values.begin());
    const Matrix made = multiply(now, moments.h);
    moments.targets += 2 * inner_product(now, moments.g) + inner_product(now, made);
    for (std::size_t i = 0; i < made.values.size(); ++i) moments.g.values[i] += made.values[i];
    return moments;
  }

  /// The same for the targets that the activation leaves.
  Matrix targets_in_view(LayerRows& rows, const Place& place, const Matrix& h, std::int64_t pass) const {
    const LinearLayer& layer = place.layer;
    const std::vector<float> weights = whole_weights(layer);
    Matrix sums(layer.outputs, rows.width());
    std::vector<float> outputs, part(weights.size());
    std::int64_t count = 0;
    rows.for_each([&](const RowBlock& block) {
      outputs.resize(block.targets.size());
      apply_weights(block.patches.data(), weights.data(), block.rows, layer.outputs, rows.width(), outputs.data());
      if (options_.penalty)
        rest_by_penalty(place.target, block, pass < kPenaltyPasses ? kLowPenalty : kHighPenalty, outputs);
      else
        rest_in_view(place.target, block, outputs);
      std::fill(part.begin(), part.end(), 0.0F);
      add_cross(outputs.data(), block.patches.data(), block.rows, layer.outputs, rows.width(), part.data());
      for (std::size_t i = 0; i < part.size(); ++i) sums.values[i] += static_cast<double>(part[i]);
      count += block.rows;
    });
    Matrix now(layer.outputs, rows.width());
    std::copy(weights.begin(), weights.end(), now.values.begin());
    now = multiply(now, h);
    for (std::size_t i = 0; i < sums.values.size(); ++i)
      now.values[i] += sums.values[i] / static_cast<double>(std::max<std::int64_t>(1, count));
    return now;
  }

  const Model& model_;
  const Trace& trace_;
  const std::vector<RankCandidate>& candidates_;
  const std::vector<ChosenRank>& chosen_;
  WalkOptions options_;
  GraphIndex index_;
  std::unordered_map<std::int64_t, const ChosenRank*> chosen_at_;  ///< by node
  std::vector<Place> places_;
  std::vector<const ChosenRank*> by_weights_;
  std::vector<std::int64_t> changing_;
  Walked result_;
};

}  // namespace

Walked walk_layers(const Model& model, const Trace& trace, const std::vector<RankCandidate>& candidates,
                   const std::vector<ChosenRank>& chosen, const Dataset* data, const WalkOptions& options,
                   ProgressSink& progress) {
  Walker walker(model, trace, candidates, chosen, options);
  return data == nullptr ? walker.by_weights() : walker.run(*data, progress);
}

}  // namespace pare
