// Conv, ConvTranspose, FusedConv: oneDNN's kernels; pads that differ between the two sides become a padding of their
// own.
#include <c10/core/GradMode.h>

#include "core/fail.h"
#include "train/lower/activations.h"
#include "train/lower/window.h"

namespace pare {
namespace {

bool needs_gradient(const at::Tensor& x, const at::Tensor& weight) {
  return c10::GradMode::is_enabled() && (x.requires_grad() || weight.requires_grad());
}

/// The type that the convolution computes in. oneDNN has no fast gradient in bfloat16 for depthwise convolutions that
/// stride or are larger than 3x3: it takes 5 to 100 times as long as in float32.
at::ScalarType type_of(const SlidingWindow& window, const at::Tensor& x, const at::Tensor& weight,
                       at::ScalarType asked) {
  if (asked != at::kBFloat16 || window.groups == 1 || weight.size(1) != 1 || !needs_gradient(x, weight)) return asked;
  const bool strides =
      std::any_of(window.strides.begin(), window.strides.end(), [](auto stride) { return stride > 1; });
  return strides || weight[0].numel() > 9 ? at::kFloat : asked;
}

at::Tensor convolve(const SlidingWindow& window, std::span<const at::Tensor> in, const PassOptions& pass) {
  const at::ScalarType type = type_of(window, in[0], in[1], pass.compute);
  at::Tensor x = cast_to(in[0], type);
  const at::Tensor weight = cast_to(in[1], type);
  const at::Tensor bias = in.size() > 2 ? cast_to(in[2], type) : at::Tensor();
  const auto axes = static_cast<std::size_t>(x.dim() - 2);
  const LowerInts pads = concrete_pads(window, x.sizes().slice(2), weight.sizes().slice(2));
  LowerInts even(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(axes));
  if (even != LowerInts(pads.begin() + static_cast<std::ptrdiff_t>(axes), pads.end())) {
    x = at::constant_pad_nd(x, torch_pads(pads));
    even.assign(axes, 0);
  }
  return cast_to(at::convolution(x, weight, bias, or_ones(window.strides, axes), even, or_ones(window.dilations, axes),
                                 false, LowerInts(axes, 0), window.groups),
                 pass.compute);
}

TorchKernel make_conv(const LowerInput& input) {
  return [window = read_window(input.node)](std::span<const at::Tensor> in, const PassOptions& pass) {
    return Tensors{convolve(window, in, pass)};
  };
}

TorchKernel make_fused_conv(const LowerInput& input) {
  const std::string activation = input.node.string_or("activation", "");
  const Attribute* found = input.node.find_attribute("activation_params");
  const auto* floats = found == nullptr ? nullptr : std::get_if<std::vector<float>>(&found->value);
  const Activation apply = find_activation(activation, floats == nullptr ? std::vector<float>{} : *floats);
  return [window = read_window(input.node), apply](std::span<const at::Tensor> in, const PassOptions& pass) {
    at::Tensor y = convolve(window, in.first(std::min<std::size_t>(in.size(), 3)), pass);
    if (in.size() > 3 && in[3].defined()) y = y + cast_to(in[3], y.scalar_type());
    return Tensors{apply(y)};
  };
}

TorchKernel make_conv_transpose(const LowerInput& input) {
  const SlidingWindow window = read_window(input.node);
  const LowerInts extra = input.node.ints_or("output_padding", {}), wanted = input.node.ints_or("output_shape", {});
  return [window, extra, wanted](std::span<const at::Tensor> in, const PassOptions& pass) {
    const at::Tensor x = cast_to(in[0], pass.compute), weight = cast_to(in[1], pass.compute);
    const at::Tensor bias = in.size() > 2 ? cast_to(in[2], pass.compute) : at::Tensor();
    const auto axes = static_cast<std::size_t>(x.dim() - 2);
    const LowerInts strides = or_ones(window.strides, axes), dilations = or_ones(window.dilations, axes);
    const LowerInts added = extra.empty() ? LowerInts(axes, 0) : extra;
    // Without pads, then cut: pads of the two sides may differ, and an output shape decides them.
    at::Tensor y = at::convolution(x, weight, {}, strides, LowerInts(axes, 0), dilations, true, added, window.groups);
    for (std::size_t i = 0; i < axes; ++i) {
      const auto axis = static_cast<std::int64_t>(i) + 2;
      std::int64_t begin = window.pads.empty() ? 0 : window.pads[i];
      std::int64_t end = window.pads.empty() ? 0 : window.pads[axes + i];
      const bool same = window.auto_pad == "SAME_UPPER" || window.auto_pad == "SAME_LOWER";
      if (!wanted.empty() || same) {
        const std::int64_t size = wanted.empty() ? x.size(axis) * strides[i] : wanted[wanted.size() - axes + i];
        const std::int64_t total = y.size(axis) - size;
        if (total < 0) fail(ErrorCode::kUnsupported, "an output larger than the convolution makes it");
        begin = window.auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
        end = total - begin;
      }
      y = y.narrow(axis, begin, y.size(axis) - begin - end);
    }
    if (bias.defined()) {
      LowerInts shape(static_cast<std::size_t>(y.dim()), 1);
      shape[1] = bias.size(0);
      y = y + bias.view(shape);
    }
    return Tensors{y};
  };
}

}  // namespace

void lower_convolution(LoweringTable& table) {
  table.add("Conv", make_conv);
  table.add("ConvTranspose", make_conv_transpose);
  table.add("FusedConv", make_fused_conv, "com.microsoft");
}

}  // namespace pare
