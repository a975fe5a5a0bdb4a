#include "train/torch/added_norms.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "core/fail.h"
#include "ops/weight_layer.h"
#include "train/lower/torch_tensor.h"
#include "train/torch/executor.h"
#include "train/torch/objective.h"

namespace pare {
namespace {

constexpr float kEpsilon = 1e-5F;
constexpr std::int64_t kImages = 1024, kBatch = 64;

/// Layers from which an output is reached without passing another one.
std::set<std::int64_t> last_layers(const Graph& graph, const GraphIndex& index) {
  std::set<std::int64_t> last, seen;
  std::vector<std::string> open;
  for (const ValueInfo& output : graph.outputs) open.push_back(output.name);
  while (!open.empty()) {
    const std::int64_t at = index.producer(open.back());
    open.pop_back();
    if (at < 0 || !seen.insert(at).second) continue;
    const Node& node = graph.nodes[static_cast<std::size_t>(at)];
    if (is_weight_layer(node))
      last.insert(at);
    else
      open.insert(open.end(), node.inputs.begin(), node.inputs.end());
  }
  return last;
}

bool is_private_weight(const Graph& graph, const GraphIndex& index, const std::string& name) {
  const Tensor* tensor = graph.initializers.find(name);
  return tensor != nullptr && tensor->dtype() == DType::kFloat32 && index.uses(name).size() == 1 &&
         index.uses(name).front().input >= 0;
}

/// Convolutions that may get one, by node.
std::vector<std::int64_t> places(const Graph& graph) {
  const GraphIndex index(graph);
  const std::set<std::int64_t> last = last_layers(graph, index);
  std::vector<std::int64_t> found;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (!node.is("Conv") || last.contains(static_cast<std::int64_t>(i))) continue;
    if (!is_private_weight(graph, index, node.input(1))) continue;
    if (!node.input(2).empty() && !is_private_weight(graph, index, node.input(2))) continue;
    found.push_back(static_cast<std::int64_t>(i));
  }
  return found;
}

/// Sums by channel of what a convolution gives, its bias left out.
struct ChannelSums {
  at::Tensor sum, squares;
  std::int64_t values = 0, pixels = 0;

  void add(const at::Tensor& output) {
    const std::vector<std::int64_t> others =
        output.dim() == 4 ? std::vector<std::int64_t>{0, 2, 3} : std::vector<std::int64_t>{0, 2};
    const at::Tensor plain = output.to(at::kDouble);
    sum = sum.defined() ? sum + plain.sum(others) : plain.sum(others);
    squares = squares.defined() ? squares + plain.square().sum(others) : plain.square().sum(others);
    values += output.numel() / output.size(1);
    pixels = output.numel() / output.size(0) / output.size(1);
  }
};

std::vector<double> doubles_of(const at::Tensor& tensor) {
  const at::Tensor plain = tensor.contiguous();
  return {plain.data_ptr<double>(), plain.data_ptr<double>() + plain.numel()};
}

/// A stored vector, as it is after training.
std::vector<double> doubles_of(const Tensor* tensor) {
  const std::vector<float> floats = tensor->to_floats();
  return {floats.begin(), floats.end()};
}

Tensor floats_of(const std::vector<double>& values) {
  return Tensor::of<float>({static_cast<std::int64_t>(values.size())},
                           std::vector<float>(values.begin(), values.end()));
}

}  // namespace

bool has_batchnorm(const Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(),
                     [](const Node& node) { return node.is("BatchNormalization"); });
}

AddedNorms::AddedNorms(const Model& student, const Dataset& data, std::uint64_t seed) {
  const Graph& graph = student.graph;
  const std::vector<std::int64_t> nodes = places(graph);
  std::vector<std::string> values;
  for (const std::int64_t i : nodes) values.push_back(graph.nodes[static_cast<std::size_t>(i)].output(0));
  if (values.empty()) return;
  Executor executor(student, {.trainable = false, .results = values});
  std::vector<ChannelSums> sums(values.size());
  const c10::NoGradGuard no_gradient;
  const auto sample = subset(std::shared_ptr<const Dataset>(&data, [](const Dataset*) {}),
                             sample_indices(data.size(), std::min(kImages, data.size()), seed));
  BatchReader reader(*sample, kBatch, 1);
  while (const std::optional<Batch> batch = reader.next()) {
    const std::vector<at::Tensor> outputs = executor.run(to_torch_batch(*batch).inputs, {});
    for (std::size_t i = 0; i < outputs.size(); ++i) sums[i].add(outputs[i]);
  }
  NameGenerator names(graph);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (sums[i].pixels < 2) continue;
    const Node& node = graph.nodes[static_cast<std::size_t>(nodes[i])];
    const at::Tensor mean = sums[i].sum / static_cast<double>(sums[i].values);
    const at::Tensor variance = at::clamp_min(sums[i].squares / static_cast<double>(sums[i].values) - mean * mean, 0);
    at::Tensor without_bias = mean;
    if (!node.input(2).empty()) without_bias = mean - to_torch(*graph.initializers.find(node.input(2))).to(at::kDouble);
    const std::string base = node.output(0) + "_norm_";
    norms_.push_back({.weight = node.input(1),
                      .bias = node.input(2),
                      .output = node.output(0),
                      .scale = names.fresh(base + "scale"),
                      .shift = names.fresh(base + "shift"),
                      .mean = names.fresh(base + "mean"),
                      .variance = names.fresh(base + "variance")});
    starts_.push_back({doubles_of(without_bias), doubles_of(variance)});
  }
}

Model AddedNorms::with(const Model& student) const {
  Model out = student;
  NameGenerator names(student.graph);
  out.graph.nodes.clear();
  for (Node node : student.graph.nodes) {
    const auto found = std::find_if(norms_.begin(), norms_.end(),
                                    [&](const AddedNorm& norm) { return norm.output == node.output(0); });
    if (found == norms_.end()) {
      out.graph.nodes.push_back(std::move(node));
      continue;
    }
    const Start& start = starts_[static_cast<std::size_t>(found - norms_.begin())];
    std::vector<double> scale, shift = start.mean;
    for (const double variance : start.variance) scale.push_back(std::sqrt(variance + static_cast<double>(kEpsilon)));
    if (!found->bias.empty()) {
      const std::vector<float> bias = student.graph.initializers.find(found->bias)->to_floats();
      for (std::size_t c = 0; c < shift.size(); ++c) shift[c] += static_cast<double>(bias[c]);
    }
    out.graph.initializers.set(found->scale, floats_of(scale));
    out.graph.initializers.set(found->shift, floats_of(shift));
    out.graph.initializers.set(found->mean, floats_of(start.mean));
    out.graph.initializers.set(found->variance, floats_of(start.variance));
    node.inputs.resize(2);
    node.outputs[0] = names.fresh(found->output + "_before_norm");
    Node norm;
    norm.op_type = "BatchNormalization";
    norm.inputs = {node.output(0), found->scale, found->shift, found->mean, found->variance};
    norm.outputs = {found->output};
    norm.set_attribute("epsilon", kEpsilon);
    out.graph.nodes.push_back(std::move(node));
    out.graph.nodes.push_back(std::move(norm));
  }
  return out;
}

Model AddedNorms::without(const Model& trained) const {
  Model out = trained;
  NameGenerator names(trained.graph);
  std::vector<Node> kept;
  for (Node& node : out.graph.nodes) {
    const auto found = std::find_if(norms_.begin(), norms_.end(),
                                    [&](const AddedNorm& norm) { return norm.output == node.output(0); });
    if (found == norms_.end()) {
      kept.push_back(std::move(node));
      continue;
    }
    Initializers& stored = out.graph.initializers;
    const std::vector<double> scale = doubles_of(stored.find(found->scale)),
                              shift = doubles_of(stored.find(found->shift)),
                              mean = doubles_of(stored.find(found->mean)),
                              variance = doubles_of(stored.find(found->variance));
    const Tensor weight = *stored.find(found->weight);
    std::vector<float> weights = weight.to_floats();
    std::vector<double> bias(scale.size());
    const std::size_t each = weights.size() / scale.size();
    for (std::size_t c = 0; c < scale.size(); ++c) {
      const double factor = scale[c] / std::sqrt(variance[c] + static_cast<double>(kEpsilon));
      for (std::size_t i = c * each; i < (c + 1) * each; ++i) {
        weights[i] = static_cast<float>(factor * static_cast<double>(weights[i]));
        if (std::abs(weights[i]) < std::numeric_limits<float>::min()) weights[i] = 0;  // subnormal (pitfall A35)
      }
      bias[c] = shift[c] - factor * mean[c];
    }
    Node& convolution = kept.back();
    const std::string bias_name = found->bias.empty() ? names.fresh(found->weight + "_bias") : found->bias;
    convolution.inputs.resize(2);
    convolution.inputs.push_back(bias_name);
    convolution.outputs[0] = found->output;
    stored.set(found->weight, Tensor::of<float>(weight.shape(), weights));
    stored.set(bias_name, floats_of(bias));
    for (const std::string& name : {found->scale, found->shift, found->mean, found->variance}) stored.remove(name);
  }
  out.graph.nodes = std::move(kept);
  return out;
}

}  // namespace pare
