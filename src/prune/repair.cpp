#include "prune/repair.h"

#include <algorithm>
#include <map>
#include <unordered_set>

#include "core/fail.h"
#include "core/parallel.h"
#include "fit/lockstep.h"
#include "fit/sub_model.h"
#include "fit/target.h"
#include "prune/consumer.h"
#include "prune/refit.h"

namespace pare {
namespace {

/// The layer whose output a block's body adds to the shortcut, -1 if what it adds is no layer's output.
std::int64_t last_layer(const Graph& graph, const GraphIndex& index, const ChannelFlow& flow,
                        const DropCandidate& drop) {
  const Node& add = graph.nodes.at(static_cast<std::size_t>(drop.add));
  for (const std::string& input : add.inputs) {
    if (input == drop.shortcut) continue;
    std::int64_t maker = index.producer(input);
    while (maker >= 0 && (graph.nodes[static_cast<std::size_t>(maker)].is("Identity") ||
                          graph.nodes[static_cast<std::size_t>(maker)].is("Dropout")))
      maker = index.producer(graph.nodes[static_cast<std::size_t>(maker)].input(0));
    for (std::size_t layer = 0; layer < flow.layers.size(); ++layer)
      if (flow.layers[layer].node == maker) return static_cast<std::int64_t>(layer);
  }
  return -1;
}

class Repairer {
 public:
  Repairer(const Model& model, const ChannelFlow& flow, const std::vector<GroupCut>& cuts, const Dataset& data,
           const RepairOptions& options)
      : model_(model), flow_(flow), cuts_(cuts), data_(data), options_(options), index_(model.graph) {
    options_.session.threads = working_threads(options_.session.threads);
  }

  RepairResult run(ProgressSink& progress) {
    set_blas_threads(options_.session.threads);
    decide();
    decide_drops();
    find_order();
    LockstepOptions lockstep_options{.samples = options_.samples, .seed = options_.seed};
    lockstep_options.session = options_.session;
    std::vector<Stop> stops;
    for (const std::int64_t layer : fitted_) {
      Stop stop{.node = layer_at(layer).node, .dense = {targets_.at(layer).value}, .changed = targets_.at(layer).minus};
      stop.changed.push_back(layers_.at(layer).input);
      stops.push_back(std::move(stop));
    }
    Lockstep lockstep(model_, std::move(stops), changing_, flow_.trace->shapes, data_, lockstep_options);
    for (LinearLayer& layer : silent_) {
      std::fill(layer.weight.begin(), layer.weight.end(), 0.0F);
      std::fill(layer.bias.begin(), layer.bias.end(), 0.0F);
      write_linear_layer(lockstep.model(), layer);
    }
    for (const std::int64_t layer : zeroed_) {
      std::vector<std::int64_t> channels;
      for (std::size_t c = 0; c < layer_at(layer).inputs.size(); ++c)
        if (removed_.contains(layer_at(layer).inputs[c])) channels.push_back(static_cast<std::int64_t>(c));
      zero_input_channels(lockstep.model(), layer_at(layer).node, channels);
    }
    ProgressTask task(progress, "repair layers", static_cast<std::int64_t>(fitted_.size()), "layers");
    while (lockstep.next()) {
      refit(lockstep, fitted_[lockstep.stop()]);
      task.advance(static_cast<std::int64_t>(lockstep.stop()) + 1);
    }
    result_.model = std::move(lockstep.model());
    for (const GroupCut& cut : cuts_)
      for (const ChannelClass removed : gone_[cut.group]) result_.removed.push_back(removed);
    return std::move(result_);
  }

 private:
  const ChannelLayer& layer_at(std::int64_t layer) const { return flow_.layers[static_cast<std::size_t>(layer)]; }

  void check(const GroupCut& cut) const {
    if (cut.group < 0 || cut.group >= static_cast<std::int64_t>(flow_.groups.size()))
      fail(ErrorCode::kInvalidArgument, "prune: there is no channel group {}", cut.group);
    const ChannelGroup& group = flow_.groups[static_cast<std::size_t>(cut.group)];
    if (cut.remove == 0) return;
    if (!group.frozen.empty())
      fail(ErrorCode::kInvalidArgument, "prune: channels of {} cannot go: {}", group.name, group.frozen);
    if (cut.remove < 0 || cut.remove >= static_cast<std::int64_t>(group.classes.size()))
      fail(ErrorCode::kInvalidArgument, "prune: {} of the {} channel classes of {} cannot go; at least one must stay",
           cut.remove, group.classes.size(), group.name);
  }

  /// Which groups choose at their consumer, and which classes are gone from the start.
  void decide() {
    for (const GroupCut& cut : cuts_) {
      check(cut);
      if (cut.remove == 0) continue;
      const ChannelGroup& group = flow_.groups[static_cast<std::size_t>(cut.group)];
      const bool alone =
          group.consumers.size() == 1 && read_consumer(model_, index_, layer_at(group.consumers[0])).layer.has_value();
      if (alone) {
        choices_[group.consumers[0]].push_back(&cut);
      } else {
        if (static_cast<std::int64_t>(cut.order.size()) < cut.remove)
          fail(ErrorCode::kInvalidArgument,
               "prune: {} has {} consumers and needs an order of removal\n  remedy: take that of its error curve",
               group.name, group.consumers.size());
        gone_[cut.group].assign(cut.order.begin(), cut.order.begin() + cut.remove);
        removed_.insert(gone_[cut.group].begin(), gone_[cut.group].end());
      }
    }
  }

  void decide_drops() {
    for (const DropCandidate& drop : options_.drops) {
      const std::int64_t last = last_layer(model_.graph, index_, flow_, drop);
      ReadLayer read = last < 0 ? ReadLayer{} : read_linear_layer(model_.graph, index_, layer_at(last).node);
      if (!read.layer)
        fail(ErrorCode::kInvalidArgument, "prune: the block that ends in {} cannot go: {}",
             node_label(model_.graph.nodes[static_cast<std::size_t>(drop.add)], drop.add), read.reason);
      dropped_.insert(drop.body.begin(), drop.body.end());
      silenced_.insert(read.layer->node);
      changing_.push_back(read.layer->node);
      silent_.push_back(std::move(*read.layer));
      jumps_[drop.shortcut] = model_.graph.nodes[static_cast<std::size_t>(drop.add)].output(0);
    }
  }

  /// A value and what an activation that alone follows makes of it; the shortcut of a dropped block may be either.
  const std::string* jump_from(const std::string& value) const {
    if (const auto jump = jumps_.find(value); jump != jumps_.end()) return &jump->second;
    for (const GraphIndex::Use& use : index_.uses(value)) {
      const Node& node = model_.graph.nodes[static_cast<std::size_t>(use.node)];
      if (!node.is("Relu") && !node.is("Clip")) continue;
      if (const auto jump = jumps_.find(node.output(0)); jump != jumps_.end()) return &jump->second;
    }
    return nullptr;
  }

  /// Where the blocks right behind a layer go, it stands in for the last of them.
  FitTarget jumped(FitTarget target) const {
    const std::string first = target.value;
    while (const std::string* jump = jump_from(target.value)) target.value = *jump;
    if (target.value != first) find_bounds(model_.graph, index_, target);
    return target;
  }

  bool loses_inputs(std::int64_t layer) const {
    if (layer_at(layer).depthwise) return false;
    if (choices_.contains(layer)) return true;
    return std::any_of(layer_at(layer).inputs.begin(), layer_at(layer).inputs.end(),
                       [&](ChannelClass c) { return removed_.contains(c); });
  }

  /// The layers behind the first change, in walk order, and what each is fitted to.
  void find_order() {
    const std::vector<std::int64_t> order = walk_order(model_.graph);
    std::map<std::int64_t, std::int64_t> layer_of, place;
    for (std::size_t l = 0; l < flow_.layers.size(); ++l) layer_of[flow_.layers[l].node] = static_cast<std::int64_t>(l);
    for (std::size_t i = 0; i < order.size(); ++i) place[order[i]] = static_cast<std::int64_t>(i);
    std::unordered_set<std::string> differs;
    for (const std::int64_t node_index : order) {
      const Node& node = model_.graph.nodes[static_cast<std::size_t>(node_index)];
      const std::vector<std::string> reads = values_read(node);
      bool affected = std::any_of(reads.begin(), reads.end(), [&](const auto& name) { return differs.contains(name); });
      if (const auto found = layer_of.find(node_index); found != layer_of.end()) {
        const bool loses = loses_inputs(found->second);
        if (silenced_.contains(node_index))
          affected = true;
        else if (!dropped_.contains(node_index))
          affected = add_layer(found->second, loses, affected, place) || affected || loses;
      }
      if (!affected) continue;
      for (const std::string& name : node.outputs) differs.insert(name);
    }
  }

  /// True if the layer is fitted.
  bool add_layer(std::int64_t layer, bool loses, bool affected, const std::map<std::int64_t, std::int64_t>& place) {
    if (layer_at(layer).depthwise) return false;
    ReadLayer read = read_consumer(model_, index_, layer_at(layer));
    if (!read.layer) {
      if (!loses && !affected) return false;
      result_.notes.push_back(layer_at(layer).label + ": not refitted, " + read.reason);
      if (!loses) return false;
      zeroed_.push_back(layer);
      changing_.push_back(layer_at(layer).node);
      return false;
    }
    const std::int64_t at = place.at(layer_at(layer).node);
    const FitTarget own =
        find_target(model_.graph, index_, *read.layer, flow_.trace->shapes, [&](const std::string& value) {
          const std::int64_t maker = index_.producer(value);
          return maker < 0 || place.at(maker) < at;
        });
    const FitTarget target = jumped(own);
    // Nothing has changed so far: the layer is as good as it gets.
    if (!loses && !affected && target.value == own.value) return false;
    targets_[layer] = target;
    changing_.push_back(read.layer->node);
    if (read.layer->end != read.layer->node) changing_.push_back(read.layer->end);
    layers_.emplace(layer, std::move(*read.layer));
    fitted_.push_back(layer);
    return true;
  }

  void refit(Lockstep& lockstep, std::int64_t at) {
    LinearLayer& layer = layers_.at(at);
    const FitTarget& target = targets_.at(at);
    const std::vector<std::int64_t> channels = channels_left(layer_at(at), removed_);
    std::vector<ChannelClass> classes;
    std::vector<Quota> quotas;
    for (const GroupCut* cut : choices_[at]) {
      Quota quota{.items = {}, .remove = cut->remove};
      for (const ChannelClass c : flow_.groups[static_cast<std::size_t>(cut->group)].classes) {
        quota.items.push_back(static_cast<std::int64_t>(classes.size()));
        classes.push_back(c);
      }
      quotas.push_back(std::move(quota));
    }
    const Matrix old = weights_of(layer, channels);
    LayerRows rows(lockstep, layer, target, channels, {.seed = options_.seed});
    const Refit fit =
        refit_layer(rows, target, old, layer.can_have_bias, columns_of(layer_at(at), channels, layer.taps, classes),
                    quotas, {.damping = options_.damping, .view_passes = options_.view_passes});
    for (const std::int64_t item : fit.removed) {
      const ChannelClass c = classes[static_cast<std::size_t>(item)];
      gone_[flow_.group_of_class[static_cast<std::size_t>(c)]].push_back(c);
      removed_.insert(c);
    }
    put_weights(layer, channels, fit.weights);
    write_linear_layer(lockstep.model(), layer);
    result_.layers.push_back({.node = layer.node,
                              .label = layer_at(at).label,
                              .unknowns = rows.width(),
                              .rows = fit.rows,
                              .error_before = fit.error_before,
                              .error_after = fit.error_after,
                              .damping = fit.damping});
  }

  const Model& model_;
  const ChannelFlow& flow_;
  const std::vector<GroupCut>& cuts_;
  const Dataset& data_;
  RepairOptions options_;
  GraphIndex index_;
  std::map<std::int64_t, std::vector<const GroupCut*>> choices_;  ///< layer -> groups that choose there
  std::map<std::int64_t, RemovedClasses> gone_;                   ///< by group
  std::unordered_set<ChannelClass> removed_;
  std::unordered_set<std::int64_t> dropped_, silenced_;  ///< nodes of the bodies that go, and their last layers
  std::vector<LinearLayer> silent_;
  std::map<std::string, std::string> jumps_;              ///< shortcut of a dropped block -> output of its Add
  std::vector<std::int64_t> fitted_, zeroed_, changing_;  ///< layers, layers, nodes
  std::map<std::int64_t, LinearLayer> layers_;
  std::map<std::int64_t, FitTarget> targets_;
  RepairResult result_;
};

}  // namespace

bool can_silence(const Model& model, const ChannelFlow& flow, const DropCandidate& drop) {
  const GraphIndex index(model.graph);
  const std::int64_t last = last_layer(model.graph, index, flow, drop);
  return last >= 0 &&
         read_linear_layer(model.graph, index, flow.layers[static_cast<std::size_t>(last)].node).layer.has_value();
}

RepairResult prune_and_repair(const Model& model, const ChannelFlow& flow, const std::vector<GroupCut>& cuts,
                              const Dataset& data, const RepairOptions& options, ProgressSink& progress) {
  if (flow.trace == nullptr) fail(ErrorCode::kInvalidArgument, "repair needs the shapes of the network's values");
  return Repairer(model, flow, cuts, data, options).run(progress);
}

}  // namespace pare
