// Gemm and MatMul.
#include <ATen/ATen.h>

#include "train/lower/lower.h"

namespace pare {
namespace {

TorchKernel make_gemm(const LowerInput& input) {
  const Node& node = input.node;
  const float alpha = node.float_or("alpha", 1), beta = node.float_or("beta", 1);
  const bool turn_a = node.int_or("transA", 0) != 0, turn_b = node.int_or("transB", 0) != 0;
  return [=](std::span<const at::Tensor> in, const PassOptions& pass) {
    const at::Tensor a = in[0].to(pass.compute), b = in[1].to(pass.compute);
    at::Tensor y = at::matmul(turn_a ? a.t() : a, turn_b ? b.t() : b);
    if (alpha != 1) y = y * alpha;
    if (in.size() > 2 && in[2].defined()) y = y + (beta == 1 ? in[2] : in[2] * beta).to(y.scalar_type());
    return std::vector<at::Tensor>{y};
  };
}

TorchKernel make_matmul(const LowerInput&) {
  return [](std::span<const at::Tensor> in, const PassOptions& pass) {
    return std::vector<at::Tensor>{at::matmul(in[0].to(pass.compute), in[1].to(pass.compute))};
  };
}

}  // namespace

void lower_linear(LoweringTable& table) {
  table.add("Gemm", make_gemm);
  table.add("MatMul", make_matmul);
}

}  // namespace pare
