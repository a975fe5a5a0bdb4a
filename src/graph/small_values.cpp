#include "graph/small_values.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <utility>

#include "core/fail.h"
#include "graph/small_numbers.h"

namespace pare {
namespace {

using Result = std::optional<SmallNumbers>;

class Evaluator {
 public:
  Evaluator(const Node& node, const std::vector<Tensor>& tensors,
            const std::function<std::optional<Shape>(std::size_t)>& input_shape)
      : node_(node), input_shape_(input_shape) {
    for (const Tensor& tensor : tensors) in_.push_back(small_numbers(tensor));
  }

  Result run() const {
    const std::string& op = node_.op_type;
    if (op == "Shape") return shape();
    if (op == "Size") return size();
    for (std::size_t i = 0; i < node_.inputs.size(); ++i)
      if (!node_.inputs[i].empty() && !in(i)) return std::nullopt;
    if (!in(0)) return std::nullopt;
    if (op == "Concat") return concat();
    if (op == "Where") return where();
    if (op == "Range") return range();
    if (op == "Slice") return slice();
    if (op == "Gather") return gather();
    if (op == "Cast") return cast();
    if (op == "Reshape") return reshape();
    if (op == "Transpose") return transpose();
    if (op == "Squeeze") return squeeze();
    if (op == "Unsqueeze") return unsqueeze();
    if (op == "ConstantOfShape") return constant_of_shape();
    if (op == "Expand") return expand();
    if (op == "ReduceProd") return reduce_prod();
    if (node_.inputs.size() == 1) return unary_numbers(op, *in(0));
    if (node_.inputs.size() == 2) return binary_numbers(op, *in(0), *in(1));
    return std::nullopt;
  }

 private:
  [[nodiscard]] const Result& in(std::size_t index) const {
    static const Result kNone;
    return index < in_.size() ? in_[index] : kNone;
  }
  /// From an input (newer opsets) or an attribute (older ones).
  [[nodiscard]] std::optional<Shape> list(std::size_t input, const char* attribute) const {
    if (in(input)) return in(input)->ints();
    if (node_.find_attribute(attribute) == nullptr) return std::nullopt;
    return node_.ints_or(attribute, {});
  }

  Result shape() const {
    const auto known = input_shape_(0);
    if (!known) return std::nullopt;
    const auto rank = static_cast<std::int64_t>(known->size());
    const auto bounded = [&](std::int64_t at) { return std::clamp(at < 0 ? at + rank : at, std::int64_t{0}, rank); };
    const std::int64_t start = bounded(node_.int_or("start", 0)), end = bounded(node_.int_or("end", rank));
    return small_ints(start < end ? Shape(known->begin() + start, known->begin() + end) : Shape());
  }
  Result size() const {
    const auto known = input_shape_(0);
    if (!known) return std::nullopt;
    return SmallNumbers{DType::kInt64, {}, {static_cast<Number>(element_count(*known))}};
  }

  Result concat() const {
    std::int64_t axis = node_.int_or("axis", 0);
    Shape shape = in(0)->shape;
    if (axis < 0) axis += in(0)->rank();
    if (axis < 0 || axis >= in(0)->rank()) return std::nullopt;
    const auto at = static_cast<std::size_t>(axis);
    for (std::size_t i = 1; i < in_.size(); ++i) {
      Shape other = in(i)->shape;
      if (other.size() != shape.size()) return std::nullopt;
      const std::int64_t part = std::exchange(other[at], shape[at]);
      if (other != shape) return std::nullopt;
      shape[at] += part;
    }
    return make_numbers(in(0)->dtype, shape, [&](Shape index) {
      std::size_t part = 0;
      while (index[at] >= in(part)->shape[at]) index[at] -= in(part++)->shape[at];
      return number_at(*in(part), index);
    });
  }
  Result where() const {
    const auto shape = broadcast_shape(in(1)->shape, in(2)->shape);
    const auto all = shape ? broadcast_shape(*shape, in(0)->shape) : std::nullopt;
    if (!all) return std::nullopt;
    return make_numbers(in(1)->dtype, *all, [&](const Shape& index) {
      return number_at(*in(0), index) != 0 ? number_at(*in(1), index) : number_at(*in(2), index);
    });
  }
  Result range() const {
    if (!in(1) || !in(2) || in(2)->values.empty() || in(2)->values[0] == 0) return std::nullopt;
    const Number start = in(0)->values.at(0), end = in(1)->values.at(0), step = in(2)->values[0];
    const Number count = std::max(Number(0), std::ceil((end - start) / step));
    if (!(count <= kMostSmallValues)) return std::nullopt;
    return make_numbers(in(0)->dtype, {static_cast<std::int64_t>(count)},
                        [&](const Shape& index) { return start + static_cast<Number>(index[0]) * step; });
  }
  Result slice() const {
    const auto starts = list(1, "starts"), ends = list(2, "ends"), steps = list(4, "steps");
    auto axes = list(3, "axes");
    if (!starts || !ends || starts->size() != ends->size()) return std::nullopt;
    if (!axes) axes.emplace(starts->size()), std::iota(axes->begin(), axes->end(), std::int64_t{0});
    if (axes->size() != starts->size() || (steps && steps->size() != starts->size())) return std::nullopt;
    Shape shape = in(0)->shape, first(shape.size(), 0), step(shape.size(), 1);
    for (std::size_t i = 0; i < starts->size(); ++i) {
      const std::int64_t axis = (*axes)[i] < 0 ? (*axes)[i] + in(0)->rank() : (*axes)[i];
      if (axis < 0 || axis >= in(0)->rank()) return std::nullopt;
      const auto at = static_cast<std::size_t>(axis);
      // A step beyond the size takes one element, whatever it is.
      step[at] = steps ? std::clamp((*steps)[i], -2 * kMostSmallValues, 2 * kMostSmallValues) : 1;
      if (step[at] == 0) return std::nullopt;
      const std::int64_t size = in(0)->shape[at], low = step[at] < 0 ? -1 : 0, high = step[at] < 0 ? size - 1 : size;
      const auto bounded = [&](std::int64_t v) { return std::clamp(v < 0 ? v + size : v, low, high); };
      first[at] = bounded((*starts)[i]);
      // An end of "before the first" is given as a number far below -size.
      const std::int64_t last = step[at] < 0 && (*ends)[i] < -size ? -1 : bounded((*ends)[i]);
      const std::int64_t span = last - first[at];
      shape[at] = std::max<std::int64_t>(0, (span + step[at] - (step[at] > 0 ? 1 : -1)) / step[at]);
    }
    return make_numbers(in(0)->dtype, shape, [&](Shape index) {
      for (std::size_t i = 0; i < index.size(); ++i) index[i] = first[i] + index[i] * step[i];
      return number_at(*in(0), index);
    });
  }
  Result gather() const {
    std::int64_t axis = node_.int_or("axis", 0);
    if (axis < 0) axis += in(0)->rank();
    if (axis < 0 || axis >= in(0)->rank() || !in(1)) return std::nullopt;
    const auto at = static_cast<std::size_t>(axis);
    const std::int64_t size = in(0)->shape[at];
    for (const std::int64_t index : in(1)->ints())
      if (index < -size || index >= size) return std::nullopt;
    Shape shape(in(0)->shape.begin(), in(0)->shape.begin() + axis);
    shape.insert(shape.end(), in(1)->shape.begin(), in(1)->shape.end());
    shape.insert(shape.end(), in(0)->shape.begin() + axis + 1, in(0)->shape.end());
    const auto inner = static_cast<std::ptrdiff_t>(in(1)->shape.size());
    return make_numbers(in(0)->dtype, shape, [&](const Shape& index) {
      const Shape chosen(index.begin() + axis, index.begin() + axis + inner);
      const auto picked = static_cast<std::int64_t>(number_at(*in(1), chosen));
      Shape source(index.begin(), index.begin() + axis);
      source.push_back(picked < 0 ? picked + size : picked);
      source.insert(source.end(), index.begin() + axis + inner, index.end());
      return number_at(*in(0), source);
    });
  }
  Result cast() const {
    SmallNumbers out = *in(0);
    out.dtype = static_cast<DType>(node_.int_or("to", 0));
    if (is_float(out.dtype)) return out;
    if (out.dtype == DType::kBool) return map_numbers(out, [](Number x) { return Number(x != 0); });
    for (const Number value : out.values)
      if (!(std::abs(value) < 0x1p63L)) return std::nullopt;
    return map_numbers(out, [](Number x) { return std::trunc(x); });
  }
  Result reshape() const {
    auto shape = list(1, "shape");
    if (!shape) return std::nullopt;
    std::int64_t known = 1, open = -1;
    for (std::size_t i = 0; i < shape->size(); ++i) {
      std::int64_t& dim = (*shape)[i];
      if (dim == 0 && node_.int_or("allowzero", 0) == 0 && i < in(0)->shape.size()) dim = in(0)->shape[i];
      if (dim > kMostSmallValues || known > kMostSmallValues) return std::nullopt;
      if (dim < 0) open = static_cast<std::int64_t>(i);
      if (dim > 0) known *= dim;
    }
    const auto count = static_cast<std::int64_t>(in(0)->values.size());
    if (open >= 0) (*shape)[static_cast<std::size_t>(open)] = known == 0 ? 0 : count / known;
    return viewed(*shape);
  }
  Result viewed(const Shape& shape) const {
    for (const std::int64_t dim : shape)
      if (dim < 0) return std::nullopt;
    if (element_count(shape) != static_cast<std::int64_t>(in(0)->values.size())) return std::nullopt;
    return SmallNumbers{in(0)->dtype, shape, in(0)->values};
  }
  Result transpose() const {
    Shape order(in(0)->shape.size());
    std::iota(order.rbegin(), order.rend(), std::int64_t{0});
    order = node_.ints_or("perm", order);
    Shape shape;
    for (const std::int64_t axis : order) {
      if (axis < 0 || axis >= in(0)->rank()) return std::nullopt;
      shape.push_back(in(0)->shape[static_cast<std::size_t>(axis)]);
    }
    if (shape.size() != in(0)->shape.size()) return std::nullopt;
    return make_numbers(in(0)->dtype, shape, [&](const Shape& index) {
      Shape source(index.size());
      for (std::size_t i = 0; i < order.size(); ++i) source[static_cast<std::size_t>(order[i])] = index[i];
      return number_at(*in(0), source);
    });
  }
  Result squeeze() const {
    const auto axes = list(1, "axes");
    Shape shape;
    for (std::int64_t i = 0; i < in(0)->rank(); ++i) {
      const std::int64_t dim = in(0)->shape[static_cast<std::size_t>(i)];
      const bool named = axes && (std::find(axes->begin(), axes->end(), i) != axes->end() ||
                                  std::find(axes->begin(), axes->end(), i - in(0)->rank()) != axes->end());
      if (!(axes ? named : dim == 1)) shape.push_back(dim);
    }
    return viewed(shape);
  }
  Result unsqueeze() const {
    auto axes = list(1, "axes");
    if (!axes) return std::nullopt;
    const std::int64_t rank = in(0)->rank() + static_cast<std::int64_t>(axes->size());
    for (std::int64_t& axis : *axes) axis += axis < 0 ? rank : 0;
    Shape shape = in(0)->shape;
    std::sort(axes->begin(), axes->end());
    for (const std::int64_t axis : *axes) {
      if (axis < 0 || axis > static_cast<std::int64_t>(shape.size())) return std::nullopt;
      shape.insert(shape.begin() + axis, 1);
    }
    return viewed(shape);
  }
  Result constant_of_shape() const {
    SmallNumbers value{DType::kFloat32, {1}, {0}};
    if (const Attribute* given = node_.find_attribute("value"))
      if (const auto* tensor = std::get_if<Tensor>(&given->value))
        if (auto small = small_numbers(*tensor); small && small->values.size() == 1) value = *small;
    for (const std::int64_t dim : in(0)->ints())
      if (dim < 0) return std::nullopt;
    return make_numbers(value.dtype, in(0)->ints(), [&](const Shape&) { return value.values[0]; });
  }
  Result expand() const {
    const auto shape = in(1) ? broadcast_shape(in(0)->shape, in(1)->ints()) : std::nullopt;
    if (!shape) return std::nullopt;
    return make_numbers(in(0)->dtype, *shape, [&](const Shape& index) { return number_at(*in(0), index); });
  }
  Result reduce_prod() const {
    if (in(0)->rank() != 1) return std::nullopt;
    const Number product = std::accumulate(in(0)->values.begin(), in(0)->values.end(), Number(1), std::multiplies<>());
    return SmallNumbers{in(0)->dtype, node_.int_or("keepdims", 1) != 0 ? Shape{1} : Shape{}, {product}};
  }

  const Node& node_;
  const std::function<std::optional<Shape>(std::size_t)>& input_shape_;
  std::vector<Result> in_;
};

}  // namespace

Tensor small_value(const Node& node, const std::vector<Tensor>& inputs,
                   const std::function<std::optional<Shape>(std::size_t)>& input_shape) {
  if (!node.domain.empty() || node.outputs.size() != 1 || node.has_subgraph()) return {};
  try {
    const Result result = Evaluator(node, inputs, input_shape).run();
    return result ? to_tensor(*result) : Tensor();
  } catch (const Error&) {
    return {};  // a malformed node: others tell
  } catch (const std::out_of_range&) {
    return {};
  }
}

}  // namespace pare
