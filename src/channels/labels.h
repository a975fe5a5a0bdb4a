// labels.h - arrays of channel names: which unit each element of a tensor belongs to, moved as the data moves.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "pare/tensor.h"

namespace pare {

/// The smallest thing that can go: at first one output channel of one layer. -1: an element that stays.
using Unit = std::int32_t;
inline constexpr Unit kNoUnit = -1;

/// Units of a tensor's elements. `shape` has the tensor's rank and, on each axis, its size or 1 where the label does
/// not change along the axis.
struct Labels {
  Shape shape;
  std::vector<Unit> units;

  [[nodiscard]] std::int64_t rank() const { return static_cast<std::int64_t>(shape.size()); }
  [[nodiscard]] bool varies(std::int64_t axis) const { return shape[static_cast<std::size_t>(axis)] > 1; }
  /// Axes along which labels change.
  [[nodiscard]] std::vector<std::int64_t> axes() const;
  /// No element belongs to a unit.
  [[nodiscard]] bool none() const;
};

[[nodiscard]] Labels no_labels(std::int64_t rank);
/// A vector along one axis.
[[nodiscard]] Labels labels_along(std::int64_t rank, std::int64_t axis, std::vector<Unit> units);

/// The array at exactly that shape, which it must broadcast to.
[[nodiscard]] Labels expand(const Labels& labels, const Shape& shape);
/// Only the named axis at full size.
[[nodiscard]] Labels expand_axis(const Labels& labels, std::int64_t axis, std::int64_t size);
/// Axes along which nothing changes become 1.
[[nodiscard]] Labels compress(Labels labels);

[[nodiscard]] Labels transpose(const Labels& labels, std::span<const std::int64_t> permutation);
/// `from` and `to` are the tensor's shapes; only the axes that the reshape mixes are written out.
[[nodiscard]] Labels reshape(const Labels& labels, const Shape& from, const Shape& to);
/// Positions along an axis that varies, in a new order.
[[nodiscard]] Labels take(const Labels& labels, std::int64_t axis, std::span<const std::int64_t> positions);
/// One after the other along `axis`; the shapes agree elsewhere.
[[nodiscard]] Labels concat(std::span<const Labels> parts, std::int64_t axis);

/// Calls `visit(line)` for each line of elements along `axis`, as indices into units.
template <class Visit>
void for_each_line(const Shape& shape, std::int64_t axis, Visit visit) {
  std::int64_t inner = 1, outer = 1;
  const std::int64_t size = shape[static_cast<std::size_t>(axis)];
  for (std::size_t i = 0; i < shape.size(); ++i)
    (static_cast<std::int64_t>(i) < axis ? outer : inner) *= static_cast<std::int64_t>(i) == axis ? 1 : shape[i];
  std::vector<std::size_t> line(static_cast<std::size_t>(size));
  for (std::int64_t o = 0; o < outer; ++o)
    for (std::int64_t i = 0; i < inner; ++i) {
      for (std::int64_t k = 0; k < size; ++k)
        line[static_cast<std::size_t>(k)] = static_cast<std::size_t>((o * size + k) * inner + i);
      visit(std::as_const(line));
    }
}

}  // namespace pare
