// resize.h - bilinear and nearest resizing of one plane.
#pragma once

#include <cstdint>
#include <vector>

namespace pare::data {

struct PlaneSize {
  std::int64_t height = 0, width = 0;
  [[nodiscard]] bool operator==(const PlaneSize&) const = default;
};

/// Bilinear between pixel centres; when shrinking, the triangle filter is widened so that every pixel counts
/// (antialiasing, as Pillow's BILINEAR does). Rows first, then columns, edges by weights that are normalized.
[[nodiscard]] std::vector<float> resize_bilinear(const std::vector<float>& plane, PlaneSize from, PlaneSize to);
/// The pixel whose square holds the new pixel's centre.
[[nodiscard]] std::vector<std::int64_t> resize_nearest(const std::vector<std::int64_t>& plane, PlaneSize from,
                                                       PlaneSize to);

}  // namespace pare::data
