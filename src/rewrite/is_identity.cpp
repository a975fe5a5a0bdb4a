#include "rewrite/is_identity.h"

#include <algorithm>

namespace pare {
namespace {

using Ints = std::vector<std::int64_t>;

/// The values of a constant input or, in older opsets, of an attribute. nullopt: neither.
std::optional<Ints> ints_of(const GraphEdit& edit, const Node& node, std::size_t input, const char* attribute) {
  if (const Tensor tensor = edit.constant(node.input(input)); !tensor.empty())
    return tensor.dtype() == DType::kInt64 || tensor.dtype() == DType::kInt32 ? std::optional(tensor.to_int64s())
                                                                              : std::nullopt;
  if (!node.find_attribute(attribute)) return std::nullopt;
  return node.ints_or(attribute, {});
}

bool all_equal(const Ints& values, std::int64_t wanted) {
  return std::all_of(values.begin(), values.end(), [=](std::int64_t value) { return value == wanted; });
}

bool all_ones(const std::vector<float>& values) {
  return !values.empty() && std::all_of(values.begin(), values.end(), [](float value) { return value == 1.0F; });
}

bool pads_nothing(const GraphEdit& edit, const Node& node) {
  const auto pads = ints_of(edit, node, 1, "pads");
  return pads && all_equal(*pads, 0);
}

bool slices_nothing(const GraphEdit& edit, const Node& node) {
  const auto starts = ints_of(edit, node, 1, "starts"), ends = ints_of(edit, node, 2, "ends");
  if (!starts || !ends || starts->size() != ends->size() || !all_equal(*starts, 0)) return false;
  if (!node.input(4).empty()) {
    const auto steps = ints_of(edit, node, 4, "steps");
    if (!steps || !all_equal(*steps, 1)) return false;
  }
  Ints axes(starts->size());
  for (std::size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<std::int64_t>(i);
  if (!node.input(3).empty() || node.find_attribute("axes")) {
    const auto given = ints_of(edit, node, 3, "axes");
    if (!given || given->size() != axes.size()) return false;
    axes = *given;
  }
  const auto shape = edit.known_shape(node.input(0));
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if ((*ends)[i] >= 0x7fffffff) continue;
    if (!shape) return false;
    const std::int64_t axis = axes[i] < 0 ? axes[i] + static_cast<std::int64_t>(shape->size()) : axes[i];
    if (axis < 0 || axis >= static_cast<std::int64_t>(shape->size())) return false;
    const std::int64_t dim = (*shape)[static_cast<std::size_t>(axis)];
    if (dim < 0 || (*ends)[i] < dim) return false;
  }
  return true;
}

/// Equal ranks, and at most one dimension not known to be equal: that one follows from the number of elements.
bool same_shape(const Shape& before, const Shape& after) {
  if (before.size() != after.size()) return false;
  int open = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i] < 0 || after[i] < 0)
      ++open;
    else if (before[i] != after[i])
      return false;
  }
  return open <= 1;
}

bool reshapes_nothing(const GraphEdit& edit, const Node& node) {
  const auto before = edit.known_shape(node.input(0));
  if (!before) return false;
  if (const auto target = ints_of(edit, node, 1, "shape")) {
    if (target->size() != before->size()) return false;
    int open = 0;
    for (std::size_t i = 0; i < target->size(); ++i) {
      const std::int64_t wanted = (*target)[i];
      if (wanted == 0 && node.int_or("allowzero", 0) == 0) continue;
      if (wanted == -1 || (*before)[i] < 0)
        ++open;
      else if (wanted != (*before)[i])
        return false;
    }
    return open <= 1;
  }
  const auto after = edit.known_shape(node.output(0));
  return after && same_shape(*before, *after) && !before->empty();
}

bool expands_nothing(const GraphEdit& edit, const Node& node) {
  const auto before = edit.known_shape(node.input(0));
  const Tensor target = edit.constant(node.input(1));
  if (!before || target.empty() || target.element_count() > static_cast<std::int64_t>(before->size())) return false;
  const Ints wanted = target.to_int64s();
  const std::size_t missing = before->size() - wanted.size();
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (wanted[i] != 1 && wanted[i] != (*before)[i + missing]) return false;
  return true;
}

bool flattens_nothing(const GraphEdit& edit, const Node& node) {
  const auto shape = edit.known_shape(node.input(0));
  const std::int64_t axis = node.int_or("axis", 1);
  return shape && shape->size() == 2 && (axis == 1 || axis == -1);
}

bool transposes_nothing(const Node& node) {
  const Ints perm = node.ints_or("perm", {});
  for (std::size_t i = 0; i < perm.size(); ++i)
    if (perm[i] != static_cast<std::int64_t>(i)) return false;
  return !perm.empty();
}

bool casts_nothing(const GraphEdit& edit, const Node& node) {
  const ValueInfo* type = edit.type(node.input(0));
  const Attribute* to = node.find_attribute("to");
  return type && to && type->dtype != DType::kUndefined && std::holds_alternative<std::int64_t>(to->value) &&
         static_cast<std::int64_t>(type->dtype) == node.int_or("to", 0);
}

bool resizes_nothing(const GraphEdit& edit, const Node& node) {
  const bool upsample = node.is("Upsample");
  // tf_half_pixel_for_nn and tf_crop_and_resize move samples even at scale 1.
  const std::string mode = node.string_or("coordinate_transformation_mode", "half_pixel");
  if (mode.starts_with("tf_")) return false;
  if (upsample && node.find_attribute("scales")) {
    const auto* scales = std::get_if<std::vector<float>>(&node.find_attribute("scales")->value);
    return scales && all_ones(*scales);
  }
  const Tensor scales = edit.constant(node.input(upsample || edit.opset() < 11 ? 1 : 2));
  if (!scales.empty() && scales.element_count() > 0)
    return scales.dtype() == DType::kFloat32 && all_ones(scales.to_floats());
  const Tensor sizes = edit.constant(node.input(3));
  const auto shape = edit.known_shape(node.input(0));
  return !sizes.empty() && shape && !node.find_attribute("axes") && sizes.to_int64s() == *shape;
}

bool clips_nothing(const GraphEdit& edit, const Node& node) {
  if (edit.opset() < 11) return !node.find_attribute("min") && !node.find_attribute("max");
  return node.input(1).empty() && node.input(2).empty();
}

/// x + 0 and the like: the other operand's name, "" if it is none.
std::string neutral_operand(const GraphEdit& edit, const Node& node) {
  if (edit.opset() < 7 || node.inputs.size() != 2) return {};
  const bool additive = node.is("Add") || node.is("Sub"), commutes = node.is("Add") || node.is("Mul");
  for (const std::size_t at : {std::size_t{1}, std::size_t{0}}) {
    if (at == 0 && !commutes) break;
    const Tensor constant = edit.constant(node.inputs[at]);
    if (constant.empty() || constant.dtype() == DType::kString || constant.element_count() == 0) continue;
    if (!is_float(constant.dtype()) && constant.dtype() != DType::kInt64 && constant.dtype() != DType::kInt32) continue;
    const std::vector<float> values = constant.to_floats();
    const float neutral = additive ? 0.0F : 1.0F;
    if (!std::all_of(values.begin(), values.end(), [=](float value) { return value == neutral; })) continue;
    const std::string& other = node.inputs[1 - at];
    const auto shape = edit.known_shape(other);
    const std::int64_t rank = shape ? static_cast<std::int64_t>(shape->size()) : 0;
    if (constant.rank() > rank) continue;
    bool widens = false;
    for (std::int64_t i = 0; i < constant.rank(); ++i) {
      const std::int64_t dim = constant.shape()[static_cast<std::size_t>(i)];
      widens = widens || (dim != 1 && dim != (*shape)[static_cast<std::size_t>(i + rank - constant.rank())]);
    }
    if (!widens) return other;
  }
  return {};
}

IdentityVerdict judge_dropout(const GraphEdit& edit, const Node& node) {
  if (!node.output(1).empty() && !edit.is_unused(node.output(1)))
    return {{}, "its mask '" + node.output(1) + "' is read"};
  if (edit.opset() < 7 && node.int_or("is_test", 0) == 0) return {{}, "it drops values (is_test is 0)"};
  if (!node.input(2).empty()) {
    const Tensor training = edit.constant(node.input(2));
    if (training.empty()) return {{}, "whether it trains is computed in the graph"};
    if (training.to_int64s() != Ints{0}) return {{}, "it drops values (training_mode is true)"};
  }
  return {node.input(0), "Dropout does nothing in inference"};
}

const char* no_op_reason(const GraphEdit& edit, const Node& node) {
  if (node.is("Identity")) return "hands its input on";
  if (node.is("Pad") && pads_nothing(edit, node)) return "pads by nothing";
  if (node.is("Slice") && slices_nothing(edit, node)) return "takes everything";
  if (node.is("Cast") && casts_nothing(edit, node)) return "casts to the type it has";
  if (node.is("Reshape") && reshapes_nothing(edit, node)) return "the shape stays as it is";
  if (node.is("Expand") && expands_nothing(edit, node)) return "the shape stays as it is";
  if (node.is("Flatten") && flattens_nothing(edit, node)) return "its input is flat already";
  if (node.is("Transpose") && transposes_nothing(node)) return "the order stays as it is";
  const bool gathers = node.is("Concat") || node.is("Sum") || node.is("Max") || node.is("Min") || node.is("Mean");
  if (gathers && node.inputs.size() == 1) return "has one input";
  if ((node.is("Resize") || node.is("Upsample")) && resizes_nothing(edit, node)) return "scales by 1";
  if (node.is("Clip") && clips_nothing(edit, node)) return "has no bounds";
  return nullptr;
}

}  // namespace

IdentityVerdict judge_identity(const GraphEdit& edit, std::int64_t index) {
  const Node& node = edit.node(index);
  if (node.is("Dropout")) return judge_dropout(edit, node);
  if (const char* reason = no_op_reason(edit, node)) return {node.input(0), reason};
  if (node.is("Add") || node.is("Sub") || node.is("Mul") || node.is("Div"))
    if (std::string other = neutral_operand(edit, node); !other.empty()) return {other, "its constant is neutral"};
  return {};
}

}  // namespace pare
