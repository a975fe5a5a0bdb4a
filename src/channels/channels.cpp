#include "pare/channels.h"

#include <algorithm>
#include <map>

#include "channels/cutter.h"
#include "channels/label_flow.h"
#include "core/fail.h"

namespace pare {
namespace {

constexpr std::int64_t kContentLimit = 1 << 16;

/// Classes with equal sets of tensors may be chosen between: as long as one stays, no tensor is left empty.
class Grouping {
 public:
  explicit Grouping(const LabelFlow& flow) : flow_(flow), signatures_(static_cast<std::size_t>(flow.units().size())) {
    for (std::size_t i = 0; i < flow.graph().nodes.size(); ++i)
      for (const std::string& value : flow.graph().nodes[i].outputs)
        if (const auto entry = flow.labels().find(value); entry != flow.labels().end()) add(entry->second.units);
    for (const LayerUnits& layer : flow.layers()) {
      add(layer.inputs);
      add(layer.outputs);
    }
  }

  ChannelFlow build() {
    ChannelFlow result;
    for (std::size_t i = 0; i < flow_.layers().size(); ++i) add_layer(result, i);
    drop_lone_classes(result);
    return result;
  }

 private:
  void add(const std::vector<Unit>& units) {
    ++value_;
    for (const Unit unit : units) {
      if (unit == kNoUnit) continue;
      std::vector<std::int32_t>& signature = signatures_[static_cast<std::size_t>(flow_.units().root(unit))];
      if (signature.empty() || signature.back() != value_) signature.push_back(value_);
    }
  }

  ChannelClass class_of(ChannelFlow& result, Unit unit, std::int64_t layer, bool produced) {
    const Unit root = flow_.units().root(unit);
    if (flow_.units().frozen(root)) return kFixedChannel;
    const auto known = classes_.find(root);
    if (known != classes_.end()) return known->second;
    if (!produced) return kFixedChannel;  // channels of a pad that no layer makes
    const auto fresh = static_cast<ChannelClass>(result.group_of_class.size());
    classes_.emplace(root, fresh);
    const auto [group, added] = groups_.try_emplace(signatures_[static_cast<std::size_t>(root)],
                                                    static_cast<std::int32_t>(result.groups.size()));
    if (added) {
      result.groups.emplace_back();
      result.groups.back().name = result.layers[static_cast<std::size_t>(layer)].label;
    }
    result.groups[static_cast<std::size_t>(group->second)].classes.push_back(fresh);
    result.group_of_class.push_back(group->second);
    return fresh;
  }

  void add_layer(ChannelFlow& result, std::size_t index) {
    const LayerUnits& units = flow_.layers()[index];
    const auto at = static_cast<std::int64_t>(index);
    ChannelLayer layer;
    layer.node = units.node;
    layer.label = node_label(flow_.graph().nodes[static_cast<std::size_t>(units.node)], units.node);
    layer.groups = units.groups;
    layer.depthwise = units.depthwise;
    result.layers.push_back(layer);
    for (const Unit unit : units.inputs) layer.inputs.push_back(class_of(result, unit, at, false));
    std::map<std::string, std::int64_t> frozen;
    for (const Unit unit : units.outputs) {
      layer.outputs.push_back(class_of(result, unit, at, !units.depthwise));
      if (!units.depthwise && layer.outputs.back() == kFixedChannel) ++frozen[flow_.units().reason(unit)];
    }
    for (const auto& [reason, channels] : frozen)
      result.groups.push_back({.name = layer.label,
                               .classes = {},
                               .producers = {at},
                               .consumers = {},
                               .channels = channels,
                               .frozen = reason});
    result.layers.back() = std::move(layer);
    if (!units.depthwise) note_sides(result, at);
  }

  static void note_sides(ChannelFlow& result, std::int64_t index) {
    const ChannelLayer& layer = result.layers[static_cast<std::size_t>(index)];
    const auto note = [&](const std::vector<ChannelClass>& classes, std::vector<std::int64_t> ChannelGroup::* side,
                          bool count) {
      for (const ChannelClass one : classes) {
        if (one == kFixedChannel) continue;
        ChannelGroup& group =
            result.groups[static_cast<std::size_t>(result.group_of_class[static_cast<std::size_t>(one)])];
        std::vector<std::int64_t>& list = group.*side;
        if (list.empty() || list.back() != index) list.push_back(index);
        if (count && group.producers.front() == index) ++group.channels;
      }
    };
    note(layer.outputs, &ChannelGroup::producers, true);
    note(layer.inputs, &ChannelGroup::consumers, false);
  }

  /// Where there is only one class to choose, nothing can go.
  static void drop_lone_classes(ChannelFlow& result) {
    std::vector<bool> lone(result.group_of_class.size(), false);
    for (ChannelGroup& group : result.groups) {
      if (group.classes.size() != 1) continue;
      lone[static_cast<std::size_t>(group.classes[0])] = true;
      group.frozen = group.channels > 1 ? "its channels can only go all together" : "it is the only channel";
      group.classes.clear();
    }
    for (ChannelLayer& layer : result.layers)
      for (auto* side : {&layer.inputs, &layer.outputs})
        for (ChannelClass& one : *side)
          if (one != kFixedChannel && lone[static_cast<std::size_t>(one)]) one = kFixedChannel;
  }

  const LabelFlow& flow_;
  std::int32_t value_ = 0;
  std::vector<std::vector<std::int32_t>> signatures_;
  std::map<Unit, ChannelClass> classes_;
  std::map<std::vector<std::int32_t>, std::int32_t> groups_;
};

/// Which units go with the classes. Throws Error(kInvalidArgument) on a choice that is none.
std::vector<bool> gone_units(const LabelFlow& labels, const ChannelFlow& flow, const RemovedClasses& removed) {
  std::vector<bool> chosen(flow.group_of_class.size(), false);
  for (const ChannelClass one : removed) {
    if (one < 0 || one >= static_cast<ChannelClass>(chosen.size()))
      fail(ErrorCode::kInvalidArgument, "there is no channel class {}; the network has {}", one, chosen.size());
    chosen[static_cast<std::size_t>(one)] = true;
  }
  for (const ChannelGroup& group : flow.groups)
    if (!group.classes.empty() && std::all_of(group.classes.begin(), group.classes.end(),
                                              [&](ChannelClass one) { return chosen[static_cast<std::size_t>(one)]; }))
      fail(ErrorCode::kInvalidArgument, "{}: one of its {} channel classes has to stay", group.name,
           group.classes.size());
  std::vector<bool> gone(static_cast<std::size_t>(labels.units().size()), false), seen(chosen.size(), false);
  for (std::size_t i = 0; i < flow.layers.size(); ++i)
    for (std::size_t c = 0; c < flow.layers[i].outputs.size(); ++c) {
      const ChannelClass one = flow.layers[i].outputs[c];
      if (one == kFixedChannel || !chosen[static_cast<std::size_t>(one)]) continue;
      gone[static_cast<std::size_t>(labels.units().root(labels.layers().at(i).outputs.at(c)))] = true;
      seen[static_cast<std::size_t>(one)] = true;
    }
  for (const ChannelClass one : removed)
    if (!seen[static_cast<std::size_t>(one)]) fail(ErrorCode::kInvalidArgument, "channel class {} is fixed", one);
  return gone;
}

/// The trace of the flow with the constants that the model has by now (a repair may have given biases).
Trace trace_with_constants(const Model& model, const ChannelFlow& flow) {
  Trace trace = *flow.trace;
  for (const Initializers::Entry& entry : model.graph.initializers) {
    trace.shapes[entry.name] = entry.tensor.shape();
    trace.dtypes[entry.name] = entry.tensor.dtype();
  }
  return trace;
}

/// The first node whose outputs have not the sizes that they should have along cut axes; "" if all have. Sizes of other
/// axes may depend on the data (boxes that are kept, pixels that are not zero).
std::string check_shapes(const Model& cut, const Cutter& cutter, const LabelFlow& labels, const NamedTensors& inputs,
                         std::int64_t& node) {
  const Trace trace = trace_model(cut, inputs, 0);
  for (std::size_t i = 0; i < labels.graph().nodes.size(); ++i)
    for (const std::string& value : labels.graph().nodes[i].outputs) {
      const auto entry = labels.labels().find(value);
      if (entry == labels.labels().end()) continue;
      const Shape expected = cutter.new_shape(value);
      const auto found = trace.shapes.find(value);
      bool same = found != trace.shapes.end() && found->second.size() == expected.size();
      for (std::size_t axis = 0; same && axis < expected.size(); ++axis)
        same = expected[axis] == labels.trace().shapes.at(value)[axis] || found->second[axis] == expected[axis];
      if (same) continue;
      node = static_cast<std::int64_t>(i);
      return fmt::format("'{}' has shape {} instead of {}", value,
                         found == trace.shapes.end() ? "none" : shape_text(found->second), shape_text(expected));
    }
  return {};
}

}  // namespace
namespace {

/// What went wrong when classes were cut, and where if that is known.
struct Failure {
  std::int64_t node = -1;
  std::string text;
};

Model cut(const Model& model, const LabelFlow& labels, const NamedTensors& inputs, std::vector<bool> gone,
          Failure& failure) {
  Cutter cutter(model, labels, std::move(gone));
  Model result;
  try {
    for (const auto& [node, edit] : labels.edits()) {
      failure.node = node;
      edit(cutter);
    }
    failure.node = -1;
    result = cutter.finish();
    failure.text = check_shapes(result, cutter, labels, inputs, failure.node);
  } catch (const Error& error) {
    failure.text = error.what();
  }
  return result;
}

/// One class of each of these groups goes, as a trial.
std::optional<Failure> trial(const Model& model, const LabelFlow& labels, const ChannelFlow& flow,
                             std::span<const std::int64_t> groups) {
  RemovedClasses removed;
  for (const std::int64_t group : groups)
    removed.push_back(flow.groups[static_cast<std::size_t>(group)].classes.back());
  Failure failure;
  (void)cut(model, labels, *flow.inputs, gone_units(labels, flow, removed), failure);
  if (failure.text.empty()) return std::nullopt;
  if (failure.node >= 0 || groups.size() == 1) return failure;
  for (const auto half : {groups.first(groups.size() / 2), groups.subspan(groups.size() / 2)})
    if (std::optional<Failure> found = trial(model, labels, flow, half)) {
      if (found->node < 0)  // one group alone: nothing is known but who makes it
        found->node =
            flow.layers[static_cast<std::size_t>(flow.groups[static_cast<std::size_t>(half[0])].producers[0])].node;
      return found;
    }
  failure.node =
      flow.layers[static_cast<std::size_t>(flow.groups[static_cast<std::size_t>(groups[0])].producers[0])].node;
  return failure;
}

}  // namespace

ChannelFlow trace_channels(const Model& model, const NamedTensors& inputs) {
  const auto trace = std::make_shared<const Trace>(trace_model(model, inputs, kContentLimit));
  const auto kept_inputs = std::make_shared<const NamedTensors>(inputs);
  LabelFlow::Refusals refused;
  for (;;) {
    const LabelFlow labels(model.graph, *trace, model.opset(), refused);
    ChannelFlow flow = Grouping(labels).build();
    flow.trace = trace;
    flow.inputs = kept_inputs;
    flow.refused = refused;
    std::vector<std::int64_t> free;
    for (std::size_t i = 0; i < flow.groups.size(); ++i)
      if (flow.groups[i].frozen.empty()) free.push_back(static_cast<std::int64_t>(i));
    if (free.empty()) return flow;
    const std::optional<Failure> failure = trial(model, labels, flow, free);
    if (!failure) return flow;
    const bool again =
        std::any_of(refused.begin(), refused.end(), [&](const auto& one) { return one.first == failure->node; });
    if (again)
      fail(ErrorCode::kInternal, "channels: cutting fails at node {} although nothing is cut there: {}", failure->node,
           failure->text);
    refused.emplace_back(failure->node, "a trial cut failed: " + failure->text);
  }
}

Model remove_channels(const Model& model, const ChannelFlow& flow, const RemovedClasses& removed) {
  if (removed.empty()) return model;
  const Trace trace = trace_with_constants(model, flow);
  const LabelFlow labels(model.graph, trace, model.opset(), flow.refused);
  Failure failure;
  Model result = cut(model, labels, *flow.inputs, gone_units(labels, flow, removed), failure);
  if (failure.text.empty()) return result;
  fail(ErrorCode::kInternal, "channels could not be removed{}: {}",
       failure.node < 0 ? ""
                        : " at " + node_label(model.graph.nodes[static_cast<std::size_t>(failure.node)], failure.node),
       failure.text);
}

Model mask_channels(const Model& model, const ChannelFlow& flow, const RemovedClasses& removed) {
  if (removed.empty()) return model;
  const Trace trace = trace_with_constants(model, flow);
  const LabelFlow labels(model.graph, trace, model.opset(), flow.refused);
  const Cutter cutter(model, labels, gone_units(labels, flow, removed));
  Model result = model;
  NameGenerator names(result.graph);
  std::vector<Node> masks;
  for (const ConsumerInput& consumer : labels.consumers()) {
    if (cutter.kept(consumer.labels.units).size() == consumer.labels.units.size()) continue;
    std::vector<float> ones(consumer.labels.units.size());
    for (std::size_t i = 0; i < ones.size(); ++i) ones[i] = cutter.gone(consumer.labels.units[i]) ? 0.0F : 1.0F;
    Node& reader = result.graph.nodes[static_cast<std::size_t>(consumer.node)];
    std::string& input = reader.inputs[consumer.input];
    const DType dtype = flow.trace->dtypes.at(input);
    Node mask;
    mask.op_type = "Mul";
    mask.inputs = {input, names.fresh(input + "_mask")};
    mask.outputs = {names.fresh(input + "_masked")};
    Tensor tensor = Tensor::of<float>(consumer.labels.shape, ones);
    if (dtype == DType::kFloat64)
      tensor = Tensor::of<double>(consumer.labels.shape, std::vector<double>(ones.begin(), ones.end()));
    else if (dtype != DType::kFloat32)
      fail(ErrorCode::kUnsupported, "masks of type {}: channels of float32 networks are pruned", dtype_name(dtype));
    result.graph.initializers.set(mask.inputs[1], std::move(tensor));
    input = mask.outputs[0];
    masks.push_back(std::move(mask));
  }
  result.graph.nodes.insert(result.graph.nodes.end(), masks.begin(), masks.end());
  sort_topologically(result.graph);
  return result;
}

}  // namespace pare
