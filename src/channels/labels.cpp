#include "channels/labels.h"

#include <algorithm>
#include <utility>

#include "core/fail.h"

namespace pare {
namespace {

std::vector<std::int64_t> strides_of(const Shape& shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

/// out[index] = in[sum of index * stride], row major over `shape`.
std::vector<Unit> walk(const std::vector<Unit>& in, const Shape& shape, const std::vector<std::int64_t>& strides) {
  std::vector<Unit> out(static_cast<std::size_t>(element_count(shape)));
  std::vector<std::int64_t> index(shape.size(), 0);
  std::int64_t from = 0;
  for (Unit& unit : out) {
    unit = in[static_cast<std::size_t>(from)];
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return out;
}

}  // namespace

std::vector<std::int64_t> Labels::axes() const {
  std::vector<std::int64_t> result;
  for (std::int64_t axis = 0; axis < rank(); ++axis)
    if (varies(axis)) result.push_back(axis);
  return result;
}

bool Labels::none() const {
  return std::all_of(units.begin(), units.end(), [](Unit unit) { return unit == kNoUnit; });
}

Labels no_labels(std::int64_t rank) { return {Shape(static_cast<std::size_t>(rank), 1), {kNoUnit}}; }

Labels labels_along(std::int64_t rank, std::int64_t axis, std::vector<Unit> units) {
  Labels labels{Shape(static_cast<std::size_t>(rank), 1), std::move(units)};
  labels.shape[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(labels.units.size());
  return labels;
}

Labels expand(const Labels& labels, const Shape& shape) {
  if (labels.shape == shape) return labels;
  std::vector<std::int64_t> strides = strides_of(labels.shape);
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (labels.shape[axis] == 1)
      strides[axis] = 0;
    else if (labels.shape[axis] != shape[axis])
      fail(ErrorCode::kInternal, "labels of shape {} do not fit {}", shape_text(labels.shape), shape_text(shape));
  }
  return {shape, walk(labels.units, shape, strides)};
}

Labels expand_axis(const Labels& labels, std::int64_t axis, std::int64_t size) {
  Shape shape = labels.shape;
  shape[static_cast<std::size_t>(axis)] = size;
  return expand(labels, shape);
}

Labels compress(Labels labels) {
  for (std::int64_t axis = 0; axis < labels.rank(); ++axis) {
    if (!labels.varies(axis)) continue;
    bool constant = true;
    for_each_line(labels.shape, axis, [&](const std::vector<std::size_t>& line) {
      if (!constant) return;
      for (const std::size_t i : line)
        if (labels.units[i] != labels.units[line[0]]) {
          constant = false;
          return;
        }
    });
    if (constant) labels = take(labels, axis, std::vector<std::int64_t>{0});
  }
  return labels;
}

Labels transpose(const Labels& labels, std::span<const std::int64_t> permutation) {
  const std::vector<std::int64_t> strides = strides_of(labels.shape);
  Shape shape;
  std::vector<std::int64_t> moved;
  for (const std::int64_t axis : permutation) {
    shape.push_back(labels.shape[static_cast<std::size_t>(axis)]);
    moved.push_back(strides[static_cast<std::size_t>(axis)]);
  }
  std::vector<Unit> units = walk(labels.units, shape, moved);
  return {std::move(shape), std::move(units)};
}

Labels reshape(const Labels& labels, const Shape& from, const Shape& to) {
  const Labels plain = no_labels(static_cast<std::int64_t>(to.size()));
  if (labels.none() || element_count(from) == 0) return plain;
  // Runs of axes with equal products on both sides; a run whose labels never vary stays 1 throughout.
  Shape widened = labels.shape, result;
  std::size_t i = 0, j = 0;
  while (i < from.size() || j < to.size()) {
    const std::size_t first_in = i, first_out = j;
    std::int64_t in = 1, out = 1;
    if (i < from.size()) in *= from[i++];
    if (j < to.size()) out *= to[j++];
    while (in != out) {
      if (in < out && i < from.size())
        in *= from[i++];
      else if (out < in && j < to.size())
        out *= to[j++];
      else
        fail(ErrorCode::kInternal, "a reshape from {} to {}", shape_text(from), shape_text(to));
    }
    bool varies = false;
    for (std::size_t axis = first_in; axis < i; ++axis) varies = varies || labels.shape[axis] > 1;
    for (std::size_t axis = first_in; varies && axis < i; ++axis) widened[axis] = from[axis];
    for (std::size_t axis = first_out; axis < j; ++axis) result.push_back(varies ? to[axis] : 1);
  }
  return compress({std::move(result), expand(labels, widened).units});
}

Labels take(const Labels& labels, std::int64_t axis, std::span<const std::int64_t> positions) {
  Labels result;
  result.shape = labels.shape;
  result.shape[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(positions.size());
  std::int64_t inner = 1;
  for (std::size_t i = static_cast<std::size_t>(axis) + 1; i < labels.shape.size(); ++i) inner *= labels.shape[i];
  const std::int64_t size = labels.shape[static_cast<std::size_t>(axis)];
  const std::int64_t outer = static_cast<std::int64_t>(labels.units.size()) / (inner * size);
  result.units.reserve(static_cast<std::size_t>(outer * inner) * positions.size());
  for (std::int64_t o = 0; o < outer; ++o)
    for (const std::int64_t position : positions) {
      const auto start = labels.units.begin() + (o * size + position) * inner;
      result.units.insert(result.units.end(), start, start + inner);
    }
  return result;
}

Labels concat(std::span<const Labels> parts, std::int64_t axis) {
  const auto a = static_cast<std::size_t>(axis);
  Labels result;
  result.shape = parts[0].shape;
  result.shape[a] = 0;
  std::int64_t outer = 1, inner = 1;
  for (std::size_t i = 0; i < a; ++i) outer *= result.shape[i];
  for (std::size_t i = a + 1; i < result.shape.size(); ++i) inner *= result.shape[i];
  for (const Labels& part : parts) result.shape[a] += part.shape[a];
  for (std::int64_t o = 0; o < outer; ++o)
    for (const Labels& part : parts) {
      const std::int64_t length = part.shape[a] * inner;
      const auto start = part.units.begin() + o * length;
      result.units.insert(result.units.end(), start, start + length);
    }
  return result;
}

}  // namespace pare
