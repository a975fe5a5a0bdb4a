#include "runtime/check_inputs.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/fail.h"
#include "core/words.h"

namespace pare {
namespace {

std::string dim_text(const Dim& dim) {
  if (dim.value && *dim.value >= 0) return std::to_string(*dim.value);
  return dim.symbol.empty() ? "?" : dim.symbol;
}

Shape permuted(const Shape& shape, const std::vector<std::size_t>& order) {
  Shape out;
  for (const std::size_t axis : order) out.push_back(shape[axis]);
  return out;
}

/// The commonest mistake with images: right numbers, wrong order.
std::string layout_hint(const ValueInfo& info, const Shape& shape) {
  if (!info.shape) return {};
  if (shape.size() == 4 && info.shape->size() == 4) {
    if (shape_fits(info, permuted(shape, {0, 3, 1, 2})))
      return "\n  remedy: this looks like NHWC where the model wants NCHW; transpose the images (layout in the "
             "preprocessing)";
    if (shape_fits(info, permuted(shape, {0, 2, 3, 1})))
      return "\n  remedy: this looks like NCHW where the model wants NHWC; transpose the images (layout in the "
             "preprocessing)";
  }
  if (shape.size() + 1 == info.shape->size()) {
    Shape batched = shape;
    batched.insert(batched.begin(), 1);
    if (shape_fits(info, batched))
      return "\n  remedy: the batch dimension is missing; give shape " + shape_text(batched);
  }
  return {};
}

}  // namespace

std::string declared_text(const ValueInfo& info) {
  if (!info.opaque_type.empty()) return "a value that is not a tensor";
  std::vector<std::string> dims;
  if (info.shape)
    for (const Dim& dim : *info.shape) dims.push_back(dim_text(dim));
  return fmt::format("[{}] {}", info.shape ? join(dims, ", ") : "...", dtype_name(info.dtype));
}

bool shape_fits(const ValueInfo& info, const Shape& shape) {
  if (!info.shape) return true;
  if (info.shape->size() != shape.size()) return false;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    const std::optional<std::int64_t>& want = (*info.shape)[axis].value;
    // Some exporters write -1 where they mean unknown; runtimes take it so.
    if (want && *want >= 0 && *want != shape[axis]) return false;
  }
  return true;
}

void check_inputs(const std::vector<ValueInfo>& declared, const NamedTensors& given) {
  std::vector<std::string> names;
  for (const ValueInfo& info : declared) names.push_back(info.name);
  for (const auto& [name, tensor] : given)
    if (std::find(names.begin(), names.end(), name) == names.end())
      fail(ErrorCode::kInvalidArgument, "the model has no input '{}'; its inputs are: {}{}", name, join(names, ", "),
           nearest_hint(name, names));
  for (const ValueInfo& info : declared) {
    const auto found = given.find(info.name);
    if (found == given.end())
      fail(ErrorCode::kInvalidArgument, "input '{}' is missing: expected {}", info.name, declared_text(info));
    const Tensor& tensor = found->second;
    if (!info.opaque_type.empty())
      fail(ErrorCode::kUnsupported, "input '{}' is not a tensor (a sequence, map or optional); pare feeds tensors only",
           info.name);
    const std::string got = fmt::format("{} {}", shape_text(tensor.shape()), dtype_name(tensor.dtype()));
    if (info.dtype != DType::kUndefined && tensor.dtype() != info.dtype)
      fail(ErrorCode::kInvalidArgument, "input '{}': expected {}, got {}", info.name, declared_text(info), got);
    if (!shape_fits(info, tensor.shape()))
      fail(ErrorCode::kInvalidArgument, "input '{}': expected {}, got {}{}", info.name, declared_text(info), got,
           layout_hint(info, tensor.shape()));
  }
}

}  // namespace pare
