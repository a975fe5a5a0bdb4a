// QuantizeLinear and DequantizeLinear: rounding with the gradient of the identity inside the range (straight through).
#include <array>

#include "core/fail.h"
#include "train/lower/kernels.h"
#include "train/lower/torch_tensor.h"

namespace pare {
namespace {

struct IntegerRange {
  at::ScalarType type;
  double low, high;
};
constexpr std::array kIntegers = {IntegerRange{at::kChar, -128, 127}, IntegerRange{at::kByte, 0, 255},
                                  IntegerRange{at::kShort, -32768, 32767},
                                  IntegerRange{at::kInt, -2147483648.0, 2147483647.0}};

const IntegerRange& range_of(at::ScalarType type) {
  for (const IntegerRange& range : kIntegers)
    if (range.type == type) return range;
  fail(ErrorCode::kUnsupported, "quantization to {}", toString(type));
}

/// A scale or zero point for every value of `axis`, as it broadcasts against x.
at::Tensor along(const at::Tensor& values, const at::Tensor& x, std::int64_t axis) {
  if (values.dim() == 0 || (values.numel() == 1 && x.dim() != 1)) return values.reshape({});
  LowerInts shape(static_cast<std::size_t>(x.dim()), 1);
  shape[static_cast<std::size_t>(wrap_axis(axis, x.dim()))] = values.numel();
  return values.reshape(shape);
}

void refuse_blocks(const Node& node) {
  if (node.int_or("block_size", 0) != 0) fail(ErrorCode::kUnsupported, "quantization by blocks");
}

/// Integers as floats where a gradient has to pass: integer tensors of torch carry none.
TorchKernel make_quantize(const LowerInput& input) {
  refuse_blocks(input.node);
  const std::int64_t axis = input.node.int_or("axis", 1), to = input.node.int_or("output_dtype", 0);
  const at::ScalarType fallback = to == 0 ? at::kByte : torch_type(static_cast<DType>(to));
  (void)range_of(fallback);
  return [axis, fallback](std::span<const at::Tensor> in, const PassOptions&) {
    const IntegerRange& range = range_of(has_input(in, 2) ? in[2].scalar_type() : fallback);
    const at::Tensor x = in[0].scalar_type() == at::kBFloat16 ? in[0].to(at::kFloat) : in[0];
    const at::Tensor steps = x / along(in[1], x, axis);
    at::Tensor level = steps + (at::round(steps) - steps).detach();
    if (has_input(in, 2)) level = level + along(in[2], x, axis).to(level.scalar_type());
    level = at::clamp(level, range.low, range.high);
    return Tensors{level.requires_grad() ? level : level.to(range.type)};
  };
}

TorchKernel make_dequantize(const LowerInput& input) {
  refuse_blocks(input.node);
  return [axis = input.node.int_or("axis", 1)](std::span<const at::Tensor> in, const PassOptions&) {
    at::Tensor level = cast_to(in[0], in[1].scalar_type());
    if (has_input(in, 2)) level = level - along(in[2], level, axis).to(level.scalar_type());
    return Tensors{level * along(in[1], level, axis)};
  };
}

}  // namespace

void lower_quantize(LoweringTable& table) {
  table.add("QuantizeLinear", make_quantize);
  table.add("DequantizeLinear", make_dequantize);
}

}  // namespace pare
