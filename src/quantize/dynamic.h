// dynamic.h - int8 weights with activation scales computed anew at every inference: for MatMul and Gemm.
#pragma once

#include <string>
#include <vector>

#include "pare/graph.h"
#include "pare/step.h"

namespace pare {

struct DynamicResult {
  Model model;
  std::vector<NodeReason> done, skipped;
};

/// Before: y = MatMul(x, W) or Gemm(x, W, b).
/// After:  (q, s, z) = DynamicQuantizeLinear(x); y = Cast(MatMulInteger(q, Wq, z)) * (s * scale of W per column) + b.
/// Convolutions stay float: runtimes have no kernel for u8 activations with s8 weights there, or a slow one.
/// `reasons` per node as from user_reasons().
[[nodiscard]] DynamicResult quantize_dynamic(const Model& model, const std::vector<std::string>& reasons,
                                             bool limit_pairs);

}  // namespace pare
