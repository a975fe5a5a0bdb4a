// values.h - tensors of pare as values of ONNX Runtime and back, without copying where that is possible.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "pare/graph.h"
#include "runtime/onnxruntime/library.h"

namespace pare {

/// Looks at the tensor's bytes (strings are copied): the tensor must outlive the value.
[[nodiscard]] Ort::Value to_ort(const Tensor& tensor);
/// Shares the value's buffer. Throws Error(kUnsupported) if it is no dense tensor; `name` is for the message.
[[nodiscard]] Tensor from_ort(Ort::Value value, const std::string& name, std::shared_ptr<OrtLibrary> library);
/// Type and shape into `info`, as far as ONNX Runtime inferred them; dtype stays undefined for what is no dense tensor.
void fill_type(ValueInfo& info, const Ort::TypeInfo& type);

}  // namespace pare
