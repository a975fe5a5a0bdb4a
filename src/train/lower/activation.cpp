// Activations: Relu, LeakyRelu, PRelu, Sigmoid, Tanh, HardSigmoid, HardSwish, Clip, ...
#include <ATen/ATen.h>

#include "core/fail.h"
#include "train/lower/activations.h"
#include "train/lower/lower.h"

namespace pare {
namespace {

float parameter(const std::vector<float>& parameters, std::size_t index, float fallback) {
  return index < parameters.size() ? parameters[index] : fallback;
}

}  // namespace

Activation find_activation(const std::string& name, const std::vector<float>& parameters) {
  if (name.empty()) return [](const at::Tensor& x) { return x; };
  if (name == "Relu") return [](const at::Tensor& x) { return at::relu(x); };
  if (name == "Sigmoid") return [](const at::Tensor& x) { return at::sigmoid(x); };
  if (name == "Tanh") return [](const at::Tensor& x) { return at::tanh(x); };
  if (name == "HardSwish") return [](const at::Tensor& x) { return at::hardswish(x); };
  if (name == "LeakyRelu")
    return [alpha = parameter(parameters, 0, 0.01F)](const at::Tensor& x) { return at::leaky_relu(x, alpha); };
  if (name == "HardSigmoid")
    return [alpha = parameter(parameters, 0, 0.2F), beta = parameter(parameters, 1, 0.5F)](const at::Tensor& x) {
      return at::clamp(x * alpha + beta, 0, 1);
    };
  if (name == "Clip")
    return [low = parameter(parameters, 0, std::numeric_limits<float>::lowest()),
            high = parameter(parameters, 1, std::numeric_limits<float>::max())](const at::Tensor& x) {
      return at::clamp(x, low, high);
    };
  fail(ErrorCode::kUnsupported, "no gradient is known for the activation '{}'", name);
}

void lower_activation(LoweringTable& table) {
  table.add("Relu", [](const LowerInput&) {
    return TorchKernel(
        [](std::span<const at::Tensor> in, const PassOptions&) { return std::vector<at::Tensor>{at::relu(in[0])}; });
  });
}

}  // namespace pare
