// kernels.h - short spellings that the families of lowerings share.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "train/lower/lower.h"

namespace pare {

using Tensors = std::vector<at::Tensor>;
using LowerInts = std::vector<std::int64_t>;
using MakeKernel = std::function<TorchKernel(const LowerInput&)>;

/// A kernel of the first input alone, without attributes.
template <class F>
MakeKernel of_one(F function) {
  return [function](const LowerInput&) -> TorchKernel {
    return [function](std::span<const at::Tensor> in, const PassOptions&) { return Tensors{function(in[0])}; };
  };
}

inline bool has_input(std::span<const at::Tensor> in, std::size_t index) {
  return index < in.size() && in[index].defined();
}

/// The elements of an integer tensor.
inline LowerInts to_ints(const at::Tensor& tensor) {
  const at::Tensor plain = tensor.to(at::kCPU, at::kLong).contiguous();
  const auto* data = plain.data_ptr<std::int64_t>();
  return {data, data + plain.numel()};
}

/// Counted from the end if negative.
inline std::int64_t wrap_axis(std::int64_t axis, std::int64_t rank) { return axis < 0 ? axis + rank : axis; }

inline at::Tensor cast_to(const at::Tensor& tensor, at::ScalarType type) {
  return tensor.defined() && tensor.scalar_type() != type ? tensor.to(type) : tensor;
}

/// As same_precision(): bfloat16 if any of them is and the others are float32.
inline Tensors same_precision_of(std::span<const at::Tensor> in) {
  Tensors out(in.begin(), in.end());
  bool any = false;
  for (const at::Tensor& tensor : in) any = any || tensor.scalar_type() == at::kBFloat16;
  if (any)
    for (at::Tensor& tensor : out)
      if (tensor.scalar_type() == at::kFloat) tensor = tensor.to(at::kBFloat16);
  return out;
}

/// A list that old operator sets give as an attribute and new ones as input `index`.
struct IntsOption {
  LowerInts attribute;
  std::size_t index = 1;
  bool present = false;  ///< as an attribute
  [[nodiscard]] bool given(std::span<const at::Tensor> in) const { return present || has_input(in, index); }
  [[nodiscard]] LowerInts of(std::span<const at::Tensor> in) const {
    return present || !has_input(in, index) ? attribute : to_ints(in[index]);
  }
};
inline IntsOption ints_option(const Node& node, std::string_view attribute, std::size_t index) {
  return {node.ints_or(attribute, {}), index, node.find_attribute(attribute) != nullptr};
}

}  // namespace pare
