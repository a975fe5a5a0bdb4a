// Pooling over windows and over the whole image.
#include <ATen/ATen.h>

#include "train/lower/lower.h"

namespace pare {
namespace {

std::vector<std::int64_t> spatial_axes(const at::Tensor& x) {
  std::vector<std::int64_t> axes;
  for (std::int64_t axis = 2; axis < x.dim(); ++axis) axes.push_back(axis);
  return axes;
}

}  // namespace

void lower_pooling(LoweringTable& table) {
  table.add("GlobalAveragePool", [](const LowerInput&) {
    return TorchKernel([](std::span<const at::Tensor> in, const PassOptions&) {
      return std::vector<at::Tensor>{in[0].mean(spatial_axes(in[0]), true)};
    });
  });
}

}  // namespace pare
