#include "data/warp.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace pare::data {
namespace {

/// Where the places along one axis of the result come from: -1 is outside. Between `first` and `last` the sources are
/// consecutive, forwards or backwards.
struct Axis {
  std::vector<std::int64_t> source;
  std::int64_t first = 0, last = 0;
  bool backwards = false;
};

Axis make_axis(std::int64_t size, bool backwards, std::int64_t shift, bool reflect) {
  Axis axis{.source = std::vector<std::int64_t>(static_cast<std::size_t>(size), -1), .backwards = backwards};
  axis.first = size, axis.last = 0;
  for (std::int64_t i = 0; i < size; ++i) {
    std::int64_t from = (backwards ? size - 1 - i : i) + shift;
    if (from >= 0 && from < size) {
      axis.first = std::min(axis.first, i);
      axis.last = i + 1;
    } else if (reflect) {
      from = from < 0 ? -from : 2 * (size - 1) - from;
    } else {
      from = -1;
    }
    axis.source[static_cast<std::size_t>(i)] = from;
  }
  axis.first = std::min(axis.first, axis.last);
  return axis;
}

/// Copies cells of a size that the compiler knows; `Unit` 0: of any size.
template <std::size_t Unit>
struct Cells {
  std::size_t size;
  [[nodiscard]] std::size_t bytes() const { return Unit == 0 ? size : Unit; }
  void copy(std::byte* to, const std::byte* from) const { std::memcpy(to, from, bytes()); }
  void fill(std::byte* to, const std::byte* value, std::int64_t count) const {
    for (std::int64_t i = 0; i < count; ++i) copy(to + static_cast<std::size_t>(i) * bytes(), value);
  }
  void reverse(std::byte* to, const std::byte* last, std::int64_t count) const {
    const auto step = static_cast<std::ptrdiff_t>(bytes());
    for (std::ptrdiff_t i = 0; i < count; ++i) copy(to + i * step, last - i * step);
  }
};

template <class C>
void warp_row(const C& cells, const Axis& columns, const std::byte* fill, const std::byte* row, std::byte* out) {
  const auto step = static_cast<std::int64_t>(cells.bytes());
  const auto edge = [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t x = from; x < to; ++x) {
      const std::int64_t source = columns.source[static_cast<std::size_t>(x)];
      cells.copy(out + x * step, source < 0 ? fill : row + source * step);
    }
  };
  edge(0, columns.first);
  if (columns.first < columns.last) {
    const std::byte* start = row + columns.source[static_cast<std::size_t>(columns.first)] * step;
    const std::int64_t count = columns.last - columns.first;
    if (columns.backwards)
      cells.reverse(out + columns.first * step, start, count);
    else
      std::memcpy(out + columns.first * step, start, static_cast<std::size_t>(count * step));
  }
  edge(columns.last, static_cast<std::int64_t>(columns.source.size()));
}

/// Squares of 16 x 16 cells, so that the columns that are read stay in the first cache.
template <class C>
void warp_transposed(const C& cells, const Axis& rows, const Axis& columns, const std::byte* fill, const std::byte* in,
                     std::byte* out) {
  constexpr std::int64_t kBlock = 16;
  const auto size = static_cast<std::int64_t>(rows.source.size()), step = static_cast<std::int64_t>(cells.bytes());
  for (std::int64_t top = 0; top < size; top += kBlock)
    for (std::int64_t left = 0; left < size; left += kBlock)
      for (std::int64_t y = top; y < std::min(size, top + kBlock); ++y) {
        const std::int64_t column = columns.source[static_cast<std::size_t>(y)];
        for (std::int64_t x = left; x < std::min(size, left + kBlock); ++x) {
          const std::int64_t row = rows.source[static_cast<std::size_t>(x)];
          const bool outside = row < 0 || column < 0;
          cells.copy(out + (y * size + x) * step, outside ? fill : in + (row * size + column) * step);
        }
      }
}

template <std::size_t Unit>
void warp_cells(const Planes& planes, const Warp& how, std::span<const std::byte> fill, const std::byte* in,
                std::byte* out) {
  const Cells<Unit> cells{static_cast<std::size_t>(planes.cell)};
  const Axis rows = make_axis(planes.height, how.rows_backwards, how.down, how.reflect);
  const Axis columns = make_axis(planes.width, how.columns_backwards, how.right, how.reflect);
  const std::int64_t row_bytes = planes.width * planes.cell, plane_bytes = planes.height * row_bytes;
  for (std::int64_t plane = 0; plane < planes.count; ++plane, in += plane_bytes, out += plane_bytes) {
    const std::byte* value = fill.data() + plane * planes.cell;
    if (how.transposed) {
      warp_transposed(cells, rows, columns, value, in, out);
      continue;
    }
    for (std::int64_t y = 0; y < planes.height; ++y) {
      const std::int64_t source = rows.source[static_cast<std::size_t>(y)];
      if (source < 0)
        cells.fill(out + y * row_bytes, value, planes.width);
      else
        warp_row(cells, columns, value, in + source * row_bytes, out + y * row_bytes);
    }
  }
}

}  // namespace

Warp turn_and_flip(std::int64_t quarters, bool horizontal_flip, bool vertical_flip) {
  // out(y, x) = in(x, W - 1 - y) is a quarter against the clock; flips of the result act on the axis that reads it.
  Warp warp{.transposed = quarters % 2 == 1,
            .rows_backwards = quarters == 2 || quarters == 3,
            .columns_backwards = quarters == 1 || quarters == 2};
  if (horizontal_flip) (warp.transposed ? warp.rows_backwards : warp.columns_backwards) ^= true;
  if (vertical_flip) (warp.transposed ? warp.columns_backwards : warp.rows_backwards) ^= true;
  return warp;
}

void warp(const Planes& planes, const Warp& how, std::span<const std::byte> fill, const std::byte* in, std::byte* out) {
  if (how.identity()) {
    std::memcpy(out, in, static_cast<std::size_t>(planes.size_bytes()));
    return;
  }
  switch (planes.cell) {
    case 1:
      return warp_cells<1>(planes, how, fill, in, out);
    case 2:
      return warp_cells<2>(planes, how, fill, in, out);
    case 3:
      return warp_cells<3>(planes, how, fill, in, out);
    case 4:
      return warp_cells<4>(planes, how, fill, in, out);
    case 8:
      return warp_cells<8>(planes, how, fill, in, out);
    case 12:
      return warp_cells<12>(planes, how, fill, in, out);
    default:
      return warp_cells<0>(planes, how, fill, in, out);
  }
}

}  // namespace pare::data
