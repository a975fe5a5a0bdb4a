// Gemm, MatMul and Einsum.
#include "train/lower/kernels.h"

namespace pare {
namespace {

/// Products of floats are computed in the pass's type; those of integers (shapes) stay integers.
at::Tensor as_factor(const at::Tensor& x, const PassOptions& pass) {
  return x.is_floating_point() ? cast_to(x, pass.compute) : x;
}

TorchKernel make_gemm(const LowerInput& input) {
  const Node& node = input.node;
  const float alpha = node.float_or("alpha", 1), beta = node.float_or("beta", 1);
  const bool turn_a = node.int_or("transA", 0) != 0, turn_b = node.int_or("transB", 0) != 0;
  return [=](std::span<const at::Tensor> in, const PassOptions& pass) {
    const at::Tensor a = as_factor(in[0], pass), b = as_factor(in[1], pass);
    at::Tensor y = at::matmul(turn_a ? a.t() : a, turn_b ? b.t() : b);
    if (alpha != 1) y = y * alpha;
    if (has_input(in, 2)) y = y + (beta == 1 ? in[2] : in[2] * beta).to(y.scalar_type());
    return Tensors{y};
  };
}

TorchKernel make_matmul(const LowerInput&) {
  return [](std::span<const at::Tensor> in, const PassOptions& pass) {
    return Tensors{at::matmul(as_factor(in[0], pass), as_factor(in[1], pass))};
  };
}

TorchKernel make_einsum(const LowerInput& input) {
  return [equation = input.node.string_or("equation", "")](std::span<const at::Tensor> in, const PassOptions& pass) {
    Tensors factors;
    for (const at::Tensor& x : in) factors.push_back(as_factor(x, pass));
    return Tensors{at::einsum(equation, factors)};
  };
}

}  // namespace

void lower_linear(LoweringTable& table) {
  table.add("Gemm", make_gemm);
  table.add("MatMul", make_matmul);
  table.add("Einsum", make_einsum);
}

}  // namespace pare
