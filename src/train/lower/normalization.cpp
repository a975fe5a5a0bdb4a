// BatchNormalization with running or batch statistics, and the normalizations without statistics.
#include "core/fail.h"
#include "train/lower/kernels.h"

namespace pare {
namespace {

TorchKernel make_batchnorm(const LowerInput& input) {
  if (input.node.int_or("training_mode", 0) != 0)
    fail(ErrorCode::kUnsupported, "a normalization that was exported in training mode\n  remedy: export for inference");
  if (input.node.int_or("spatial", 1) == 0) fail(ErrorCode::kUnsupported, "statistics of each pixel (spatial = 0)");
  const double epsilon = input.node.float_or("epsilon", 1e-5F);
  const double momentum = 1 - static_cast<double>(input.node.float_or("momentum", 0.9F));  // torch counts the new share
  return [epsilon, momentum](std::span<const at::Tensor> in, const PassOptions& pass) {
    const double share = pass.norm == NormMode::kCollect ? 1.0 / static_cast<double>(pass.collected + 1) : momentum;
    return Tensors{
        at::batch_norm(in[0], in[1], in[2], in[3], in[4], pass.norm != NormMode::kFrozen, share, epsilon, false)};
  };
}

TorchKernel make_instance_norm(const LowerInput& input) {
  return [epsilon = input.node.float_or("epsilon", 1e-5F)](std::span<const at::Tensor> in, const PassOptions&) {
    return Tensors{at::group_norm(in[0], in[0].size(1), in[1], in[2], epsilon)};
  };
}

/// Operator sets 18 to 20 have one scale a group, later ones one a channel.
TorchKernel make_group_norm(const LowerInput& input) {
  const double epsilon = input.node.float_or("epsilon", 1e-5F);
  const std::int64_t groups = input.node.int_or("num_groups", 1);
  return [=](std::span<const at::Tensor> in, const PassOptions&) {
    const std::int64_t channels = in[0].size(1);
    const auto by_channel = [&](const at::Tensor& values) {
      return values.size(0) == channels ? values : values.repeat_interleave(channels / groups);
    };
    return Tensors{at::group_norm(in[0], groups, by_channel(in[1]), by_channel(in[2]), epsilon)};
  };
}

TorchKernel make_layer_norm(const LowerInput& input) {
  if (!input.node.output(1).empty() || !input.node.output(2).empty())
    fail(ErrorCode::kUnsupported, "mean and deviation as outputs");
  const double epsilon = input.node.float_or("epsilon", 1e-5F);
  const std::int64_t axis = input.node.int_or("axis", -1);
  return [=](std::span<const at::Tensor> in, const PassOptions&) {
    const at::Tensor& x = in[0];
    const at::IntArrayRef over = x.sizes().slice(static_cast<std::size_t>(wrap_axis(axis, x.dim())));
    const bool whole = in[1].sizes() == over && (!has_input(in, 2) || in[2].sizes() == over);
    at::Tensor y = std::get<0>(at::native_layer_norm(x, over, whole ? in[1] : at::Tensor(),
                                                     whole && has_input(in, 2) ? in[2] : at::Tensor(), epsilon));
    if (!whole) {
      y = y * cast_to(in[1], y.scalar_type());
      if (has_input(in, 2)) y = y + cast_to(in[2], y.scalar_type());
    }
    return Tensors{y};
  };
}

TorchKernel make_lp_norm(const LowerInput& input) {
  const std::int64_t axis = input.node.int_or("axis", -1), p = input.node.int_or("p", 2);
  return [=](std::span<const at::Tensor> in, const PassOptions&) {
    const at::Tensor norm = at::linalg_vector_norm(in[0], static_cast<double>(p), LowerInts{axis}, true);
    return Tensors{in[0] / at::where(norm > 0, norm, at::ones_like(norm))};
  };
}

/// y = x / (bias + alpha / size * sum of the squares of `size` channels around)^beta.
TorchKernel make_lrn(const LowerInput& input) {
  const double alpha = input.node.float_or("alpha", 1e-4F), beta = input.node.float_or("beta", 0.75F);
  const double bias = input.node.float_or("bias", 1);
  const std::int64_t size = input.node.int_or("size", 1);
  return [=](std::span<const at::Tensor> in, const PassOptions&) {
    const at::Tensor& x = in[0];
    LowerInts pads(2 * static_cast<std::size_t>(x.dim() - 1), 0);
    pads[pads.size() - 2] = (size - 1) / 2;
    pads[pads.size() - 1] = size / 2;
    const at::Tensor squares = at::constant_pad_nd(x * x, pads);
    at::Tensor sum = squares.narrow(1, 0, x.size(1));
    for (std::int64_t i = 1; i < size; ++i) sum = sum + squares.narrow(1, i, x.size(1));
    return Tensors{x * at::pow(sum * (alpha / static_cast<double>(size)) + bias, -beta)};
  };
}

TorchKernel make_mean_variance(const LowerInput& input) {
  return [axes = input.node.ints_or("axes", {0, 2, 3})](std::span<const at::Tensor> in, const PassOptions&) {
    const at::Tensor centred = in[0] - at::mean(in[0], axes, true);
    return Tensors{centred / (at::sqrt(at::mean(centred * centred, axes, true)) + 1e-9)};
  };
}

}  // namespace

void lower_normalization(LoweringTable& table) {
  table.add("BatchNormalization", make_batchnorm);
  table.add("InstanceNormalization", make_instance_norm);
  table.add("GroupNormalization", make_group_norm);
  table.add("LayerNormalization", make_layer_norm);
  table.add("LpNormalization", make_lp_norm);
  table.add("LRN", make_lrn);
  table.add("MeanVarianceNormalization", make_mean_variance);
}

}  // namespace pare
