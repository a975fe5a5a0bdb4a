#include "pare/tensor.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/fail.h"

namespace pare {
namespace {

struct DTypeInfo {
  std::string_view name;
  int bits;
};
constexpr std::array<DTypeInfo, 27> kDTypes = {
    {{"undefined", 0},      {"float32", 32},  {"uint8", 8},        {"int8", 8},           {"uint16", 16},
     {"int16", 16},         {"int32", 32},    {"int64", 64},       {"string", 0},         {"bool", 8},
     {"float16", 16},       {"float64", 64},  {"uint32", 32},      {"uint64", 64},        {"complex64", 64},
     {"complex128", 128},   {"bfloat16", 16}, {"float8e4m3fn", 8}, {"float8e4m3fnuz", 8}, {"float8e5m2", 8},
     {"float8e5m2fnuz", 8}, {"uint4", 4},     {"int4", 4},         {"float4e2m1", 4},     {"float8e8m0", 8},
     {"uint2", 2},          {"int2", 2}}};

const DTypeInfo& info(DType dtype) {
  const auto index = static_cast<std::size_t>(dtype);
  return index < kDTypes.size() ? kDTypes[index] : kDTypes[0];
}

std::int64_t packed_size(DType dtype, const Shape& shape) { return (element_count(shape) * dtype_bits(dtype) + 7) / 8; }

template <class To, class From>
To convert(From value) {
  if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    if (!(value >= From{-0x1p63} && value < From{0x1p63}))
      return value < 0 ? std::numeric_limits<To>::min() : value > 0 ? std::numeric_limits<To>::max() : To{0};
    return static_cast<To>(std::nearbyint(value));
  } else if constexpr (std::is_same_v<From, std::uint64_t> && std::is_integral_v<To>) {
    return static_cast<To>(std::min<std::uint64_t>(value, std::numeric_limits<std::int64_t>::max()));
  } else {
    return static_cast<To>(value);
  }
}

template <class To>
std::vector<To> widen(const Tensor& tensor) {
  std::vector<To> out;
  out.reserve(static_cast<std::size_t>(tensor.element_count()));
  const auto each = [&]<class From>(std::span<const From> values) {
    for (const From value : values) out.push_back(convert<To>(value));
  };
  switch (tensor.dtype()) {
    case DType::kFloat32:
      each(tensor.data<float>());
      break;
    case DType::kFloat64:
      each(tensor.data<double>());
      break;
    case DType::kUint8:
      each(tensor.data<std::uint8_t>());
      break;
    case DType::kInt8:
      each(tensor.data<std::int8_t>());
      break;
    case DType::kUint16:
      each(tensor.data<std::uint16_t>());
      break;
    case DType::kInt16:
      each(tensor.data<std::int16_t>());
      break;
    case DType::kUint32:
      each(tensor.data<std::uint32_t>());
      break;
    case DType::kInt32:
      each(tensor.data<std::int32_t>());
      break;
    case DType::kUint64:
      each(tensor.data<std::uint64_t>());
      break;
    case DType::kInt64:
      each(tensor.data<std::int64_t>());
      break;
    case DType::kBool:
      for (const std::byte value : tensor.bytes()) out.push_back(value == std::byte{0} ? To{0} : To{1});
      break;
    case DType::kFloat16:
      for (const std::uint16_t bits : tensor.half_bits()) out.push_back(convert<To>(half_to_float(bits)));
      break;
    case DType::kBFloat16:
      for (const std::uint16_t bits : tensor.half_bits()) out.push_back(convert<To>(bfloat16_to_float(bits)));
      break;
    default:
      fail(ErrorCode::kUnsupported, "cannot read elements of type {} as numbers", dtype_name(tensor.dtype()));
  }
  return out;
}

}  // namespace

std::string_view dtype_name(DType dtype) noexcept { return info(dtype).name; }
int dtype_bits(DType dtype) noexcept { return info(dtype).bits; }
bool is_float(DType dtype) noexcept {
  return dtype == DType::kFloat32 || dtype == DType::kFloat16 || dtype == DType::kBFloat16 || dtype == DType::kFloat64;
}

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  bool overflow = false, zero = false;
  for (const std::int64_t dim : shape) {
    if (dim < 0) fail(ErrorCode::kInvalidArgument, "negative dimension in shape {}", shape_text(shape));
    zero = zero || dim == 0;
    overflow = overflow || __builtin_mul_overflow(count, dim, &count);
  }
  if (zero) return 0;
  // 2^55 elements leave room for the size in bits.
  if (overflow || count > (std::int64_t{1} << 55))
    fail(ErrorCode::kInvalidArgument, "shape {} is too large", shape_text(shape));
  return count;
}

std::string shape_text(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

Tensor Tensor::from_bytes(DType dtype, Shape shape, std::vector<std::byte> bytes) {
  auto owner = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  const std::span<const std::byte> all(*owner);
  return view(dtype, std::move(shape), std::move(owner), all);
}

Tensor Tensor::view(DType dtype, Shape shape, std::shared_ptr<const void> owner, std::span<const std::byte> bytes) {
  if (dtype_bits(dtype) == 0)
    fail(ErrorCode::kInvalidArgument, "a tensor of type {} is not made of bytes", dtype_name(dtype));
  const std::int64_t wanted = packed_size(dtype, shape);
  if (wanted != static_cast<std::int64_t>(bytes.size()))
    fail(ErrorCode::kInvalidArgument, "{} {} takes {} bytes, not {}", dtype_name(dtype), shape_text(shape), wanted,
         bytes.size());
  Tensor tensor;
  const auto alignment = static_cast<std::uintptr_t>(dtype_bits(dtype) >= 64 ? 8 : (dtype_bits(dtype) + 7) / 8);
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignment != 0)
    return copy_of(dtype, std::move(shape), bytes.data(), bytes.size());
  tensor.dtype_ = dtype;
  tensor.shape_ = std::move(shape);
  tensor.owner_ = std::move(owner);
  tensor.bytes_ = bytes;
  return tensor;
}

Tensor Tensor::from_strings(Shape shape, std::vector<std::string> strings) {
  if (pare::element_count(shape) != static_cast<std::int64_t>(strings.size()))
    fail(ErrorCode::kInvalidArgument, "string {} does not take {} strings", shape_text(shape), strings.size());
  Tensor tensor;
  tensor.dtype_ = DType::kString;
  tensor.shape_ = std::move(shape);
  tensor.strings_ = std::make_shared<const std::vector<std::string>>(std::move(strings));
  return tensor;
}

Tensor Tensor::zeros(DType dtype, Shape shape) {
  if (dtype_bits(dtype) == 0) fail(ErrorCode::kInvalidArgument, "no zeros of type {}", dtype_name(dtype));
  std::vector<std::byte> bytes(static_cast<std::size_t>(packed_size(dtype, shape)));
  return from_bytes(dtype, std::move(shape), std::move(bytes));
}

Tensor Tensor::copy_of(DType dtype, Shape shape, const void* data, std::size_t size_bytes) {
  std::vector<std::byte> bytes(size_bytes);
  if (size_bytes > 0) std::memcpy(bytes.data(), data, size_bytes);
  return from_bytes(dtype, std::move(shape), std::move(bytes));
}

const std::vector<std::string>& Tensor::strings() const noexcept {
  static const std::vector<std::string> kNone;
  return strings_ ? *strings_ : kNone;
}

std::span<const std::uint16_t> Tensor::half_bits() const {
  if (dtype_ != DType::kFloat16 && dtype_ != DType::kBFloat16) require(DType::kFloat16);
  return {reinterpret_cast<const std::uint16_t*>(bytes_.data()), bytes_.size() / 2};
}

std::vector<float> Tensor::to_floats() const { return widen<float>(*this); }
std::vector<std::int64_t> Tensor::to_int64s() const { return widen<std::int64_t>(*this); }

Tensor Tensor::reshaped(Shape shape) const {
  if (pare::element_count(shape) != element_count())
    fail(ErrorCode::kInvalidArgument, "cannot see {} as {}", shape_text(shape_), shape_text(shape));
  Tensor tensor = *this;
  tensor.shape_ = std::move(shape);
  return tensor;
}

bool Tensor::same_as(const Tensor& other) const noexcept {
  if (dtype_ != other.dtype_ || shape_ != other.shape_ || bytes_.size() != other.bytes_.size()) return false;
  if (dtype_ == DType::kString) return strings() == other.strings();
  return bytes_.data() == other.bytes_.data() || bytes_.empty() ||
         std::memcmp(bytes_.data(), other.bytes_.data(), bytes_.size()) == 0;
}

void Tensor::require(DType wanted) const {
  if (dtype_ != wanted)
    fail(ErrorCode::kInvalidArgument, "a tensor of {} {} was read as {}", dtype_name(dtype_), shape_text(shape_),
         dtype_name(wanted));
}

float half_to_float(std::uint16_t bits) noexcept {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1FU, fraction = bits & 0x3FFU;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000U | (fraction << 13));
  if (exponent == 0)
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(static_cast<float>(fraction) * 0x1p-24F));
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
}

std::uint16_t float_to_half(float value) noexcept {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return static_cast<std::uint16_t>(sign | 0x7E00U | ((magnitude >> 13) & 0x3FFU));
  if (magnitude >= 0x47800000U) return static_cast<std::uint16_t>(sign | 0x7C00U);  // 65536 and more, infinity
  if (magnitude < 0x38800000U) {  // below 2^-14: a multiple of 2^-24, rounded by the float unit itself (ties to even)
    const float scaled = std::bit_cast<float>(magnitude) * 0x1p24F;
    return static_cast<std::uint16_t>(sign | static_cast<std::uint16_t>(std::nearbyint(scaled)));
  }
  const std::uint32_t rounded = magnitude + 0xFFFU + ((magnitude >> 13) & 1U);
  return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000U) >> 13));
}

float bfloat16_to_float(std::uint16_t bits) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

std::uint16_t float_to_bfloat16(float value) noexcept {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<std::uint16_t>((bits >> 16) | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

}  // namespace pare
