// torch_tensor.h - tensors of pare and of torch, one into the other.
#pragma once

#include <ATen/core/Tensor.h>

#include "pare/tensor.h"

namespace pare {

/// A copy. Throws Error(kUnsupported) on types that torch has not (strings, float8, int4 ...).

[[nodiscard]] at::Tensor to_torch(const Tensor& tensor);
/// A copy, row-major whatever the memory format; bfloat16 stays bfloat16.
[[nodiscard]] Tensor from_torch(const at::Tensor& tensor);
[[nodiscard]] at::ScalarType torch_type(DType dtype);

}  // namespace pare
