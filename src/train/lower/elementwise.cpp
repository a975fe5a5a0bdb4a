// Arithmetic element by element, with broadcasting.
#include <ATen/ATen.h>

#include "train/lower/lower.h"

namespace pare {

void lower_elementwise(LoweringTable& table) {
  table.add("Add", [](const LowerInput&) {
    return TorchKernel([](std::span<const at::Tensor> in, const PassOptions&) {
      const Operands operands = same_precision(in[0], in[1]);
      return std::vector<at::Tensor>{operands.left + operands.right};
    });
  });
}

}  // namespace pare
