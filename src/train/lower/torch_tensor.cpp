#include "train/lower/torch_tensor.h"

#include <ATen/ATen.h>

#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "core/fail.h"

namespace pare {
namespace {

constexpr std::array<std::pair<DType, at::ScalarType>, 10> kTypes = {{{DType::kFloat32, at::kFloat},
                                                                      {DType::kFloat64, at::kDouble},
                                                                      {DType::kFloat16, at::kHalf},
                                                                      {DType::kBFloat16, at::kBFloat16},
                                                                      {DType::kUint8, at::kByte},
                                                                      {DType::kInt8, at::kChar},
                                                                      {DType::kInt16, at::kShort},
                                                                      {DType::kInt32, at::kInt},
                                                                      {DType::kInt64, at::kLong},
                                                                      {DType::kBool, at::kBool}}};

}  // namespace

at::ScalarType torch_type(DType dtype) {
  for (const auto& [ours, theirs] : kTypes)
    if (ours == dtype) return theirs;
  fail(ErrorCode::kUnsupported, "tensors of type {} cannot be trained with", dtype_name(dtype));
}

at::Tensor to_torch(const Tensor& tensor) {
  at::Tensor out = at::empty(tensor.shape(), torch_type(tensor.dtype()));
  if (!tensor.bytes().empty()) std::memcpy(out.data_ptr(), tensor.bytes().data(), tensor.bytes().size());
  return out;
}

Tensor from_torch(const at::Tensor& tensor) {
  const at::Tensor plain = tensor.detach().contiguous();
  for (const auto& [ours, theirs] : kTypes)
    if (theirs == plain.scalar_type()) {
      std::vector<std::byte> bytes(plain.nbytes());
      if (!bytes.empty()) std::memcpy(bytes.data(), plain.data_ptr(), bytes.size());
      return Tensor::from_bytes(ours, plain.sizes().vec(), std::move(bytes));
    }
  fail(ErrorCode::kInternal, "torch made a tensor of a type that pare has not: {}", toString(plain.scalar_type()));
}

}  // namespace pare
