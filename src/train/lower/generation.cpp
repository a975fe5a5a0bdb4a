// Operators that make tensors from sizes and types: shapes as a graph computes them, constants, casts.
#include "core/fail.h"
#include "train/lower/kernels.h"
#include "train/lower/torch_tensor.h"

namespace pare {
namespace {

TorchKernel make_shape(const LowerInput& input) {
  const std::int64_t from = input.node.int_or("start", 0), to = input.node.int_or("end", 1 << 20);
  return [from, to](std::span<const at::Tensor> in, const PassOptions&) {
    const at::IntArrayRef sizes = in[0].sizes();
    at::Tensor shape = at::empty({in[0].dim()}, at::kLong);
    std::copy(sizes.begin(), sizes.end(), shape.data_ptr<std::int64_t>());
    return Tensors{at::slice(shape, 0, from, to)};
  };
}

TorchKernel make_constant_of_shape(const LowerInput& input) {
  at::Tensor value = at::zeros({1}, at::kFloat);
  if (const Attribute* found = input.node.find_attribute("value"))
    if (const auto* tensor = std::get_if<Tensor>(&found->value)) value = to_torch(*tensor);
  return [value](std::span<const at::Tensor> in, const PassOptions&) {
    return Tensors{at::full(to_ints(in[0]), value.item(), value.options())};
  };
}

TorchKernel make_range(const LowerInput&) {
  return [](std::span<const at::Tensor> in, const PassOptions&) {
    return Tensors{at::arange(in[0].item(), in[1].item(), in[2].item(), in[0].options())};
  };
}

TorchKernel make_one_hot(const LowerInput& input) {
  return [axis = input.node.int_or("axis", -1)](std::span<const at::Tensor> in, const PassOptions&) {
    const std::int64_t depth = to_ints(in[1])[0];
    const at::Tensor given = in[0].to(at::kLong), places = at::where(given < 0, given + depth, given);
    const std::int64_t at = wrap_axis(axis, places.dim() + 1);
    LowerInts shape(static_cast<std::size_t>(places.dim()) + 1, 1);
    shape[static_cast<std::size_t>(at)] = depth;
    const at::Tensor hot = places.unsqueeze(at).eq(at::arange(depth, at::kLong).reshape(shape));
    return Tensors{at::where(hot, in[2][1], in[2][0])};
  };
}

/// A cast of a float activation to float32 says "as computed": bfloat16 stays, so that it does not end there.
TorchKernel make_cast(const LowerInput& input) {
  const at::ScalarType type = torch_type(static_cast<DType>(input.node.int_or("to", 0)));
  return [type](std::span<const at::Tensor> in, const PassOptions&) {
    if (type == at::kFloat && in[0].scalar_type() == at::kBFloat16) return Tensors{in[0]};
    return Tensors{cast_to(in[0], type)};
  };
}

TorchKernel make_cast_like(const LowerInput&) {
  return [](std::span<const at::Tensor> in, const PassOptions&) {
    if (in[1].scalar_type() == at::kFloat && in[0].scalar_type() == at::kBFloat16) return Tensors{in[0]};
    return Tensors{cast_to(in[0], in[1].scalar_type())};
  };
}

}  // namespace

void lower_generation(LoweringTable& table) {
  table.add("Shape", make_shape);
  table.add("Size", of_one([](const at::Tensor& x) { return at::scalar_tensor(x.numel(), at::kLong); }));
  table.add("ConstantOfShape", make_constant_of_shape);
  table.add("Range", make_range);
  table.add("OneHot", make_one_hot);
  table.add("NonZero", of_one([](const at::Tensor& x) { return at::nonzero(x).t(); }));
  table.add("Cast", make_cast);
  table.add("CastLike", make_cast_like);
}

}  // namespace pare
