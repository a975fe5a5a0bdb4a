#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "core/fail.h"
#include "core/random.h"
#include "core/words.h"
#include "pare/session.h"
#include "runtime/check_inputs.h"

namespace pare {
namespace {

constexpr std::int64_t kImageSize = 224;
constexpr std::int64_t kChannels = 3;

bool is_number(const Dim& dim) { return dim.value && *dim.value >= 0; }

/// Images come as NCHW unless only the last dimension is a number.
bool is_channel_axis(const std::vector<Dim>& dims, std::size_t axis) {
  return dims.size() == 4 && axis == 1 && !(is_number(dims[3]) && !is_number(dims[2]));
}

/// Symbols of first dimensions: where they come again ("state [2, batch, 128]") they mean the batch too.
std::set<std::string> batch_symbols(const std::vector<ValueInfo>& inputs) {
  std::set<std::string> symbols;
  for (const ValueInfo& info : inputs)
    if (info.shape && !info.shape->empty() && !is_number(info.shape->front()))
      symbols.insert(info.shape->front().symbol);
  symbols.erase("");
  return symbols;
}

Shape choose_shape(const ValueInfo& info, const InputOptions& options, const std::set<std::string>& batch) {
  const auto given = options.shapes.find(info.name);
  if (given != options.shapes.end()) {
    if (!shape_fits(info, given->second))
      fail(ErrorCode::kInvalidArgument, "input '{}': shape {} was given, but the model declares {}", info.name,
           shape_text(given->second), declared_text(info));
    return given->second;
  }
  if (!info.shape)
    fail(ErrorCode::kInvalidArgument, "input '{}' declares no shape\n  remedy: give the shape of this input",
         info.name);
  Shape shape;
  for (std::size_t axis = 0; axis < info.shape->size(); ++axis) {
    const Dim& dim = (*info.shape)[axis];
    if (is_number(dim))
      shape.push_back(*dim.value);
    else if (axis == 0 || batch.contains(dim.symbol))
      shape.push_back(options.batch);
    else if (is_channel_axis(*info.shape, axis))
      shape.push_back(kChannels);
    else
      shape.push_back(options.image_size > 0 ? options.image_size : kImageSize);
  }
  return shape;
}

template <class T, class F>
Tensor filled(DType dtype, Shape shape, F next) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(element_count(shape)) * sizeof(T));
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(T)) {
    const T value = next();
    std::memcpy(bytes.data() + at, &value, sizeof(T));
  }
  return Tensor::from_bytes(dtype, std::move(shape), std::move(bytes));
}

Tensor random_tensor(const ValueInfo& info, Shape shape, Rng& rng) {
  const auto real = [&] { return rng.uniform(); };
  const auto bit = [&] { return rng.below(2); };
  switch (info.dtype) {
    case DType::kFloat32:
      // Rounding to float could give 1 itself.
      return filled<float>(info.dtype, std::move(shape),
                           [&] { return std::min(static_cast<float>(real()), 0.9999999F); });
    case DType::kFloat64:
      return filled<double>(info.dtype, std::move(shape), real);
    case DType::kFloat16:
      return filled<std::uint16_t>(info.dtype, std::move(shape),
                                   [&] { return float_to_half(std::min(static_cast<float>(real()), 0.9995F)); });
    case DType::kBFloat16:
      return filled<std::uint16_t>(info.dtype, std::move(shape),
                                   [&] { return float_to_bfloat16(std::min(static_cast<float>(real()), 0.996F)); });
    case DType::kUint8:
    case DType::kInt8:
    case DType::kBool:
      return filled<std::uint8_t>(info.dtype, std::move(shape), bit);
    case DType::kUint16:
    case DType::kInt16:
      return filled<std::uint16_t>(info.dtype, std::move(shape), bit);
    case DType::kUint32:
    case DType::kInt32:
      return filled<std::uint32_t>(info.dtype, std::move(shape), bit);
    case DType::kUint64:
    case DType::kInt64:
      return filled<std::uint64_t>(info.dtype, std::move(shape), bit);
    default:
      fail(ErrorCode::kUnsupported,
           "input '{}' is {}: there are no random values of this type\n  remedy: give real data", info.name,
           info.opaque_type.empty() ? declared_text(info) : "no tensor");
  }
}

}  // namespace

NamedTensors random_inputs(const std::vector<ValueInfo>& inputs, const InputOptions& options) {
  std::vector<std::string> names;
  for (const ValueInfo& info : inputs) names.push_back(info.name);
  for (const auto& [name, shape] : options.shapes)
    if (std::find(names.begin(), names.end(), name) == names.end())
      fail(ErrorCode::kInvalidArgument, "a shape was given for '{}', but the inputs of the model are: {}{}", name,
           join(names, ", "), nearest_hint(name, names));
  const std::set<std::string> batch = batch_symbols(inputs);
  Rng rng(options.seed);
  NamedTensors tensors;
  for (const ValueInfo& info : inputs)
    tensors[info.name] = random_tensor(info, choose_shape(info, options, batch), rng);
  return tensors;
}

}  // namespace pare
