#include "train/torch/target_scale.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <array>

#include "core/fail.h"
#include "pare/tensor.h"

namespace pare {
namespace {

constexpr std::array<std::string_view, 6> kShapes = {"Identity",  "Reshape", "Squeeze",
                                                     "Unsqueeze", "Flatten", "Transpose"};

at::Tensor parameter(const Executor& executor, const GraphIndex& index, const std::string& name) {
  if (name.empty() || index.uses(name).size() != 1) return {};
  for (const TrainedTensor& one : executor.parameters())
    if (one.name == name) return one.tensor;
  return {};
}

/// [values, channels] or [values, 1] in double.
at::Tensor columns(const at::Tensor& values, bool by_channel) {
  const at::Tensor wide = values.to(at::kDouble);
  return by_channel ? wide.movedim(1, -1).reshape({-1, values.size(1)}) : wide.reshape({-1, 1});
}

at::Tensor deviation_of(const at::Tensor& sum, const at::Tensor& squared, const at::Tensor& count) {
  const at::Tensor mean = sum / count, variance = squared / count - mean.square();
  // Below what float32 can tell apart next to the mean: all are equal.
  const at::Tensor least = mean.square() * 1e-12 + 1e-60;
  return at::where(variance.gt(least), variance.clamp_min(0).sqrt(), at::ones_like(variance)).to(at::kFloat);
}

at::Tensor root_of(const at::Tensor& squared, const at::Tensor& count) {
  const at::Tensor mean = squared / count;
  return at::where(mean.gt(0), mean.sqrt(), at::ones_like(mean)).to(at::kFloat);
}

}  // namespace

std::optional<OutputLayer> find_output_layer(const Graph& graph, const std::string& output, const Executor& executor) {
  const GraphIndex index(graph);
  const auto producer = [&](const std::string& value) -> const Node* {
    const std::int64_t at = index.producer(value);
    return at < 0 ? nullptr : &graph.nodes[static_cast<std::size_t>(at)];
  };
  const Node* node = producer(output);
  bool direct = true;
  if (!index.uses(output).empty()) return std::nullopt;  // read by others too
  const auto step = [&](const std::string& value) {
    node = index.sole_consumer(value) < 0 ? nullptr : producer(value);
  };
  while (node != nullptr && std::find(kShapes.begin(), kShapes.end(), node->op_type) != kShapes.end()) {
    direct = direct && node->is("Identity");
    step(node->input(0));
  }
  OutputLayer layer;
  if (node != nullptr && node->is("Add")) {
    const std::size_t product = producer(node->input(0)) != nullptr ? 0 : 1;
    layer.bias = parameter(executor, index, node->input(1 - product));
    if (!layer.bias.defined()) return std::nullopt;
    step(node->input(product));
    if (node == nullptr || !node->input(2).empty()) return std::nullopt;  // two biases
  }
  if (node == nullptr) return std::nullopt;
  const bool convolution = node->is("Conv"), gemm = node->is("Gemm"), matrix = node->is("MatMul");
  if (!convolution && !gemm && !matrix && !node->is("ConvTranspose")) return std::nullopt;
  layer.weight = parameter(executor, index, node->input(1));
  if (!layer.weight.defined()) return std::nullopt;
  if (!node->input(2).empty()) {
    layer.bias = parameter(executor, index, node->input(2));
    if (!layer.bias.defined() || (gemm && node->float_or("beta", 1) != 1)) return std::nullopt;
  }
  layer.axis = convolution ? 0 : gemm ? (node->int_or("transB", 0) != 0 ? 0 : 1) : matrix ? layer.weight.dim() - 1 : -1;
  if (layer.axis >= 0) layer.channels = layer.weight.size(layer.axis);
  const bool flat = gemm || (matrix && layer.weight.dim() == 2);
  const bool bias_fits = !layer.bias.defined() || layer.bias.numel() == layer.channels;
  layer.by_channel = direct && layer.channels > 1 && bias_fits && (convolution || flat);
  // A matrix product of higher rank has its outputs last, not on dimension 1.
  if (matrix && layer.by_channel) {
    const auto declared = std::find_if(graph.outputs.begin(), graph.outputs.end(),
                                       [&](const ValueInfo& info) { return info.name == output; });
    layer.by_channel = declared != graph.outputs.end() && declared->shape && declared->shape->size() == 2;
  }
  return layer;
}

void TargetSums::add(const at::Tensor& output, const at::Tensor& target, bool by_channel) {
  if (output.numel() != target.numel())
    fail(ErrorCode::kInvalidArgument, "the network gives {}, the targets are {}", shape_text(output.sizes().vec()),
         shape_text(target.sizes().vec()));
  const at::Tensor wanted = columns(target, by_channel);
  const at::Tensor given = columns(output.reshape(target.sizes()), by_channel);
  const at::Tensor valid = at::isfinite(wanted), none = at::zeros_like(wanted);
  const at::Tensor t = at::where(valid, wanted, none), o = at::where(valid, given, none);
  if (!count_.defined()) {
    count_ = at::zeros({wanted.size(1)}, wanted.options());
    for (at::Tensor* sum : {&target_, &target_squared_, &output_, &output_squared_, &error_squared_})
      *sum = at::zeros_like(count_);
  }
  count_ += valid.sum(0);
  target_ += t.sum(0);
  target_squared_ += t.square().sum(0);
  output_ += o.sum(0);
  output_squared_ += o.square().sum(0);
  error_squared_ += (o - t).square().sum(0);
}

bool TargetSums::empty() const { return !count_.defined() || count_.min().item<double>() < 1; }
at::Tensor TargetSums::mean() const { return (target_ / count_).to(at::kFloat); }
at::Tensor TargetSums::deviation() const { return deviation_of(target_, target_squared_, count_); }
at::Tensor TargetSums::root_mean_square() const { return root_of(target_squared_, count_); }
at::Tensor TargetSums::output_mean() const { return (output_ / count_).to(at::kFloat); }
at::Tensor TargetSums::output_deviation() const { return deviation_of(output_, output_squared_, count_); }
at::Tensor TargetSums::output_root_mean_square() const { return root_of(output_squared_, count_); }

double TargetSums::r2() const {
  const at::Tensor spread = deviation().to(at::kDouble).square() * count_;
  return 1 - (error_squared_ / spread).mean().item<double>();
}

at::Tensor TargetScale::normalized(const at::Tensor& values) const {
  if (!defined()) return values;
  std::vector<std::int64_t> shape(static_cast<std::size_t>(values.dim()), 1);
  if (mean.numel() > 1) shape[1] = mean.numel();
  return (values.to(at::kFloat) - mean.reshape(shape)) / deviation.reshape(shape);
}

void rescale(const OutputLayer& layer, const at::Tensor& factor, const at::Tensor& shift) {
  const c10::NoGradGuard no_gradient;
  const auto along = [&](const at::Tensor& values, const at::Tensor& like, std::int64_t axis) {
    if (values.numel() == 1) return values.reshape({});
    std::vector<std::int64_t> shape(static_cast<std::size_t>(like.dim()), 1);
    shape[static_cast<std::size_t>(axis)] = values.numel();
    return values.reshape(shape);
  };
  layer.weight.mul_(along(factor, layer.weight, layer.axis));
  if (!layer.bias.defined()) return;
  const auto as_bias = [&](const at::Tensor& values) {
    return values.numel() == 1 ? values.reshape({}) : values.reshape(layer.bias.sizes());
  };
  layer.bias.mul_(as_bias(factor)).add_(as_bias(shift));
}

}  // namespace pare
