// weight_layer.h - the layers of a network: what multiplies its data with weights.
#pragma once

#include "pare/graph.h"

namespace pare {

/// Conv, ConvTranspose, Gemm, MatMul: data at input 0, the weight at input 1. Whether the weight is stored (a MatMul
/// may multiply two computed values) and whether it can be changed is for the caller to see.
[[nodiscard]] inline bool is_weight_layer(const Node& node) {
  return node.is("Conv") || node.is("ConvTranspose") || node.is("Gemm") || node.is("MatMul");
}

}  // namespace pare
