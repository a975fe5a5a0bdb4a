#include "quantize/half.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/fail.h"

namespace pare {

HalfLoss half_loss(const Tensor& tensor) {
  HalfLoss loss;
  bool integers = true, inexact = false;
  for (const float value : tensor.data<float>()) {
    ++loss.count;
    if (std::isnan(value)) ++loss.nan;
    if (!std::isfinite(value) || value == 0) continue;
    const double magnitude = std::abs(static_cast<double>(value));
    const float half = half_to_float(float_to_half(value));
    ++loss.nonzero;
    loss.max_abs = std::max(loss.max_abs, magnitude);
    loss.min_abs = loss.min_abs == 0 ? magnitude : std::min(loss.min_abs, magnitude);
    loss.overflow += std::isinf(half);
    loss.to_zero += half == 0;
    loss.to_subnormal += half != 0 && magnitude < kHalfNormalMin;
    integers = integers && magnitude * 2 == std::floor(magnitude * 2);
    inexact = inexact || half != value;
  }
  loss.inexact_integers = loss.nonzero > 0 && integers && inexact;
  return loss;
}

Tensor to_half(const Tensor& tensor, std::string_view where) {
  const std::span<const float> values = tensor.data<float>();
  std::vector<std::byte> bytes(values.size() * sizeof(std::uint16_t));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t bits = float_to_half(values[i]);
    if ((bits & 0x7FFFU) == 0x7C00U && std::isfinite(values[i]))
      fail(ErrorCode::kNumeric,
           "{}: element {} of a {} constant is {}, float16 ends at 65504\n  remedy: exclude this node from the "
           "conversion",
           where, i, shape_text(tensor.shape()), values[i]);
    std::memcpy(bytes.data() + i * sizeof bits, &bits, sizeof bits);
  }
  return Tensor::from_bytes(DType::kFloat16, tensor.shape(), std::move(bytes));
}

}  // namespace pare
