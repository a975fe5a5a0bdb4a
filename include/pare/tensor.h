// pare/tensor.h - a typed, shaped block of immutable bytes: weights, activations and batches alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pare {

/// Element types, numbered as in ONNX (TensorProto.DataType).
enum class DType : int {
  kUndefined = 0,
  kFloat32 = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kFloat64 = 11,
  kUint32 = 12,
  kUint64 = 13,
  kComplex64 = 14,
  kComplex128 = 15,
  kBFloat16 = 16,
  kFloat8E4M3FN = 17,
  kFloat8E4M3FNUZ = 18,
  kFloat8E5M2 = 19,
  kFloat8E5M2FNUZ = 20,
  kUint4 = 21,
  kInt4 = 22,
  kFloat4E2M1 = 23,
  kFloat8E8M0 = 24,
  kUint2 = 25,
  kInt2 = 26,
};

/// "float32", "uint8", ...; "undefined" for anything else.
[[nodiscard]] std::string_view dtype_name(DType dtype) noexcept;
/// Bits of one element; 0 for kString and kUndefined.
[[nodiscard]] int dtype_bits(DType dtype) noexcept;
/// float16, bfloat16, float32, float64.
[[nodiscard]] bool is_float(DType dtype) noexcept;

using Shape = std::vector<std::int64_t>;

/// Product of the dimensions; 1 for a scalar. Throws Error(kInvalidArgument) on a negative dimension or overflow.
[[nodiscard]] std::int64_t element_count(const Shape& shape);
/// "[1, 3, 32, 32]".
[[nodiscard]] std::string shape_text(const Shape& shape);

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::kFloat32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::kFloat64;
};
template <>
struct DTypeOf<std::uint8_t> {
  static constexpr DType value = DType::kUint8;
};
template <>
struct DTypeOf<std::int8_t> {
  static constexpr DType value = DType::kInt8;
};
template <>
struct DTypeOf<std::uint16_t> {
  static constexpr DType value = DType::kUint16;
};
template <>
struct DTypeOf<std::int16_t> {
  static constexpr DType value = DType::kInt16;
};
template <>
struct DTypeOf<std::uint32_t> {
  static constexpr DType value = DType::kUint32;
};
template <>
struct DTypeOf<std::int32_t> {
  static constexpr DType value = DType::kInt32;
};
template <>
struct DTypeOf<std::uint64_t> {
  static constexpr DType value = DType::kUint64;
};
template <>
struct DTypeOf<std::int64_t> {
  static constexpr DType value = DType::kInt64;
};
template <>
struct DTypeOf<bool> {
  static constexpr DType value = DType::kBool;
};

/// Row-major, little-endian, immutable; copies share the bytes. Sub-byte types are packed as ONNX packs them
/// (two int4 a byte, low half first).
class Tensor {
 public:
  Tensor() = default;

  /// Takes the bytes over. Throws Error(kInvalidArgument) if their number does not fit dtype and shape.
  static Tensor from_bytes(DType dtype, Shape shape, std::vector<std::byte> bytes);
  /// Looks at bytes that `owner` keeps alive (a memory-mapped file, a runtime's buffer).
  static Tensor view(DType dtype, Shape shape, std::shared_ptr<const void> owner, std::span<const std::byte> bytes);
  static Tensor from_strings(Shape shape, std::vector<std::string> strings);
  static Tensor zeros(DType dtype, Shape shape);

  template <class T>
  static Tensor of(Shape shape, const std::vector<T>& values);
  template <class T>
  static Tensor scalar(T value) {
    return of<T>({}, std::vector<T>{value});
  }

  [[nodiscard]] DType dtype() const noexcept { return dtype_; }
  [[nodiscard]] const Shape& shape() const noexcept { return shape_; }
  [[nodiscard]] std::int64_t rank() const noexcept { return static_cast<std::int64_t>(shape_.size()); }
  [[nodiscard]] std::int64_t element_count() const { return pare::element_count(shape_); }
  [[nodiscard]] std::int64_t size_bytes() const noexcept { return static_cast<std::int64_t>(bytes_.size()); }
  [[nodiscard]] bool empty() const noexcept { return dtype_ == DType::kUndefined; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }
  /// The strings of a kString tensor; empty for every other dtype.
  [[nodiscard]] const std::vector<std::string>& strings() const noexcept;

  /// The elements as T. Throws Error(kInvalidArgument) unless dtype() is T's.
  template <class T>
  [[nodiscard]] std::span<const T> data() const {
    require(DTypeOf<T>::value);
    return {reinterpret_cast<const T*>(bytes_.data()), bytes_.size() / sizeof(T)};
  }
  /// float16 and bfloat16 as their bit patterns.
  [[nodiscard]] std::span<const std::uint16_t> half_bits() const;

  /// Every numeric dtype of 8 bits and more, and bool, widened or rounded to float / int64. Throws Error(kUnsupported)
  /// on the others.
  [[nodiscard]] std::vector<float> to_floats() const;
  [[nodiscard]] std::vector<std::int64_t> to_int64s() const;

  /// The same bytes under another shape of equally many elements.
  [[nodiscard]] Tensor reshaped(Shape shape) const;
  /// Same dtype, shape and bytes.
  [[nodiscard]] bool same_as(const Tensor& other) const noexcept;

 private:
  void require(DType wanted) const;
  static Tensor copy_of(DType dtype, Shape shape, const void* data, std::size_t size_bytes);

  DType dtype_ = DType::kUndefined;
  Shape shape_;
  std::shared_ptr<const void> owner_;
  std::span<const std::byte> bytes_;
  std::shared_ptr<const std::vector<std::string>> strings_;
};

template <class T>
Tensor Tensor::of(Shape shape, const std::vector<T>& values) {
  if constexpr (std::is_same_v<T, bool>) {
    std::vector<std::uint8_t> raw(values.begin(), values.end());
    return copy_of(DType::kBool, std::move(shape), raw.data(), raw.size());
  } else {
    return copy_of(DTypeOf<T>::value, std::move(shape), values.data(), values.size() * sizeof(T));
  }
}

/// IEEE conversions, rounding to nearest, ties to even; subnormals kept, overflow to infinity, NaN stays NaN.
[[nodiscard]] float half_to_float(std::uint16_t bits) noexcept;
[[nodiscard]] std::uint16_t float_to_half(float value) noexcept;
[[nodiscard]] float bfloat16_to_float(std::uint16_t bits) noexcept;
[[nodiscard]] std::uint16_t float_to_bfloat16(float value) noexcept;

}  // namespace pare
