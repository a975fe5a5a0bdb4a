// Operators that give the same elements another shape or order.
#include <algorithm>
#include <numeric>

#include "core/fail.h"
#include "train/lower/kernels.h"

namespace pare {
namespace {

TorchKernel make_flatten(const LowerInput& input) {
  const std::int64_t axis = input.node.int_or("axis", 1);
  return [axis](std::span<const at::Tensor> in, const PassOptions&) {
    const std::int64_t rank = in[0].dim(), at = wrap_axis(axis, rank);
    std::int64_t rows = 1;
    for (std::int64_t i = 0; i < at; ++i) rows *= in[0].size(i);
    return Tensors{in[0].reshape({rows, rows == 0 ? 0 : in[0].numel() / rows})};
  };
}

TorchKernel make_reshape(const LowerInput& input) {
  const IntsOption option = ints_option(input.node, "shape", 1);
  const bool zero_is_zero = input.node.int_or("allowzero", 0) != 0;
  return [option, zero_is_zero](std::span<const at::Tensor> in, const PassOptions&) {
    LowerInts shape = option.of(in);
    for (std::size_t i = 0; i < shape.size(); ++i)
      if (shape[i] == 0 && !zero_is_zero) shape[i] = in[0].size(static_cast<std::int64_t>(i));
    return Tensors{in[0].reshape(shape)};
  };
}

TorchKernel make_transpose(const LowerInput& input) {
  return [order = input.node.ints_or("perm", {})](std::span<const at::Tensor> in, const PassOptions&) {
    LowerInts axes = order;
    if (axes.empty())
      for (std::int64_t axis = in[0].dim(); axis-- > 0;) axes.push_back(axis);
    return Tensors{in[0].permute(axes)};
  };
}

TorchKernel make_squeeze(const LowerInput& input) {
  return [option = ints_option(input.node, "axes", 1)](std::span<const at::Tensor> in, const PassOptions&) {
    const LowerInts axes = option.of(in);
    return Tensors{axes.empty() ? in[0].squeeze() : in[0].squeeze(axes)};
  };
}

TorchKernel make_unsqueeze(const LowerInput& input) {
  return [option = ints_option(input.node, "axes", 1)](std::span<const at::Tensor> in, const PassOptions&) {
    LowerInts axes = option.of(in);  // of the result
    for (std::int64_t& axis : axes) axis = wrap_axis(axis, in[0].dim() + static_cast<std::int64_t>(axes.size()));
    std::sort(axes.begin(), axes.end());
    at::Tensor y = in[0];
    for (const std::int64_t axis : axes) y = y.unsqueeze(axis);
    return Tensors{y};
  };
}

TorchKernel make_expand(const LowerInput&) {
  return [](std::span<const at::Tensor> in, const PassOptions&) {
    LowerInts shape = to_ints(in[1]);
    const auto rank = static_cast<std::int64_t>(shape.size());
    for (std::int64_t i = 0; i < std::min(rank, in[0].dim()); ++i) {  // a 1 asked for leaves the size as it is
      std::int64_t& size = shape[static_cast<std::size_t>(rank - 1 - i)];
      if (size == 1) size = in[0].size(in[0].dim() - 1 - i);
    }
    if (rank < in[0].dim()) {
      const LowerInts front = in[0].sizes().slice(0, static_cast<std::size_t>(in[0].dim() - rank)).vec();
      shape.insert(shape.begin(), front.begin(), front.end());
    }
    return Tensors{in[0].expand(shape)};
  };
}

TorchKernel make_tile(const LowerInput& input) {
  if (input.opset < 6) fail(ErrorCode::kUnsupported, "Tile as operator set {} has it", input.opset);
  return [](std::span<const at::Tensor> in, const PassOptions&) { return Tensors{in[0].repeat(to_ints(in[1]))}; };
}

/// [N, C, H, W] -> [N, C / b^2, H b, W b]. DCR: the block's place is the outer part of the channel; CRD: the inner.
TorchKernel make_depth_to_space(const LowerInput& input) {
  const std::int64_t block = input.node.int_or("blocksize", 1);
  const bool outer = input.node.string_or("mode", "DCR") == "DCR";
  return [block, outer](std::span<const at::Tensor> in, const PassOptions&) {
    const at::Tensor& x = in[0];
    if (!outer) return Tensors{at::pixel_shuffle(x, block)};
    const std::int64_t n = x.size(0), c = x.size(1) / (block * block), h = x.size(2), w = x.size(3);
    return Tensors{
        x.reshape({n, block, block, c, h, w}).permute({0, 3, 4, 1, 5, 2}).reshape({n, c, h * block, w * block})};
  };
}

TorchKernel make_space_to_depth(const LowerInput& input) {
  return [block = input.node.int_or("blocksize", 1)](std::span<const at::Tensor> in, const PassOptions&) {
    const at::Tensor& x = in[0];
    const std::int64_t n = x.size(0), c = x.size(1), h = x.size(2) / block, w = x.size(3) / block;
    return Tensors{
        x.reshape({n, c, h, block, w, block}).permute({0, 3, 5, 1, 2, 4}).reshape({n, c * block * block, h, w})};
  };
}

/// At inference it does nothing, and fine-tuning small networks does without; the mask lets everything through.
TorchKernel make_dropout(const LowerInput& input) {
  const bool typed = input.opset < 10;  // a mask of the input's type
  return [typed](std::span<const at::Tensor> in, const PassOptions&) {
    return Tensors{in[0], at::ones_like(in[0], typed ? in[0].options() : in[0].options().dtype(at::kBool))};
  };
}

}  // namespace

void lower_shape(LoweringTable& table) {
  table.add("Flatten", make_flatten);
  table.add("Reshape", make_reshape);
  table.add("Transpose", make_transpose);
  table.add("Squeeze", make_squeeze);
  table.add("Unsqueeze", make_unsqueeze);
  table.add("Expand", make_expand);
  table.add("Tile", make_tile);
  table.add("DepthToSpace", make_depth_to_space);
  table.add("SpaceToDepth", make_space_to_depth);
  table.add("Identity", of_one([](const at::Tensor& x) { return x; }));
  table.add("Dropout", make_dropout);
}

}  // namespace pare
