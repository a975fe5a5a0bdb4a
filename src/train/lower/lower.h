// lower.h - how ONNX operators are computed on torch tensors, with gradients; one file per operator family.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pare/graph.h"

namespace pare {

enum class NormMode {
  kFrozen,   ///< running statistics are used and stay
  kBatch,    ///< statistics of the batch are used, the running ones follow
  kCollect,  ///< as kBatch, and the running ones become the plain mean over all batches since `collected` was 0
};

/// What holds for one pass through the network.
struct PassOptions {
  /// Convolutions and matrix products compute in this type; weights stay float32 and are cast as they are used.
  at::ScalarType compute = at::kFloat;
  NormMode norm = NormMode::kFrozen;
  std::int64_t collected = 0;  ///< kCollect: batches seen so far
  bool training = false;       ///< fake quantization may learn its ranges; dropout stays off
};

/// Inputs in the node's order; an undefined tensor is an optional input left out. Outputs likewise. Integer tensors are
/// computed as integers: shapes that a graph computes as it runs need no guessing. Running statistics (inputs 3 and 4
/// of BatchNormalization) are changed in place. QuantizeLinear hands on its integers as floats where a gradient passes:
/// integer tensors of torch carry none.
using TorchKernel = std::function<std::vector<at::Tensor>(std::span<const at::Tensor>, const PassOptions&)>;

/// What a lowering is made from.
struct LowerInput {
  const Node& node;
  std::int64_t opset = 0;  ///< of ONNX's own operators
};

struct Lowering {
  std::string op_type;
  std::string domain;  ///< "" is ONNX's own
  /// Reads the attributes once. Throws Error(kUnsupported) saying what it cannot do; the caller names the node.
  std::function<TorchKernel(const LowerInput&)> make;
};

/// Where the files of this folder put their operators.
class LoweringTable {
 public:
  void add(std::string op_type, std::function<TorchKernel(const LowerInput&)> make, std::string domain = "");
  [[nodiscard]] const Lowering* find(const Node& node) const noexcept;  ///< null: not known
  [[nodiscard]] const std::vector<Lowering>& all() const noexcept { return lowerings_; }

 private:
  std::vector<Lowering> lowerings_;
};

/// Of all operators that pare can train through.
[[nodiscard]] const LoweringTable& all_lowerings();

/// Both operands as they are computed with: a float32 constant beside a bfloat16 activation becomes bfloat16, so that
/// one constant does not turn the rest of the network back to float32.
struct Operands {
  at::Tensor left, right;
};
[[nodiscard]] Operands same_precision(const at::Tensor& left, const at::Tensor& right);

}  // namespace pare
