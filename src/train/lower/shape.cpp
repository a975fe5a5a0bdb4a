// Operators that move, select and count elements without arithmetic on them.
#include <ATen/ATen.h>

#include "train/lower/lower.h"

namespace pare {
namespace {

TorchKernel make_flatten(const LowerInput& input) {
  const std::int64_t axis = input.node.int_or("axis", 1);
  return [axis](std::span<const at::Tensor> in, const PassOptions&) {
    const std::int64_t rank = in[0].dim(), at = axis < 0 ? axis + rank : axis;
    std::int64_t rows = 1;
    for (std::int64_t i = 0; i < at; ++i) rows *= in[0].size(i);
    return std::vector<at::Tensor>{in[0].reshape({rows, rows == 0 ? 0 : in[0].numel() / rows})};
  };
}

}  // namespace

void lower_shape(LoweringTable& table) { table.add("Flatten", make_flatten); }

}  // namespace pare
