// Activations, element by element, and Softmax.
#include <limits>

#include "core/fail.h"
#include "train/lower/activations.h"
#include "train/lower/kernels.h"

namespace pare {
namespace {

float parameter(const std::vector<float>& parameters, std::size_t index, float fallback) {
  return index < parameters.size() ? parameters[index] : fallback;
}

at::Tensor hard_sigmoid(const at::Tensor& x, double alpha, double beta) {
  if (std::abs(alpha - 1.0 / 6) < 1e-7 && beta == 0.5) return at::hardsigmoid(x);
  return at::hardtanh(x * alpha + beta, 0, 1);
}

/// The activation of that name, its parameters taken from attributes.
MakeKernel activation(const std::string& name, const std::vector<std::pair<std::string, float>>& attributes) {
  return [name, attributes](const LowerInput& input) -> TorchKernel {
    std::vector<float> parameters;
    for (const auto& [attribute, fallback] : attributes) parameters.push_back(input.node.float_or(attribute, fallback));
    return [apply = find_activation(name, parameters)](std::span<const at::Tensor> in, const PassOptions&) {
      return Tensors{apply(in[0])};
    };
  };
}

/// Torch's hardtanh computes the same as its clamp, and its gradient in half the time.
at::Tensor limited(const at::Tensor& x, const std::optional<at::Scalar>& low, const std::optional<at::Scalar>& high) {
  if (!low && !high) return x;
  if (x.is_floating_point() && low && high && low->toDouble() <= high->toDouble()) return at::hardtanh(x, *low, *high);
  return at::clamp(x, low, high);
}

TorchKernel make_clip(const LowerInput& input) {
  std::optional<at::Scalar> low, high;
  if (input.node.find_attribute("min") != nullptr) low = input.node.float_or("min", 0);
  if (input.node.find_attribute("max") != nullptr) high = input.node.float_or("max", 0);
  return [low, high](std::span<const at::Tensor> in, const PassOptions&) {
    const std::optional<at::Scalar> from = has_input(in, 1) ? in[1].item() : low;
    const std::optional<at::Scalar> to = has_input(in, 2) ? in[2].item() : high;
    return Tensors{limited(in[0], from, to)};
  };
}

TorchKernel make_prelu(const LowerInput& input) {
  return [old = input.opset < 7](std::span<const at::Tensor> in, const PassOptions&) {
    const at::Tensor& x = in[0];
    at::Tensor slope = cast_to(in[1], x.scalar_type());
    const std::int64_t channels = x.dim() > 1 ? x.size(1) : 1;
    const bool by_channel = slope.numel() == channels &&
                            ((old && slope.dim() == 1) || (slope.dim() == x.dim() - 1 && slope.size(0) == channels));
    if (slope.numel() == 1 || by_channel) return Tensors{at::prelu(x, slope.reshape(-1))};
    return Tensors{at::where(x > 0, x, x * slope)};
  };
}

TorchKernel make_gelu(const LowerInput& input) {
  return [how = input.node.string_or("approximate", "none")](std::span<const at::Tensor> in, const PassOptions&) {
    return Tensors{at::gelu(in[0], how)};
  };
}

/// Before operator set 13 all axes from `axis` on are one.
MakeKernel softmax(at::Tensor (*function)(const at::Tensor&, std::int64_t)) {
  return [function](const LowerInput& input) -> TorchKernel {
    const bool old = input.opset < 13;
    const std::int64_t axis = input.node.int_or("axis", old ? 1 : -1);
    return [=](std::span<const at::Tensor> in, const PassOptions&) {
      const at::Tensor& x = in[0];
      const std::int64_t from = wrap_axis(axis, x.dim());
      if (!old || from == x.dim() - 1) return Tensors{function(x, from)};
      std::int64_t rows = 1;
      for (std::int64_t i = 0; i < from; ++i) rows *= x.size(i);
      return Tensors{function(x.reshape({rows, -1}), 1).reshape(x.sizes())};
    };
  };
}

}  // namespace

Activation find_activation(const std::string& name, const std::vector<float>& parameters) {
  const float first = parameter(parameters, 0, 0), second = parameter(parameters, 1, 0);
  if (name.empty()) return [](const at::Tensor& x) { return x; };
  if (name == "Relu") return [](const at::Tensor& x) { return at::relu(x); };
  if (name == "Sigmoid") return [](const at::Tensor& x) { return at::sigmoid(x); };
  if (name == "Tanh") return [](const at::Tensor& x) { return at::tanh(x); };
  if (name == "HardSwish") return [](const at::Tensor& x) { return at::hardswish(x); };
  if (name == "LeakyRelu")
    return [alpha = parameter(parameters, 0, 0.01F)](const at::Tensor& x) { return at::leaky_relu(x, alpha); };
  if (name == "HardSigmoid")
    return [alpha = parameter(parameters, 0, 0.2F), beta = parameter(parameters, 1, 0.5F)](const at::Tensor& x) {
      return hard_sigmoid(x, alpha, beta);
    };
  if (name == "Clip")
    return [low = parameter(parameters, 0, std::numeric_limits<float>::lowest()),
            high = parameter(parameters, 1, std::numeric_limits<float>::max())](const at::Tensor& x) {
      return limited(x, low, high);
    };
  if (name == "Elu") return [first](const at::Tensor& x) { return at::elu(x, first); };
  if (name == "Selu") return [first, second](const at::Tensor& x) { return at::elu(x, first, second); };
  if (name == "Celu") return [first](const at::Tensor& x) { return at::celu(x, first); };
  if (name == "ThresholdedRelu") return [first](const at::Tensor& x) { return at::threshold(x, first, 0); };
  if (name == "Softplus") return [](const at::Tensor& x) { return at::softplus(x); };
  if (name == "Softsign") return [](const at::Tensor& x) { return x / (x.abs() + 1); };
  fail(ErrorCode::kUnsupported, "no gradient is known for the activation '{}'", name);
}

void lower_activation(LoweringTable& table) {
  table.add("Relu", activation("Relu", {}));
  table.add("LeakyRelu", activation("LeakyRelu", {{"alpha", 0.01F}}));
  table.add("Sigmoid", activation("Sigmoid", {}));
  table.add("Tanh", activation("Tanh", {}));
  table.add("HardSwish", activation("HardSwish", {}));
  table.add("HardSigmoid", activation("HardSigmoid", {{"alpha", 0.2F}, {"beta", 0.5F}}));
  table.add("Elu", activation("Elu", {{"alpha", 1.0F}}));
  table.add("Selu", activation("Selu", {{"alpha", 1.67326319217681884765625F}, {"gamma", 1.05070102214813232421875F}}));
  table.add("Celu", activation("Celu", {{"alpha", 1.0F}}));
  table.add("ThresholdedRelu", activation("ThresholdedRelu", {{"alpha", 1.0F}}));
  table.add("Softplus", activation("Softplus", {}));
  table.add("Softsign", activation("Softsign", {}));
  table.add("Mish", of_one([](const at::Tensor& x) { return at::mish(x); }));
  table.add("Clip", make_clip);
  table.add("PRelu", make_prelu);
  table.add("Gelu", make_gelu);
  table.add("Gelu", make_gelu, "com.microsoft");
  table.add("Softmax", softmax([](const at::Tensor& x, std::int64_t axis) { return at::softmax(x, axis); }));
  table.add("LogSoftmax", softmax([](const at::Tensor& x, std::int64_t axis) { return at::log_softmax(x, axis); }));
}

}  // namespace pare
