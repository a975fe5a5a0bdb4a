// BatchNormalization with running or batch statistics, and the normalizations without statistics.
#include <ATen/ATen.h>

#include "train/lower/lower.h"

namespace pare {
namespace {

TorchKernel make_batchnorm(const LowerInput& input) {
  const double epsilon = input.node.float_or("epsilon", 1e-5F);
  const double momentum = 1 - static_cast<double>(input.node.float_or("momentum", 0.9F));  // torch counts the new share
  return [epsilon, momentum](std::span<const at::Tensor> in, const PassOptions& pass) {
    const double share = pass.norm == NormMode::kCollect ? 1.0 / static_cast<double>(pass.collected + 1) : momentum;
    return std::vector<at::Tensor>{
        at::batch_norm(in[0], in[1], in[2], in[3], in[4], pass.norm != NormMode::kFrozen, share, epsilon, false)};
  };
}

}  // namespace

void lower_normalization(LoweringTable& table) { table.add("BatchNormalization", make_batchnorm); }

}  // namespace pare
