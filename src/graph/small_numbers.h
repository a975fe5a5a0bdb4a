// small_numbers.h - small tensors whose type is told only at run time, and their arithmetic.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pare/graph.h"

namespace pare {

/// Larger results are not computed.
inline constexpr std::int64_t kMostSmallValues = 1024;

using Number = long double;  ///< holds every int64 and every double

struct SmallNumbers {
  DType dtype = DType::kUndefined;
  Shape shape;
  std::vector<Number> values;

  [[nodiscard]] std::int64_t rank() const { return static_cast<std::int64_t>(shape.size()); }
  /// Throws Error(kMalformedModel) on a value that no int64 holds.
  [[nodiscard]] Shape ints() const;
};

/// Absent: empty, too large, or of a type that is not computed with.
[[nodiscard]] std::optional<SmallNumbers> small_numbers(const Tensor& tensor);
/// A vector of int64.
[[nodiscard]] SmallNumbers small_ints(const std::vector<std::int64_t>& values);
/// Empty if its type is none of int64, int32, float32, float64 and bool, or does not hold the values.
[[nodiscard]] Tensor to_tensor(const SmallNumbers& small);

/// Absent if they do not fit.
[[nodiscard]] std::optional<Shape> broadcast_shape(const Shape& a, const Shape& b);
/// Element of `small` at an index of its shape, or of one that it broadcasts to.
[[nodiscard]] Number number_at(const SmallNumbers& small, const Shape& index);

/// A tensor of `shape` whose element at an index is value(index); absent if it is too large.
template <class F>
std::optional<SmallNumbers> make_numbers(DType dtype, Shape shape, F&& value) {
  if (element_count(shape) > kMostSmallValues) return std::nullopt;
  SmallNumbers out{dtype, shape, {}};
  Shape index(shape.size(), 0);
  for (std::int64_t left = element_count(shape); left > 0; --left) {
    out.values.push_back(value(index));
    for (std::size_t i = shape.size(); i-- > 0;) {
      if (++index[i] < shape[i]) break;
      index[i] = 0;
    }
  }
  return out;
}

template <class F>
SmallNumbers map_numbers(SmallNumbers small, F&& compute) {
  for (Number& value : small.values) value = compute(value);
  return small;
}

/// ONNX operators element by element; absent for others, for shapes that do not fit, and for divisions by 0.
[[nodiscard]] std::optional<SmallNumbers> unary_numbers(const std::string& op, const SmallNumbers& a);
[[nodiscard]] std::optional<SmallNumbers> binary_numbers(const std::string& op, const SmallNumbers& a,
                                                         const SmallNumbers& b);

}  // namespace pare
