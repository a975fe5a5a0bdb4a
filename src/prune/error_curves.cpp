#include "prune/error_curves.h"

#include <algorithm>
#include <map>
#include <memory>

#include "core/fail.h"
#include "core/parallel.h"
#include "fit/eliminate.h"
#include "fit/output_error.h"
#include "fit/ridge.h"
#include "ops/macs.h"
#include "prune/consumer.h"

namespace pare {
namespace {

/// Multiply-accumulates that all measurements of the outputs together may take: about a minute of one core.
constexpr double kMeasuredMacs = 2e12;
constexpr std::int64_t kLeastMeasured = 8;

/// What is kept of a consumer until the last of its groups is done.
struct Problem {
  std::optional<LinearLayer> layer;  ///< none: not fitted
  Matrix inverse, weights;
  std::vector<double> lost;  ///< not fitted: energy by input channel
  double scale = 1;
};

class CurveMaker {
 public:
  CurveMaker(const Model& model, const ChannelFlow& flow, const Dataset& data, const CurveOptions& options)
      : model_(model), flow_(flow), data_(data), options_(options), index_(model.graph) {
    options_.session.threads = working_threads(options_.session.threads);
    for (std::size_t g = 0; g < flow.groups.size(); ++g) {
      if (!flow.groups[g].frozen.empty() || flow.groups[g].classes.empty()) continue;
      const auto group = static_cast<std::int64_t>(g);
      pending_[group] = flow.groups[g].consumers.size();
      for (const std::int64_t layer : flow.groups[g].consumers) groups_of_[layer].push_back(group);
    }
  }

  ErrorCurves run(ProgressSink& progress) {
    set_blas_threads(options_.session.threads);
    std::vector<Stop> stops;
    std::vector<std::int64_t> layers;
    plan(stops, layers);
    LockstepOptions lockstep_options{.samples = options_.samples, .seed = options_.seed};
    lockstep_options.session = options_.session;
    Lockstep lockstep(model_, stops, {}, flow_.trace->shapes, data_, lockstep_options);
    if (options_.measured_samples > 0)
      output_error_.emplace(model_, data_, measured_samples(), options_.seed + 1, options_.session);
    ProgressTask task(progress, "measure channel groups", static_cast<std::int64_t>(stops.size()), "layers");
    while (lockstep.next()) {
      const std::int64_t layer = layers[lockstep.stop()];
      take_moments(lockstep, layer);
      for (const std::int64_t group : groups_of_.at(layer))
        if (--pending_.at(group) == 0) finish(group);
      std::erase_if(problems_, [&](const auto& entry) {
        return std::all_of(groups_of_.at(entry.first).begin(), groups_of_.at(entry.first).end(),
                           [&](std::int64_t group) { return pending_.at(group) == 0; });
      });
      task.advance(static_cast<std::int64_t>(lockstep.stop()) + 1);
    }
    const auto by_group = [](const ErrorCurve& a, const ErrorCurve& b) { return a.group < b.group; };
    std::sort(result_.local.begin(), result_.local.end(), by_group);
    std::sort(result_.scaled.begin(), result_.scaled.end(), by_group);
    return std::move(result_);
  }

 private:
  const ChannelLayer& layer_at(std::int64_t layer) const { return flow_.layers[static_cast<std::size_t>(layer)]; }

  bool known_before(const std::string& value, std::int64_t place) const {
    const std::int64_t maker = index_.producer(value);
    return maker < 0 || place_.at(maker) < place;
  }

  /// Fewer for large networks with many groups.
  std::int64_t measured_samples() const {
    double macs = 0, traced = 1;
    const ShapeOf shape_of = [&](std::string_view value) -> std::optional<Shape> {
      const auto found = flow_.trace->shapes.find(std::string(value));
      return found == flow_.trace->shapes.end() ? std::nullopt : std::optional<Shape>(found->second);
    };
    for (const Node& node : model_.graph.nodes) macs += static_cast<double>(node_macs(node, shape_of).value_or(0));
    for (const ValueInfo& input : model_.graph.inputs)
      if (const auto shape = shape_of(input.name); shape && !shape->empty())
        traced = std::max(traced, static_cast<double>((*shape)[0]));
    const double each = std::max(1.0, macs / traced * static_cast<double>(pending_.size()));
    const auto affordable = std::max(kLeastMeasured, static_cast<std::int64_t>(std::min(1e9, kMeasuredMacs / each)));
    return std::min(options_.measured_samples, affordable);
  }

  void plan(std::vector<Stop>& stops, std::vector<std::int64_t>& layers) {
    const std::vector<std::int64_t> order = walk_order(model_.graph);
    for (std::size_t i = 0; i < order.size(); ++i) place_[order[i]] = static_cast<std::int64_t>(i);
    for (const auto& [layer, groups] : groups_of_) layers.push_back(layer);
    std::sort(layers.begin(), layers.end(), [&](std::int64_t a, std::int64_t b) {
      return place_.at(layer_at(a).node) < place_.at(layer_at(b).node);
    });
    for (const std::int64_t layer : layers) {
      Problem problem;
      ReadLayer read = read_consumer(model_, index_, layer_at(layer));
      if (!read.layer) result_.notes.push_back(layer_at(layer).label + ": " + read.reason);
      const Node& node = model_.graph.nodes[static_cast<std::size_t>(layer_at(layer).node)];
      Stop stop{.node = layer_at(layer).node, .dense = {node.input(0), node.output(0)}, .changed = {}};
      if (read.layer) {
        const std::int64_t place = place_.at(stop.node);
        targets_[layer] = find_target(model_.graph, index_, *read.layer, flow_.trace->shapes,
                                      [&](const std::string& value) { return known_before(value, place); });
        stop.dense = {node.input(0), targets_[layer].value};
      }
      layers_[layer] = std::move(read.layer);
      stops.push_back(std::move(stop));
    }
  }

  void take_moments(const Lockstep& lockstep, std::int64_t at) {
    Problem problem;
    problem.layer = std::move(layers_.at(at));
    if (problem.layer) {
      std::vector<std::int64_t> channels = channels_left(layer_at(at), {});
      FitTarget target = targets_.at(at);
      target.minus.clear();
      problem.weights = weights_of(*problem.layer, channels);
      LayerRows rows(lockstep, *problem.layer, target, std::move(channels), {.seed = options_.seed, .memory_bytes = 0});
      MomentSums<float> sums(rows.width(), problem.layer->outputs);
      Energy energy(target);
      rows.for_each([&](const RowBlock& block) {
        sums.add(block.patches.data(), nullptr, block.rows);
        energy.add(block);
      });
      problem.inverse =
          ridge_around(sums.mean().h, problem.weights, options_.damping, problem.layer->can_have_bias).inverse;
      problem.scale = 1 / energy.mean();
    } else {
      take_energies(lockstep, at, problem);
    }
    problems_.emplace(at, std::move(problem));
  }

  void take_energies(const Lockstep& lockstep, std::int64_t at, Problem& problem) const {
    const std::int64_t node_index = layer_at(at).node;
    const Node& node = model_.graph.nodes[static_cast<std::size_t>(node_index)];
    const bool channels_first = node.is("Conv") || node.is("ConvTranspose");
    double output = 0, outputs = 0, inputs = 0;
    for (std::size_t b = 0; b < lockstep.batches(); ++b) {
      const Tensor from = lockstep.dense(node.input(0), b), to = lockstep.dense(node.output(0), b);
      const std::vector<double> energies = channel_energies(from, channels_first);
      problem.lost.resize(energies.size(), 0.0);
      for (std::size_t c = 0; c < energies.size(); ++c) problem.lost[c] += energies[c];
      const std::vector<double> made = channel_energies(to, channels_first);
      for (const double energy : made) output += energy;
      inputs +=
          static_cast<double>(from.element_count()) / static_cast<double>(std::max<std::size_t>(1, energies.size()));
      outputs += static_cast<double>(to.element_count()) / static_cast<double>(std::max<std::size_t>(1, made.size()));
      lockstep.rest(b);
    }
    const std::vector<double> weights =
        weight_energies(model_.graph, node_index, static_cast<std::int64_t>(problem.lost.size()));
    // An output of a transposed convolution sees fewer taps than there are.
    const double seen = node.is("ConvTranspose") ? std::min(1.0, inputs / std::max(1.0, outputs)) : 1.0;
    for (std::size_t c = 0; c < problem.lost.size(); ++c)
      problem.lost[c] *= weights[c] * seen / std::max(output, 1e-30);
  }

  void finish(std::int64_t g) {
    const ChannelGroup& group = flow_.groups[static_cast<std::size_t>(g)];
    std::vector<EliminationPart> parts;
    std::vector<std::int64_t> fitted;
    std::vector<double> fixed(group.classes.size(), 0.0);
    for (const std::int64_t layer : group.consumers) {
      const Problem& problem = problems_.at(layer);
      if (!problem.layer) {
        std::map<ChannelClass, double> lost;
        for (std::size_t c = 0; c < problem.lost.size() && c < layer_at(layer).inputs.size(); ++c)
          lost[layer_at(layer).inputs[c]] += problem.lost[c];
        for (std::size_t i = 0; i < group.classes.size(); ++i)
          if (const auto found = lost.find(group.classes[i]); found != lost.end()) fixed[i] += found->second;
        continue;
      }
      fitted.push_back(layer);
      const std::vector<std::int64_t> channels = channels_left(layer_at(layer), {});
      parts.push_back({.inverse = problem.inverse,
                       .weights = problem.weights,
                       .columns = columns_of(layer_at(layer), channels, problem.layer->taps, group.classes),
                       .scale = problem.scale});
    }
    Eliminator eliminator(std::move(parts), std::move(fixed));
    const auto count = static_cast<std::int64_t>(group.classes.size());
    eliminator.remove_cheapest(count / 2);
    double measured = -1;
    if (output_error_ && count >= 2) measured = measure(group, eliminator, fitted);
    eliminator.remove_cheapest(count);
    ErrorCurve curve;
    curve.group = g;
    curve.error.push_back(0);
    for (std::size_t i = 0; i < eliminator.order().size(); ++i) {
      curve.order.push_back(group.classes[static_cast<std::size_t>(eliminator.order()[i])]);
      curve.error.push_back(curve.error.back() + eliminator.costs()[i]);
    }
    if (output_error_) {
      const double half = curve.error[static_cast<std::size_t>(count / 2)];
      ErrorCurve scaled = curve;
      if (measured >= 0 && half > 0)
        for (double& error : scaled.error) error *= measured / half;
      result_.scaled.push_back(std::move(scaled));
    }
    result_.local.push_back(std::move(curve));
  }

  double measure(const ChannelGroup& group, const Eliminator& eliminator,
                 const std::vector<std::int64_t>& fitted) const {
    std::unordered_set<ChannelClass> gone;
    for (const std::int64_t item : eliminator.order()) gone.insert(group.classes[static_cast<std::size_t>(item)]);
    Model model = model_;
    for (std::size_t i = 0; i < fitted.size(); ++i) {
      LinearLayer layer = *problems_.at(fitted[i]).layer;
      put_weights(layer, channels_left(layer_at(fitted[i]), {}), eliminator.weights(i));
      write_linear_layer(model, layer);
    }
    for (const std::int64_t at : group.consumers) {
      if (problems_.at(at).layer) continue;
      std::vector<std::int64_t> channels;
      for (std::size_t c = 0; c < layer_at(at).inputs.size(); ++c)
        if (gone.contains(layer_at(at).inputs[c])) channels.push_back(static_cast<std::int64_t>(c));
      zero_input_channels(model, layer_at(at).node, channels);
    }
    return output_error_->of(model);
  }

  const Model& model_;
  const ChannelFlow& flow_;
  const Dataset& data_;
  CurveOptions options_;
  GraphIndex index_;
  std::map<std::int64_t, std::size_t> pending_;                  ///< group -> consumers not seen yet
  std::map<std::int64_t, std::vector<std::int64_t>> groups_of_;  ///< layer -> its free groups
  std::map<std::int64_t, std::int64_t> place_;
  std::map<std::int64_t, std::optional<LinearLayer>> layers_;
  std::map<std::int64_t, FitTarget> targets_;
  std::map<std::int64_t, Problem> problems_;
  std::optional<OutputError> output_error_;
  ErrorCurves result_;
};

}  // namespace

ErrorCurves error_curves(const Model& model, const ChannelFlow& flow, const Dataset& data, const CurveOptions& options,
                         ProgressSink& progress) {
  if (flow.trace == nullptr) fail(ErrorCode::kInvalidArgument, "error curves need the shapes of the network's values");
  return CurveMaker(model, flow, data, options).run(progress);
}

}  // namespace pare
