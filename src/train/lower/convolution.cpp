// Conv, ConvTranspose, FusedConv: oneDNN's kernels; pads that differ between the two sides become a padding of their
// own.
#include <ATen/ATen.h>

#include "core/fail.h"
#include "train/lower/activations.h"
#include "train/lower/lower.h"

namespace pare {
namespace {

using Ints = std::vector<std::int64_t>;

struct Window {
  Ints strides, dilations, pads;  ///< pads: begin of each axis, then end of each axis
  std::string auto_pad;
  std::int64_t groups = 1;
};

Window read_window(const Node& node) {
  return {.strides = node.ints_or("strides", {}),
          .dilations = node.ints_or("dilations", {}),
          .pads = node.ints_or("pads", {}),
          .auto_pad = node.string_or("auto_pad", "NOTSET"),
          .groups = node.int_or("group", 1)};
}

Ints or_ones(const Ints& values, std::size_t axes) { return values.empty() ? Ints(axes, 1) : values; }

/// SAME_UPPER, SAME_LOWER and VALID as pads for that input.
Ints concrete_pads(const Window& window, const at::Tensor& x, const at::Tensor& weight) {
  const auto axes = static_cast<std::size_t>(x.dim() - 2);
  if (window.auto_pad == "NOTSET") return window.pads.empty() ? Ints(2 * axes, 0) : window.pads;
  Ints pads(2 * axes, 0);
  if (window.auto_pad == "VALID") return pads;
  const Ints strides = or_ones(window.strides, axes), dilations = or_ones(window.dilations, axes);
  for (std::size_t i = 0; i < axes; ++i) {
    const std::int64_t size = x.size(static_cast<std::int64_t>(i) + 2);
    const std::int64_t reach = dilations[i] * (weight.size(static_cast<std::int64_t>(i) + 2) - 1) + 1;
    const std::int64_t out = (size + strides[i] - 1) / strides[i];
    const std::int64_t total = std::max<std::int64_t>(0, (out - 1) * strides[i] + reach - size);
    pads[i] = window.auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
    pads[axes + i] = total - pads[i];
  }
  return pads;
}

at::Tensor cast(const at::Tensor& tensor, at::ScalarType type) {
  return tensor.defined() && tensor.scalar_type() != type ? tensor.to(type) : tensor;
}

at::Tensor convolve(const Window& window, std::span<const at::Tensor> in, const PassOptions& pass) {
  at::Tensor x = cast(in[0], pass.compute);
  const at::Tensor weight = cast(in[1], pass.compute);
  const at::Tensor bias = in.size() > 2 ? cast(in[2], pass.compute) : at::Tensor();
  const auto axes = static_cast<std::size_t>(x.dim() - 2);
  const Ints pads = concrete_pads(window, x, weight);
  Ints even(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(axes));
  if (even != Ints(pads.begin() + static_cast<std::ptrdiff_t>(axes), pads.end())) {
    Ints around;  // torch counts from the last axis
    for (std::size_t i = axes; i-- > 0;) around.insert(around.end(), {pads[i], pads[axes + i]});
    x = at::constant_pad_nd(x, around);
    even.assign(axes, 0);
  }
  return at::convolution(x, weight, bias, or_ones(window.strides, axes), even, or_ones(window.dilations, axes), false,
                         Ints(axes, 0), window.groups);
}

TorchKernel make_conv(const LowerInput& input) {
  return [window = read_window(input.node)](std::span<const at::Tensor> in, const PassOptions& pass) {
    return std::vector<at::Tensor>{convolve(window, in, pass)};
  };
}

TorchKernel make_fused_conv(const LowerInput& input) {
  const std::string activation = input.node.string_or("activation", "");
  const Attribute* found = input.node.find_attribute("activation_params");
  const auto* floats = found == nullptr ? nullptr : std::get_if<std::vector<float>>(&found->value);
  const Activation apply = find_activation(activation, floats == nullptr ? std::vector<float>{} : *floats);
  return [window = read_window(input.node), apply](std::span<const at::Tensor> in, const PassOptions& pass) {
    at::Tensor y = convolve(window, in.first(std::min<std::size_t>(in.size(), 3)), pass);
    if (in.size() > 3 && in[3].defined()) y = y + cast(in[3], y.scalar_type());
    return std::vector<at::Tensor>{apply(y)};
  };
}

TorchKernel make_conv_transpose(const LowerInput& input) {
  const Window window = read_window(input.node);
  const Ints extra = input.node.ints_or("output_padding", {}), wanted = input.node.ints_or("output_shape", {});
  return [window, extra, wanted](std::span<const at::Tensor> in, const PassOptions& pass) {
    const at::Tensor x = cast(in[0], pass.compute), weight = cast(in[1], pass.compute);
    const at::Tensor bias = in.size() > 2 ? cast(in[2], pass.compute) : at::Tensor();
    const auto axes = static_cast<std::size_t>(x.dim() - 2);
    const Ints strides = or_ones(window.strides, axes), dilations = or_ones(window.dilations, axes);
    const Ints added = extra.empty() ? Ints(axes, 0) : extra;
    // Without pads, then cut: pads of the two sides may differ, and an output shape decides them.
    at::Tensor y = at::convolution(x, weight, {}, strides, Ints(axes, 0), dilations, true, added, window.groups);
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
      Ints shape(static_cast<std::size_t>(y.dim()), 1);
      shape[1] = bias.size(0);
      y = y + bias.view(shape);
    }
    return std::vector<at::Tensor>{y};
  };
}

}  // namespace

void lower_convolution(LoweringTable& table) {
  table.add("Conv", make_conv);
  table.add("ConvTranspose", make_conv_transpose);
  table.add("FusedConv", make_fused_conv, "com.microsoft");
}

}  // namespace pare
