#include "runtime/onnxruntime/values.h"

#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "core/fail.h"

namespace pare {
namespace {

/// Results up to this size are copied: a view would keep a whole region of ONNX Runtime's arena alive.
constexpr std::size_t kCopyBytes = 4096;

ONNXTensorElementDataType to_ort(DType dtype) {
  // The numbers agree as far as the interface of this header goes.
  if (dtype > DType::kUndefined && dtype <= DType::kInt4) return static_cast<ONNXTensorElementDataType>(dtype);
  fail(ErrorCode::kUnsupported, "ONNX Runtime takes no {} tensors", dtype_name(dtype));
}

DType from_ort(ONNXTensorElementDataType type) {
  const int number = static_cast<int>(type);
  if (number >= 0 && number <= static_cast<int>(DType::kInt4)) return static_cast<DType>(number);
  return DType::kUndefined;
}

Ort::Value strings_to_ort(const Tensor& tensor) {
  Ort::AllocatorWithDefaultOptions allocator;
  Ort::Value value = Ort::Value::CreateTensor(allocator, tensor.shape().data(), tensor.shape().size(),
                                              ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING);
  std::vector<const char*> pointers;
  for (const std::string& text : tensor.strings()) pointers.push_back(text.c_str());
  value.FillStringTensor(pointers.data(), pointers.size());
  return value;
}

Tensor strings_from_ort(const Ort::Value& value, Shape shape) {
  const auto count = static_cast<std::size_t>(element_count(shape));
  std::string all(value.GetStringTensorDataLength(), '\0');
  std::vector<std::size_t> offsets(count);
  if (count > 0) value.GetStringTensorContent(all.data(), all.size(), offsets.data(), count);
  std::vector<std::string> strings;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t end = i + 1 < count ? offsets[i + 1] : all.size();
    strings.push_back(all.substr(offsets[i], end - offsets[i]));
  }
  return Tensor::from_strings(std::move(shape), std::move(strings));
}

/// A result keeps its buffer and the library whose allocator made it.
struct Owned {
  std::shared_ptr<OrtLibrary> library;
  Ort::Value value{nullptr};
};

}  // namespace

Ort::Value to_ort(const Tensor& tensor) {
  if (tensor.dtype() == DType::kString) return strings_to_ort(tensor);
  static const Ort::MemoryInfo memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
  static char nothing = 0;  // ONNX Runtime refuses a null pointer even for no elements
  void* data = tensor.bytes().empty() ? static_cast<void*>(&nothing)
                                      : const_cast<void*>(static_cast<const void*>(tensor.bytes().data()));
  return Ort::Value::CreateTensor(memory, data, tensor.bytes().size(), tensor.shape().data(), tensor.shape().size(),
                                  to_ort(tensor.dtype()));
}

Tensor from_ort(Ort::Value value, const std::string& name, std::shared_ptr<OrtLibrary> library) {
  if (!value || !value.IsTensor() || !value.HasValue())
    fail(ErrorCode::kUnsupported, "output '{}' is not a tensor (a sequence, map or optional); pare reads tensors only",
         name);
  const Ort::TensorTypeAndShapeInfo info = value.GetTensorTypeAndShapeInfo();
  Shape shape = info.GetShape();
  const DType dtype = from_ort(info.GetElementType());
  if (dtype == DType::kString) return strings_from_ort(value, std::move(shape));
  if (dtype == DType::kUndefined)
    fail(ErrorCode::kUnsupported, "output '{}' has element type {} of ONNX Runtime, which pare does not know", name,
         static_cast<int>(info.GetElementType()));
  const auto size = static_cast<std::size_t>((element_count(shape) * dtype_bits(dtype) + 7) / 8);
  const auto* data = static_cast<const std::byte*>(size == 0 ? nullptr : value.GetTensorRawData());
  if (size <= kCopyBytes) return Tensor::from_bytes(dtype, std::move(shape), {data, data + size});
  auto owner = std::make_shared<Owned>(Owned{std::move(library), std::move(value)});
  return Tensor::view(dtype, std::move(shape), std::move(owner), {data, size});
}

void fill_type(ValueInfo& info, const Ort::TypeInfo& type) {
  if (type.GetONNXType() != ONNX_TYPE_TENSOR) return;
  const auto tensor = type.GetTensorTypeAndShapeInfo();
  info.dtype = from_ort(tensor.GetElementType());
}

}  // namespace pare
