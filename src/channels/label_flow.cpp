#include "channels/label_flow.h"

#include <algorithm>
#include <set>
#include <unordered_set>

#include "channels/counted.h"
#include "channels/rules.h"
#include "core/fail.h"

namespace pare {
namespace {

/// Values that a subgraph of some node reads.
std::unordered_map<std::string, std::string> captured_by(const Graph& graph) {
  std::unordered_map<std::string, std::string> result;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    for (const Attribute& attribute : graph.nodes[i].attributes) {
      const auto add = [&](const std::shared_ptr<const Graph>& subgraph) {
        for (const std::string& value : captured_values(*subgraph))
          result.emplace(value, node_label(graph.nodes[i], static_cast<std::int64_t>(i)));
      };
      if (const auto* one = std::get_if<std::shared_ptr<const Graph>>(&attribute.value)) add(*one);
      if (const auto* many = std::get_if<std::vector<std::shared_ptr<const Graph>>>(&attribute.value))
        for (const auto& subgraph : *many) add(subgraph);
    }
  return result;
}

bool handles_quantization(const Node& node) {
  return node.op_type == "QuantizeLinear" || node.op_type == "DequantizeLinear" || node.op_type.starts_with("QLinear");
}

}  // namespace

LabelFlow::LabelFlow(const Graph& graph, const Trace& trace, std::int64_t opset, const Refusals& refused)
    : graph_(graph), trace_(trace), constants_(graph), opset_(opset) {
  const auto captured = captured_by(graph);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (constants_.computes_constants(node) || node.is("Constant")) continue;
    NodeFlow flow(*this, static_cast<std::int64_t>(i));
    const bool traced = std::all_of(node.outputs.begin(), node.outputs.end(), [&](const std::string& name) {
      return name.empty() || trace.shapes.contains(name);
    });
    const ChannelRule rule = find_channel_rule(node);
    if (node.has_subgraph())
      flow.freeze_inputs("control flow");
    else if (rule == nullptr && handles_quantization(node))
      flow.freeze_inputs("the model is quantized already");
    else if (rule == nullptr)
      flow.freeze_inputs("channels are not followed through this operator");
    else if (!traced)
      flow.freeze_inputs("it did not run");
    else
      rule(flow);
    for (const std::string& output : node.outputs)
      if (const auto by = captured.find(output); by != captured.end() && labels_.contains(output))
        for (const Unit unit : labels_.at(output).units) units_.freeze(unit, by->second + ": control flow reads it");
  }
  for (const auto& [node, reason] : refused) {
    const NodeFlow flow(*this, node);
    for (const auto& names : {flow.node().inputs, flow.node().outputs})
      for (const std::string& name : names)
        if (const auto entry = labels_.find(name); entry != labels_.end())
          for (const Unit unit : entry->second.units) units_.freeze(unit, flow.reason(reason));
  }
  freeze_outputs();
  freeze_counted(
      graph, trace, constants_,
      [&](const std::string& value) -> const Labels* {
        const auto entry = labels_.find(value);
        return entry == labels_.end() ? nullptr : &entry->second;
      },
      [&](const Labels& labels, const std::string& reason) {
        for (const Unit unit : labels.units) units_.freeze(unit, reason);
      });
  resolve();
}

void LabelFlow::freeze_outputs() {
  for (const ValueInfo& output : graph_.outputs)
    if (const auto entry = labels_.find(output.name); entry != labels_.end())
      for (const Unit unit : entry->second.units) units_.freeze(unit, "it is the output '" + output.name + "'");
}

void LabelFlow::resolve() {
  for (std::int64_t before = -1; before != units_.changes();) {
    before = units_.changes();
    for (const Balance& constraint : balances_) balance(constraint);
    for (const std::string& value : labelled_) make_grid(value, labels_.at(value));
  }
}

/// Ties the classes that lie in one block each with those of the other blocks, first to first; what lies elsewhere
/// unevenly stays.
void LabelFlow::balance(const Balance& constraint) {
  const auto blocks = static_cast<std::size_t>(constraint.blocks);
  const std::size_t size = constraint.units.size() / blocks;
  std::map<Unit, std::vector<std::int64_t>> counts;
  std::vector<Unit> order;
  for (std::size_t i = 0; i < constraint.units.size(); ++i) {
    const Unit root = units_.root(constraint.units[i]);
    if (root == kNoUnit) continue;
    auto [entry, added] = counts.try_emplace(root, blocks, 0);
    if (added) order.push_back(root);
    ++entry->second[i / size];
  }
  // By number of channels within the one block: classes in block order.
  std::map<std::int64_t, std::vector<std::vector<Unit>>> single;
  for (const Unit root : order) {
    if (units_.frozen(root)) continue;
    const std::vector<std::int64_t>& count = counts.at(root);
    if (std::all_of(count.begin(), count.end(), [&](std::int64_t n) { return n == count[0]; })) continue;
    const auto hit = std::find_if(count.begin(), count.end(), [](std::int64_t n) { return n > 0; });
    if (std::count_if(count.begin(), count.end(), [](std::int64_t n) { return n > 0; }) != 1) {
      units_.freeze(root, constraint.reason);
      continue;
    }
    auto& by_block = single.try_emplace(*hit, blocks).first->second;
    by_block[static_cast<std::size_t>(hit - count.begin())].push_back(root);
  }
  for (auto& [count, by_block] : single) {
    std::size_t shortest = by_block[0].size();
    for (const auto& block : by_block) shortest = std::min(shortest, block.size());
    for (const auto& block : by_block)
      for (std::size_t i = 0; i < block.size(); ++i) {
        if (i < shortest)
          units_.tie(by_block[0][i], block[i], constraint.reason);
        else
          units_.freeze(block[i], constraint.reason);
      }
  }
}

/// Any choice of classes must leave a full grid: where labels vary along several axes, all but one are tied.
void LabelFlow::make_grid(const std::string& value, const Labels& labels) {
  if (labels.axes().size() < 2) return;
  Labels roots = labels;
  for (Unit& unit : roots.units) unit = units_.frozen(unit) ? kNoUnit : units_.root(unit);
  roots = compress(std::move(roots));
  const std::vector<std::int64_t> axes = roots.axes();
  if (axes.size() < 2) return;
  // The axis that leaves the most to choose from.
  const std::int64_t best = *std::max_element(axes.begin(), axes.end(), [&](std::int64_t a, std::int64_t b) {
    return roots.shape[static_cast<std::size_t>(a)] < roots.shape[static_cast<std::size_t>(b)];
  });
  const std::string reason = "the channels of '" + value + "' would be left ragged";
  for (const std::int64_t axis : axes)
    if (axis != best)
      for_each_line(roots.shape, axis, [&](const std::vector<std::size_t>& line) {
        for (const std::size_t i : line) units_.tie(roots.units[line[0]], roots.units[i], reason);
      });
}

NodeFlow::NodeFlow(LabelFlow& flow, std::int64_t node)
    : flow_(flow), node_(flow.graph_.nodes[static_cast<std::size_t>(node)]), index_(node) {}

const Shape& NodeFlow::shape(std::size_t input) const {
  const auto entry = flow_.trace_.shapes.find(node_.input(input));
  if (entry == flow_.trace_.shapes.end())
    fail(ErrorCode::kInternal, "{}: the shape of '{}' is not known", label(), node_.input(input));
  return entry->second;
}

const Shape& NodeFlow::out_shape(std::size_t output) const { return flow_.trace_.shapes.at(node_.output(output)); }

std::optional<std::vector<std::int64_t>> NodeFlow::integers(std::size_t input) const {
  const std::string& name = node_.input(input);
  if (name.empty()) return std::nullopt;
  if (const Tensor stored = flow_.constants_.stored(name); !stored.empty()) return stored.to_int64s();
  if (const auto seen = flow_.trace_.contents.find(name); seen != flow_.trace_.contents.end())
    return seen->second.to_int64s();
  return std::nullopt;
}

Labels NodeFlow::labels(std::size_t input) const {
  if (const auto entry = flow_.labels_.find(node_.input(input)); entry != flow_.labels_.end()) return entry->second;
  const auto shape = flow_.trace_.shapes.find(node_.input(input));
  return no_labels(shape == flow_.trace_.shapes.end() ? 0 : static_cast<std::int64_t>(shape->second.size()));
}

void NodeFlow::set(std::size_t output, Labels labels) {
  const std::string& name = node_.output(output);
  if (name.empty() || labels.none()) return;
  if (flow_.labels_.emplace(name, compress(std::move(labels))).second) flow_.labelled_.push_back(name);
}

std::string NodeFlow::reason(std::string_view why) const { return fmt::format("{}: {}", label(), why); }

void NodeFlow::freeze(const Labels& labels, std::string_view why) {
  const std::string text = reason(why);
  for (const Unit unit : labels.units) flow_.units_.freeze(unit, text);
}

void NodeFlow::freeze_inputs(std::string_view why) {
  for (std::size_t i = 0; i < node_.inputs.size(); ++i) freeze(labels(i), why);
}

void NodeFlow::tie(const Labels& a, const Labels& b, std::string_view why) {
  const std::string text = reason(why);
  for (std::size_t i = 0; i < a.units.size(); ++i) flow_.units_.tie(a.units[i], b.units[i], text);
}

Labels NodeFlow::mix(Labels labels, std::int64_t axis, std::string_view why) {
  if (!labels.varies(axis)) return labels;
  if (labels.axes().size() == 1) freeze(labels, why);
  const std::string text = reason(why);
  for_each_line(labels.shape, axis, [&](const std::vector<std::size_t>& line) {
    for (const std::size_t i : line) flow_.units_.tie(labels.units[line[0]], labels.units[i], text);
  });
  return take(labels, axis, std::vector<std::int64_t>{0});
}

Labels NodeFlow::only_axis(Labels labels, std::int64_t axis, std::string_view why) {
  for (const std::int64_t other : labels.axes())
    if (other != axis) labels = mix(std::move(labels), other, why);
  return labels;
}

std::vector<Unit> NodeFlow::along(const Labels& labels, std::int64_t axis, std::int64_t size) {
  return expand_axis(labels, axis, size).units;
}

std::vector<Unit> NodeFlow::produce(std::int64_t count) {
  const Unit first = flow_.units_.add(count);
  std::vector<Unit> units(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < units.size(); ++i) units[i] = first + static_cast<Unit>(i);
  return units;
}

void NodeFlow::add_layer(LayerUnits layer, std::string_view weight) {
  layer.node = index_;
  // A weight that several nodes share is one decision.
  if (const auto known = flow_.layer_of_weight_.find(weight); known != flow_.layer_of_weight_.end()) {
    const LayerUnits& first = flow_.layers_[known->second];
    const std::string text = reason("it shares its weights with " +
                                    node_label(flow_.graph_.nodes[static_cast<std::size_t>(first.node)], first.node));
    const bool same = first.inputs.size() == layer.inputs.size() && first.outputs.size() == layer.outputs.size();
    for (std::size_t i = 0; same && i < layer.inputs.size(); ++i)
      flow_.units_.tie(first.inputs[i], layer.inputs[i], text);
    for (std::size_t i = 0; same && i < layer.outputs.size(); ++i)
      flow_.units_.tie(first.outputs[i], layer.outputs[i], text);
  }
  flow_.layer_of_weight_.emplace(weight, flow_.layers_.size());
  flow_.layers_.push_back(std::move(layer));
}

void NodeFlow::add_consumer(std::size_t input, const Labels& labels) {
  if (!labels.none()) flow_.consumers_.push_back({index_, input, labels});
}

void NodeFlow::add_balance(std::vector<Unit> units, std::int64_t blocks, std::string_view why) {
  flow_.balances_.push_back({std::move(units), blocks, reason(why)});
}

}  // namespace pare
