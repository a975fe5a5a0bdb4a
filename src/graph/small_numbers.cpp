#include "graph/small_numbers.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "core/fail.h"

namespace pare {
namespace {

template <class T>
bool fits(Number value) {
  return value >= static_cast<Number>(std::numeric_limits<T>::min()) &&
         value <= static_cast<Number>(std::numeric_limits<T>::max());
}

template <class T>
Tensor typed(const SmallNumbers& small) {
  std::vector<T> values;
  for (const Number value : small.values) {
    if (std::is_integral_v<T> && !fits<T>(value)) return {};
    values.push_back(static_cast<T>(value));
  }
  return Tensor::of<T>(small.shape, values);
}

Shape strides_of(const Shape& shape) {
  Shape strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

template <class F>
std::optional<SmallNumbers> elementwise(const SmallNumbers& a, const SmallNumbers& b, DType dtype, F&& compute) {
  const auto shape = broadcast_shape(a.shape, b.shape);
  if (!shape) return std::nullopt;
  return make_numbers(dtype, *shape,
                      [&](const Shape& index) { return compute(number_at(a, index), number_at(b, index)); });
}

}  // namespace

Shape SmallNumbers::ints() const {
  Shape numbers;
  for (const Number value : values) {
    if (!fits<std::int64_t>(value)) throw Error(ErrorCode::kMalformedModel, "no integer");
    numbers.push_back(static_cast<std::int64_t>(value));
  }
  return numbers;
}

std::optional<SmallNumbers> small_numbers(const Tensor& tensor) {
  if (tensor.empty() || tensor.dtype() == DType::kString || dtype_bits(tensor.dtype()) < 8 ||
      tensor.element_count() > kMostSmallValues)
    return std::nullopt;
  SmallNumbers small{tensor.dtype(), tensor.shape(), {}};
  if (tensor.dtype() == DType::kFloat64) {
    for (const double value : tensor.data<double>()) small.values.push_back(value);
  } else if (is_float(tensor.dtype())) {
    for (const float value : tensor.to_floats()) small.values.push_back(value);
  } else {
    for (const std::int64_t value : tensor.to_int64s()) small.values.push_back(static_cast<Number>(value));
  }
  return small;
}

Tensor to_tensor(const SmallNumbers& small) {
  switch (small.dtype) {
    case DType::kInt64:
      return typed<std::int64_t>(small);
    case DType::kInt32:
      return typed<std::int32_t>(small);
    case DType::kFloat32:
      return typed<float>(small);
    case DType::kFloat64:
      return typed<double>(small);
    case DType::kBool:
      return typed<bool>(small);
    default:
      return {};
  }
}

SmallNumbers small_ints(const std::vector<std::int64_t>& values) {
  SmallNumbers small{DType::kInt64, {static_cast<std::int64_t>(values.size())}, {}};
  small.values.assign(values.begin(), values.end());
  return small;
}

std::optional<Shape> broadcast_shape(const Shape& a, const Shape& b) {
  Shape out(std::max(a.size(), b.size()), 1);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1, y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1) return std::nullopt;
    out[out.size() - 1 - i] = x == 1 ? y : x;
  }
  return out;
}

Number number_at(const SmallNumbers& small, const Shape& index) {
  const Shape strides = strides_of(small.shape);
  std::int64_t offset = 0;
  const std::size_t skip = index.size() - small.shape.size();
  for (std::size_t i = 0; i < small.shape.size(); ++i)
    if (small.shape[i] != 1) offset += index[skip + i] * strides[i];
  return small.values[static_cast<std::size_t>(offset)];
}

std::optional<SmallNumbers> unary_numbers(const std::string& op, const SmallNumbers& a) {
  if (op == "Identity") return a;
  if (op == "Neg") return map_numbers(a, [](Number x) { return -x; });
  if (op == "Abs") return map_numbers(a, [](Number x) { return std::abs(x); });
  if (op == "Floor") return map_numbers(a, [](Number x) { return std::floor(x); });
  if (op == "Ceil") return map_numbers(a, [](Number x) { return std::ceil(x); });
  if (op == "Not") return map_numbers(a, [](Number x) { return Number(x == 0); });
  return std::nullopt;
}

std::optional<SmallNumbers> binary_numbers(const std::string& op, const SmallNumbers& a, const SmallNumbers& b) {
  const bool whole = !is_float(a.dtype);
  if (op == "Add") return elementwise(a, b, a.dtype, [](Number x, Number y) { return x + y; });
  if (op == "Sub") return elementwise(a, b, a.dtype, [](Number x, Number y) { return x - y; });
  if (op == "Mul") return elementwise(a, b, a.dtype, [](Number x, Number y) { return x * y; });
  if (op == "Min") return elementwise(a, b, a.dtype, [](Number x, Number y) { return std::min(x, y); });
  if (op == "Max") return elementwise(a, b, a.dtype, [](Number x, Number y) { return std::max(x, y); });
  if (op == "Equal") return elementwise(a, b, DType::kBool, [](Number x, Number y) { return Number(x == y); });
  if (op == "Greater") return elementwise(a, b, DType::kBool, [](Number x, Number y) { return Number(x > y); });
  if (op == "Less") return elementwise(a, b, DType::kBool, [](Number x, Number y) { return Number(x < y); });
  if (std::find(b.values.begin(), b.values.end(), Number(0)) != b.values.end()) return std::nullopt;
  if (op == "Div")
    return elementwise(a, b, a.dtype, [&](Number x, Number y) { return whole ? std::trunc(x / y) : x / y; });
  if (op == "Mod" && whole)
    return elementwise(a, b, a.dtype, [](Number x, Number y) { return x - y * std::floor(x / y); });
  return std::nullopt;
}

}  // namespace pare
