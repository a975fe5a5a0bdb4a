// small_flow.h - channel flows for the tests of this folder: a plain follower of channels through simple networks, and
// made-up flows.
#pragma once

#include <functional>
#include <map>
#include <numeric>
#include <set>

#include "budget/curve.h"
#include "core/random.h"
#include "ops/macs.h"
#include "pare/channels.h"
#include "support/support.h"

namespace pare::testing {

/// Conv, ConvTranspose, Gemm, MatMul; element by element operators, pooling, Flatten, Concat along channels. Whatever
/// else reads a value fixes its channels.
class SmallFlow {
 public:
  static ChannelFlow of(const Model& model) { return SmallFlow(model).run(); }

 private:
  using Labels = std::vector<int>;
  explicit SmallFlow(const Model& model) : model_(model), graph_(model.graph), index_(model.graph) {}

  int find(int a) {
    while (parent_[static_cast<std::size_t>(a)] != a) a = parent_[static_cast<std::size_t>(a)];
    return a;
  }
  void join(int a, int b) {
    a = find(a), b = find(b);
    parent_[static_cast<std::size_t>(std::max(a, b))] = std::min(a, b);
  }
  int fresh() {
    parent_.push_back(static_cast<int>(parent_.size()));
    return parent_.back();
  }
  void fix(const Labels& labels) {
    for (const int label : labels) join(label, 0);
  }
  const Shape& shape(const std::string& value) { return flow_.trace->shapes.at(value); }
  Tensor constant(const std::string& value) { return index_.constant(value); }
  Labels& labels(const std::string& value) {
    auto [at, added] = labels_.try_emplace(value);
    if (added && shape(value).size() > 1) at->second.assign(static_cast<std::size_t>(shape(value)[1]), 0);
    return at->second;
  }

  void layer(const Node& node, std::int64_t index) {
    ChannelLayer layer;
    layer.node = index;
    layer.label = node_label(node, index);
    layer.groups = node.int_or("group", 1);
    Labels in = labels(node.input(0)), out;
    const auto channels = static_cast<std::size_t>(shape(node.output(0))[1]);
    layer.depthwise = layer.groups > 1 && layer.groups == static_cast<std::int64_t>(in.size());
    for (std::size_t o = 0; o < channels; ++o)
      out.push_back(layer.depthwise ? in[o / (channels / in.size())] : fresh());
    if (!layer.depthwise && layer.groups > 1)
      for (Labels* side : {&in, &out}) {
        const std::size_t size = side->size() / static_cast<std::size_t>(layer.groups);
        for (std::size_t i = size; i < side->size(); ++i) join((*side)[i], (*side)[i % size]);
      }
    labels_[node.output(0)] = out;
    sides_.push_back({in, out});
    flow_.layers.push_back(std::move(layer));
  }

  void node(const Node& node, std::int64_t index) {
    static const std::set<std::string> kPass = {
        "Relu",  "Clip",    "BatchNormalization", "MaxPool",    "AveragePool", "Add", "Mul", "Sub", "GlobalAveragePool",
        "PRelu", "Sigmoid", "Identity",           "HardSigmoid"};
    if (const auto product = product_inputs(node); product && !constant(node.input(product->weight)).empty())
      return layer(node, index);
    std::vector<std::string> data;
    for (const std::string& input : node.inputs)
      if (!input.empty() && constant(input).empty()) data.push_back(input);
    if (data.empty()) return;
    const std::string& output = node.output(0);
    if (kPass.contains(node.op_type)) {
      labels_[output] = labels(data[0]);
      for (const std::string& other : data)
        for (std::size_t i = 0; i < labels(other).size(); ++i) join(labels(other)[i], labels_[output][i]);
    } else if (node.is("Concat") && node.int_or("axis", 1) == 1) {
      Labels all;
      for (const std::string& input : data) all.insert(all.end(), labels(input).begin(), labels(input).end());
      labels_[output] = all;
    } else if (node.is("Flatten")) {
      const Labels in = labels(data[0]);
      const std::size_t times = static_cast<std::size_t>(shape(output)[1]) / in.size();
      Labels all;
      for (const int label : in) all.insert(all.end(), times, label);
      labels_[output] = all;
    } else {
      for (const std::string& input : data) fix(labels(input));
    }
  }

  ChannelFlow run() {
    fresh();  // 0: fixed
    flow_.trace = std::make_shared<Trace>(trace_model(model_, probe_inputs(model_)));
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) node(graph_.nodes[i], static_cast<std::int64_t>(i));
    for (const ValueInfo& output : graph_.outputs) fix(labels(output.name));
    std::map<int, std::set<std::int64_t>> makers;  // by class: layers that make it
    for (std::size_t l = 0; l < sides_.size(); ++l)
      if (!flow_.layers[l].depthwise)
        for (const int label : sides_[l].second)
          if (find(label) != 0) makers[find(label)].insert(static_cast<std::int64_t>(l));
    std::map<std::set<std::int64_t>, std::int64_t> group_of;
    std::map<int, ChannelClass> class_of;
    for (std::size_t l = 0; l < sides_.size(); ++l)
      for (const int label : sides_[l].second) {
        const int root = find(label);
        if (root == 0 || class_of.contains(root)) continue;
        const auto [at, added] = group_of.try_emplace(makers[root], static_cast<std::int64_t>(flow_.groups.size()));
        if (added) {
          ChannelGroup& group = flow_.groups.emplace_back();
          group.name = flow_.layers[l].label;
          group.producers = {makers[root].begin(), makers[root].end()};
        }
        class_of[root] = static_cast<ChannelClass>(flow_.group_of_class.size());
        flow_.groups[static_cast<std::size_t>(at->second)].classes.push_back(class_of[root]);
        flow_.group_of_class.push_back(static_cast<std::int32_t>(at->second));
      }
    const auto classes = [&](const Labels& labels) {
      std::vector<ChannelClass> result;
      for (const int label : labels) result.push_back(find(label) == 0 ? kFixedChannel : class_of.at(find(label)));
      return result;
    };
    for (std::size_t l = 0; l < sides_.size(); ++l) {
      flow_.layers[l].inputs = classes(sides_[l].first);
      flow_.layers[l].outputs = classes(sides_[l].second);
      std::set<std::int32_t> read;
      for (const ChannelClass channel : flow_.layers[l].inputs)
        if (channel >= 0 && !flow_.layers[l].depthwise)
          read.insert(flow_.group_of_class[static_cast<std::size_t>(channel)]);
      for (const std::int32_t group : read)
        flow_.groups[static_cast<std::size_t>(group)].consumers.push_back(static_cast<std::int64_t>(l));
    }
    for (ChannelGroup& group : flow_.groups)
      for (const ChannelClass channel : flow_.layers[static_cast<std::size_t>(group.producers[0])].outputs)
        if (channel >= 0 && std::find(group.classes.begin(), group.classes.end(), channel) != group.classes.end())
          ++group.channels;
    return std::move(flow_);
  }

  const Model& model_;
  const Graph& graph_;
  GraphIndex index_;
  ChannelFlow flow_;
  std::vector<int> parent_;
  std::map<std::string, Labels> labels_;
  std::vector<std::pair<Labels, Labels>> sides_;
};

/// A chain of layers of these widths, the first and the last of fixed channels; one group for each width between.
inline ChannelFlow chain_flow(const std::vector<std::int64_t>& widths) {
  ChannelFlow flow;
  std::vector<ChannelClass> inputs(3, kFixedChannel);
  for (std::size_t i = 0; i <= widths.size(); ++i) {
    ChannelLayer layer;
    layer.node = static_cast<std::int64_t>(i);
    layer.label = "layer" + std::to_string(i);
    layer.inputs = inputs;
    if (i == widths.size()) {
      layer.outputs.assign(10, kFixedChannel);
    } else {
      ChannelGroup group;
      group.name = layer.label;
      group.producers = {layer.node};
      group.consumers = {layer.node + 1};
      for (std::int64_t c = 0; c < widths[i]; ++c) {
        group.classes.push_back(static_cast<ChannelClass>(flow.group_of_class.size()));
        flow.group_of_class.push_back(static_cast<std::int32_t>(i));
      }
      group.channels = widths[i];
      layer.outputs = inputs = group.classes;
      flow.groups.push_back(std::move(group));
    }
    flow.layers.push_back(std::move(layer));
  }
  return flow;
}

/// Convex, random.
inline std::vector<ErrorCurve> random_curves(const ChannelFlow& flow, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<ErrorCurve> curves;
  for (std::size_t g = 0; g < flow.groups.size(); ++g) {
    if (flow.groups[g].classes.size() < 2) continue;
    ErrorCurve curve{.group = static_cast<std::int64_t>(g), .order = flow.groups[g].classes, .error = {0}};
    curve.order.pop_back();
    std::vector<double> steps;
    const double scale = rng.uniform(0.1, 3);
    for (std::size_t i = 0; i < curve.order.size(); ++i) steps.push_back(scale * rng.uniform());
    std::sort(steps.begin(), steps.end());
    for (const double step : steps) curve.error.push_back(curve.error.back() + step);
    curves.push_back(std::move(curve));
  }
  return curves;
}

}  // namespace pare::testing
