#include "runtime/openvino/values.h"

#include <array>
#include <utility>
#include <vector>

#include "core/fail.h"

namespace pare {
namespace {

using Type = ov::element::Type_t;
constexpr std::array<std::pair<DType, Type>, 20> kTypes = {{
    {DType::kFloat32, Type::f32},       {DType::kUint8, Type::u8},          {DType::kInt8, Type::i8},
    {DType::kUint16, Type::u16},        {DType::kInt16, Type::i16},         {DType::kInt32, Type::i32},
    {DType::kInt64, Type::i64},         {DType::kString, Type::string},     {DType::kBool, Type::boolean},
    {DType::kFloat16, Type::f16},       {DType::kFloat64, Type::f64},       {DType::kUint32, Type::u32},
    {DType::kUint64, Type::u64},        {DType::kBFloat16, Type::bf16},     {DType::kFloat8E4M3FN, Type::f8e4m3},
    {DType::kFloat8E5M2, Type::f8e5m2}, {DType::kUint4, Type::u4},          {DType::kInt4, Type::i4},
    {DType::kFloat4E2M1, Type::f4e2m1}, {DType::kFloat8E8M0, Type::f8e8m0},
}};

}  // namespace

DType from_openvino(const ov::element::Type& type) {
  for (const auto& [dtype, theirs] : kTypes)
    if (type == theirs) return dtype;
  return DType::kUndefined;
}

ov::Tensor to_openvino(const Tensor& tensor) {
  const ov::Shape shape(tensor.shape().begin(), tensor.shape().end());
  if (tensor.dtype() == DType::kString) {
    ov::Tensor strings(ov::element::string, shape);
    std::copy(tensor.strings().begin(), tensor.strings().end(), strings.data<std::string>());
    return strings;
  }
  for (const auto& [dtype, theirs] : kTypes) {
    if (dtype != tensor.dtype()) continue;
    if (tensor.bytes().empty()) return ov::Tensor(theirs, shape);
    return ov::Tensor(theirs, shape, const_cast<void*>(static_cast<const void*>(tensor.bytes().data())));
  }
  fail(ErrorCode::kUnsupported, "OpenVINO takes no {} tensors", dtype_name(tensor.dtype()));
}

Tensor from_openvino(const ov::Tensor& tensor, const std::string& name) {
  const DType dtype = from_openvino(tensor.get_element_type());
  const ov::Shape theirs = tensor.get_shape();
  Shape shape(theirs.begin(), theirs.end());
  if (dtype == DType::kString) {
    const auto* strings = tensor.data<const std::string>();
    return Tensor::from_strings(std::move(shape), {strings, strings + tensor.get_size()});
  }
  if (dtype == DType::kUndefined)
    fail(ErrorCode::kUnsupported, "output '{}' has OpenVINO's type {}, which pare does not know", name,
         tensor.get_element_type().get_type_name());
  const std::size_t size = tensor.get_byte_size();
  const auto* data = static_cast<const std::byte*>(size == 0 ? nullptr : tensor.data());
  return Tensor::from_bytes(dtype, std::move(shape), {data, data + size});
}

}  // namespace pare
