// activations.h - activation functions by name, for the nodes that carry one inside.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

namespace pare {

using Activation = std::function<at::Tensor(const at::Tensor&)>;
/// "Relu", "LeakyRelu" (alpha), "Sigmoid", "Tanh", "HardSigmoid" (alpha, beta), "Clip" (min, max), "HardSwish"; "" is
/// the identity. Throws Error(kUnsupported) on another name.
[[nodiscard]] Activation find_activation(const std::string& name, const std::vector<float>& parameters);

}  // namespace pare
