// values.h - tensors of pare as tensors of OpenVINO and back.
#pragma once

#include <openvino/openvino.hpp>
#include <string>

#include "pare/graph.h"

namespace pare {

/// Looks at the tensor's bytes: it must outlive the result. Throws Error(kUnsupported) for a type OpenVINO has not.
[[nodiscard]] ov::Tensor to_openvino(const Tensor& tensor);
/// A copy: OpenVINO writes the next run into the same memory. `name` is for the message.
[[nodiscard]] Tensor from_openvino(const ov::Tensor& tensor, const std::string& name);
[[nodiscard]] DType from_openvino(const ov::element::Type& type);

}  // namespace pare
