// Conv, ConvTranspose, Gemm, MatMul: channels end and begin here.
#include <algorithm>

#include "channels/cutter.h"
#include "channels/rules.h"
#include "core/fail.h"

namespace pare {
namespace {

constexpr const char* kComputedWeights = "its weights are computed from data";

bool is_transposed(const Node& node) { return node.op_type == "ConvTranspose"; }

/// FusedConv adds a fourth input to what it makes.
Labels add_fused_input(NodeFlow& flow, Labels made) {
  if (flow.node().op_type != "FusedConv" || !flow.has_input(3)) return made;
  if (flow.is_constant(3)) {
    follow_output(flow, 3);
    return made;
  }
  return join_operands(flow, {{std::move(made), flow.out_shape()}, {flow.labels(3), flow.shape(3)}}, flow.out_shape());
}

void edit_plain(NodeFlow& flow, const LayerUnits& layer, std::int64_t out_axis) {
  flow.edit([node = flow.index(), inputs = layer.inputs, outputs = layer.outputs, out_axis](Cutter& cutter) {
    cutter.cut_constant(node, 1, out_axis, cutter.kept(outputs));
    cutter.cut_constant(node, 1, 1 - out_axis, cutter.kept(inputs));
  });
}

void edit_depthwise(NodeFlow& flow, const LayerUnits& layer) {
  const bool transposed = is_transposed(flow.node());
  flow.edit([node = flow.index(), inputs = layer.inputs, outputs = layer.outputs, transposed](Cutter& cutter) {
    cutter.cut_constant(node, 1, 0, cutter.kept(transposed ? inputs : outputs));
    cutter.node(node).set_attribute("group", static_cast<std::int64_t>(cutter.kept(inputs).size()));
  });
}

void edit_grouped(NodeFlow& flow, const LayerUnits& layer) {
  const bool transposed = is_transposed(flow.node());
  flow.edit([node = flow.index(), layer, transposed](Cutter& cutter) {
    const auto& rows = transposed ? layer.inputs : layer.outputs;
    const auto& columns = transposed ? layer.outputs : layer.inputs;
    cutter.cut_grouped(node, 1, layer.groups, cutter.kept(rows), cutter.kept(columns));
  });
}

void edit_bias(NodeFlow& flow, std::size_t input, const std::vector<Unit>& outputs) {
  if (!flow.has_input(input)) return;
  flow.edit([node = flow.index(), input, outputs](Cutter& cutter) {
    cutter.cut_constant(node, input, 0, cutter.kept(outputs));
  });
}

/// A product without constant weights: what it sums over is tied, the rest passes.
void flow_data_product(NodeFlow& flow) {
  const Shape &a_shape = flow.shape(0), &b_shape = flow.shape(1), &out = flow.out_shape();
  const auto rank = static_cast<std::int64_t>(out.size());
  if (a_shape.size() < 2 || b_shape.size() < 2) return flow.freeze_inputs(kComputedWeights);
  const auto aligned = [&](Labels labels) {
    labels.shape.insert(labels.shape.begin(), static_cast<std::size_t>(rank - labels.rank()), 1);
    return labels;
  };
  const auto padded = [&](Shape shape) {
    shape.insert(shape.begin(), out.size() - shape.size(), 1);
    return shape;
  };
  Labels a = aligned(flow.labels(0)), b = aligned(flow.labels(1));
  Shape a_full = padded(a_shape), b_full = padded(b_shape);
  const std::int64_t summed = a_shape.back();
  const bool a_summed = a.varies(rank - 1), b_summed = b.varies(rank - 2);
  if (a_summed || b_summed) {
    constexpr const char* kSummed = "the two factors are summed over these channels";
    if (a_summed) a = flow.only_axis(std::move(a), rank - 1, kSummed);
    if (b_summed) b = flow.only_axis(std::move(b), rank - 2, kSummed);
    const std::vector<Unit> a_units = NodeFlow::along(a_summed ? a : no_labels(rank), rank - 1, summed);
    const std::vector<Unit> b_units = NodeFlow::along(b_summed ? b : no_labels(rank), rank - 2, summed);
    flow.tie({{summed}, a_units}, {{summed}, b_units}, kSummed);
    if (a_summed && b_summed) {
      Labels mask = flow.labels(0);
      mask = flow.only_axis(std::move(mask), mask.rank() - 1, kSummed);
      flow.add_consumer(0, mask);
    }
    if (a_summed) a = no_labels(rank);
    if (b_summed) b = no_labels(rank);
  }
  // What is left lies on axes of the output; the summed axis is one for both.
  a_full.back() = 1;
  b_full[b_full.size() - 2] = 1;
  flow.set(0, join_operands(flow, {{std::move(a), std::move(a_full)}, {std::move(b), std::move(b_full)}}, out));
}

}  // namespace

void flow_convolution(NodeFlow& flow) {
  if (!flow.is_constant(1) || flow.shape(0).size() < 3) return flow.freeze_inputs(kComputedWeights);
  const std::int64_t in_channels = flow.shape(0)[1], out_channels = flow.out_shape()[1];
  const auto rank = static_cast<std::int64_t>(flow.shape(0).size());
  LayerUnits layer;
  layer.groups = flow.node().int_or("group", 1);
  layer.depthwise = layer.groups > 1 && layer.groups == in_channels;
  const Labels data = flow.only_axis(flow.labels(0), 1, "its window mixes these elements");
  layer.inputs = NodeFlow::along(data, 1, in_channels);
  if (layer.depthwise) {
    const std::int64_t multiplier = out_channels / in_channels;
    for (std::int64_t i = 0; i < out_channels; ++i)
      layer.outputs.push_back(layer.inputs[static_cast<std::size_t>(i / multiplier)]);
    edit_depthwise(flow, layer);
  } else {
    layer.outputs = flow.produce(out_channels);
    flow.add_consumer(0, data);
    if (layer.groups == 1) {
      edit_plain(flow, layer, is_transposed(flow.node()) ? 1 : 0);
    } else {
      const std::string why = fmt::format("its {} groups must lose equally many channels", layer.groups);
      flow.add_balance(layer.inputs, layer.groups, why);
      flow.add_balance(layer.outputs, layer.groups, why);
      edit_grouped(flow, layer);
    }
  }
  edit_bias(flow, 2, layer.outputs);
  Labels made = labels_along(rank, 1, layer.outputs);
  flow.add_layer(std::move(layer), flow.node().input(1));
  flow.set(0, add_fused_input(flow, std::move(made)));
}

void flow_gemm(NodeFlow& flow) {
  if (!flow.is_constant(1) || flow.node().int_or("transA", 0) != 0)
    return flow.freeze_inputs(flow.is_constant(1) ? "its input is transposed" : kComputedWeights);
  const Shape& out = flow.out_shape();
  LayerUnits layer;
  const Labels data = flow.only_axis(flow.labels(0), 1, "it sums over these elements");
  layer.inputs = NodeFlow::along(data, 1, flow.shape(0)[1]);
  layer.outputs = flow.produce(out[1]);
  flow.add_consumer(0, data);
  edit_plain(flow, layer, flow.node().int_or("transB", 0) != 0 ? 0 : 1);
  Labels made = labels_along(2, 1, layer.outputs);
  flow.add_layer(std::move(layer), flow.node().input(1));
  if (flow.has_input(2)) {
    if (flow.is_constant(2))
      follow_output(flow, 2);
    else
      made = join_operands(flow, {{std::move(made), out}, {flow.labels(2), flow.shape(2)}}, out);
  }
  flow.set(0, std::move(made));
}

void flow_matmul(NodeFlow& flow) {
  const std::size_t weight = flow.is_constant(1) ? 1 : 0;
  if (!flow.is_constant(weight)) return flow_data_product(flow);
  const std::size_t side = 1 - weight;
  const Shape& shape = flow.shape(side);
  const Shape& out = flow.out_shape();
  const auto rank = static_cast<std::int64_t>(shape.size());
  const auto out_rank = static_cast<std::int64_t>(out.size());
  Labels data = flow.labels(side);
  if (flow.shape(weight).size() != 2 || rank < 2) return flow.freeze_inputs("its weights are no matrix");
  // x W sums over the last axis of x, W x over the one before.
  const std::int64_t axis = weight == 1 ? rank - 1 : rank - 2;
  if (!data.none() && !data.varies(axis) && !data.axes().empty()) {
    flow.set(0, std::move(data));  // other axes pass
    return;
  }
  data = flow.only_axis(std::move(data), axis, "it sums over these elements");
  LayerUnits layer;
  layer.inputs = NodeFlow::along(data, axis, shape[static_cast<std::size_t>(axis)]);
  const std::int64_t made_axis = weight == 1 ? out_rank - 1 : out_rank - 2;
  layer.outputs = flow.produce(out[static_cast<std::size_t>(made_axis)]);
  flow.add_consumer(side, data);
  flow.edit([node = flow.index(), weight, inputs = layer.inputs, outputs = layer.outputs](Cutter& cutter) {
    cutter.cut_constant(node, weight, weight == 1 ? 1 : 0, cutter.kept(outputs));
    cutter.cut_constant(node, weight, weight == 1 ? 0 : 1, cutter.kept(inputs));
  });
  Labels made = labels_along(out_rank, made_axis, layer.outputs);
  flow.add_layer(std::move(layer), flow.node().input(weight));
  flow.set(0, std::move(made));
}

}  // namespace pare
