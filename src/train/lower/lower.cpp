#include "train/lower/lower.h"

#include <ATen/ATen.h>

namespace pare {

#define PARE_LOWERING(name) void lower_##name(LoweringTable& table);
#include "train/lower/lowerings.def"
#undef PARE_LOWERING

void LoweringTable::add(std::string op_type, std::function<TorchKernel(const LowerInput&)> make, std::string domain) {
  lowerings_.push_back({std::move(op_type), std::move(domain), std::move(make)});
}

const Lowering* LoweringTable::find(const Node& node) const noexcept {
  for (const Lowering& lowering : lowerings_)
    if (lowering.op_type == node.op_type && lowering.domain == node.domain) return &lowering;
  return nullptr;
}

const LoweringTable& all_lowerings() {
  static const LoweringTable table = [] {
    LoweringTable all;
#define PARE_LOWERING(name) lower_##name(all);
#include "train/lower/lowerings.def"
#undef PARE_LOWERING
    return all;
  }();
  return table;
}

Operands same_precision(const at::Tensor& left, const at::Tensor& right) {
  if (left.scalar_type() == at::kBFloat16 && right.scalar_type() == at::kFloat) return {left, right.to(at::kBFloat16)};
  if (left.scalar_type() == at::kFloat && right.scalar_type() == at::kBFloat16) return {left.to(at::kBFloat16), right};
  return {left, right};
}

}  // namespace pare
