// oracle.h - what a network without some channels must equal: the masked network, and, without trusting the mask, the
// network whose consumers have zeros for weights where they read those channels.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/random.h"
#include "pare/channels.h"
#include "pare/model_io.h"
#include "pare/session.h"
#include "support/support.h"

namespace pare::testing {

/// Random inputs, floats in [-1, 1).
inline NamedTensors inputs_of(const Model& model, std::int64_t batch, std::uint64_t seed = 3) {
  NamedTensors inputs = random_inputs(model.graph.inputs, {.batch = batch, .image_size = 16, .seed = seed});
  for (auto& [name, tensor] : inputs) {
    if (tensor.dtype() != DType::kFloat32) continue;
    std::vector<float> values = tensor.to_floats();
    for (float& value : values) value = 2 * value - 1;
    tensor = Tensor::of<float>(tensor.shape(), values);
  }
  return inputs;
}

/// Elements of all constants; weights that the graph computes are none.
inline std::int64_t weight_count(const Model& model) {
  std::int64_t count = 0;
  for (const Node& node : model.graph.nodes)
    if (node.is("Constant") && !model.graph.constant(node.output(0)).empty())
      count += model.graph.constant(node.output(0)).element_count();
  for (const Initializers::Entry& entry : model.graph.initializers) count += entry.tensor.element_count();
  return count;
}

/// The elements of float32 `tensor` at the places `kept` of `axis`.
inline Tensor gather(const Tensor& tensor, std::size_t axis, const std::vector<std::int64_t>& kept) {
  Shape shape = tensor.shape();
  std::int64_t outer = 1, inner = 1;
  for (std::size_t i = 0; i < shape.size(); ++i) (i < axis ? outer : inner) *= i == axis ? 1 : shape[i];
  const std::vector<float> from = tensor.to_floats();
  std::vector<float> to;
  for (std::int64_t o = 0; o < outer; ++o)
    for (const std::int64_t k : kept) {
      const auto start = from.begin() + (o * shape.at(axis) + k) * inner;
      to.insert(to.end(), start, start + inner);
    }
  shape.at(axis) = static_cast<std::int64_t>(kept.size());
  return Tensor::of<float>(shape, to);
}

/// Largest difference of float outputs as a share of the output's range; infinite where shapes or integers differ.
inline double largest_difference(const std::vector<Tensor>& expected, const std::vector<Tensor>& actual) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  if (expected.size() != actual.size()) return kInfinite;
  double worst = 0;
  for (std::size_t k = 0; k < expected.size(); ++k) {
    if (expected[k].shape() != actual[k].shape() || expected[k].dtype() != actual[k].dtype()) return kInfinite;
    if (!is_float(expected[k].dtype())) {
      if (!expected[k].same_as(actual[k])) return kInfinite;
      continue;
    }
    const std::vector<float> a = expected[k].to_floats(), b = actual[k].to_floats();
    double range = 0, difference = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) {
        range = std::max(range, std::isfinite(a[i]) ? std::abs(static_cast<double>(a[i])) : 0.0);
        continue;
      }
      if (!std::isfinite(a[i]) || !std::isfinite(b[i])) return kInfinite;
      range = std::max(range, std::abs(static_cast<double>(a[i])));
      difference = std::max(difference, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    }
    if (difference > 0) worst = std::max(worst, range > 0 ? difference / range : kInfinite);
  }
  return worst;
}

inline double largest_difference(const Model& expected, const Model& actual, const NamedTensors& inputs,
                                 bool optimize = true) {
  return largest_difference(open_session(expected)->run(inputs),
                            open_session(actual, {.optimize = optimize})->run(inputs));
}

/// The network with zeros in every consumer's weights where they meet one of the classes. What a consumer is and which
/// weights meet which class is taken from the flow, nothing else of it. Nothing where some product has no weights of
/// its own as its second factor.
inline std::optional<Model> zero_weights(const Model& model, const ChannelFlow& flow, const RemovedClasses& removed) {
  const std::unordered_set<ChannelClass> gone(removed.begin(), removed.end());
  const GraphIndex index(model.graph);
  for (const Node& node : model.graph.nodes)
    if ((node.is("MatMul") || node.is("Gemm")) && index.constant(node.input(1)).empty()) return std::nullopt;
  Model zeroed = model;
  NameGenerator names(zeroed.graph);
  for (const ChannelLayer& layer : flow.layers) {
    Node& node = zeroed.graph.nodes.at(static_cast<std::size_t>(layer.node));
    const Tensor weight = index.constant(node.input(1));
    if (layer.depthwise || weight.rank() < 2 || weight.dtype() != DType::kFloat32) continue;
    const Shape& shape = weight.shape();
    const auto channels = static_cast<std::int64_t>(layer.inputs.size());
    const bool matrix = node.is("Gemm") || node.is("MatMul");
    if (matrix && (weight.rank() != 2 || node.int_or("transA", 0) != 0)) return std::nullopt;
    const bool rows = node.is("ConvTranspose") || (matrix && node.int_or("transB", 0) == 0);
    const std::int64_t groups = matrix ? 1 : node.int_or("group", 1), block = channels / groups;
    if (shape[rows ? 0 : 1] != (rows ? channels : block)) throw std::runtime_error("inputs of " + layer.label);
    std::vector<float> values = weight.to_floats();
    const std::int64_t inner = weight.element_count() / (shape[0] * shape[1]);
    for (std::int64_t i = 0; i < shape[0]; ++i)
      for (std::int64_t j = 0; j < shape[1]; ++j) {
        const std::int64_t channel = rows ? i : i / (shape[0] / groups) * block + j;
        if (gone.contains(layer.inputs[static_cast<std::size_t>(channel)]))
          std::fill_n(values.begin() + (i * shape[1] + j) * inner, inner, 0.0F);
      }
    node.inputs[1] = names.fresh(node.input(1) + "_zeroed");
    zeroed.graph.initializers.set(node.inputs[1], Tensor::of<float>(shape, values));
  }
  return zeroed;
}

/// Both oracles at two batch sizes where the inputs allow it, with the runtime's optimizations on and off.
inline void expect_proved(const Model& model, const ChannelFlow& flow, const RemovedClasses& removed,
                          const Model& after, double tolerance = 1e-5) {
  EXPECT_NO_THROW(check_model(after)) << model_to_text(after).substr(0, 4000);
  ASSERT_EQ(after.graph.inputs.size(), model.graph.inputs.size());
  ASSERT_EQ(after.graph.outputs.size(), model.graph.outputs.size());
  for (std::size_t i = 0; i < model.graph.outputs.size(); ++i) {
    EXPECT_EQ(after.graph.outputs[i].name, model.graph.outputs[i].name);
    EXPECT_EQ(after.graph.outputs[i].shape, model.graph.outputs[i].shape);
  }
  Model masked;
  std::optional<Model> zeroed;
  ASSERT_NO_THROW(masked = mask_channels(model, flow, removed));
  ASSERT_NO_THROW(zeroed = zero_weights(model, flow, removed));
  for (const std::int64_t batch : {1, 3}) {
    SCOPED_TRACE("batch " + std::to_string(batch));
    if (batch > 1 && fixed_batch(model.graph.inputs)) continue;
    const NamedTensors inputs = inputs_of(model, batch, 10 + static_cast<std::uint64_t>(batch));
    if (zeroed) {
      EXPECT_LE(largest_difference(*zeroed, masked, inputs), tolerance) << "the mask against zeros in the consumers";
    }
    EXPECT_LE(largest_difference(masked, after, inputs), tolerance) << "the cut against the mask";
    EXPECT_LE(largest_difference(masked, after, inputs, false), tolerance) << "the same without optimizations";
  }
}

}  // namespace pare::testing
