#include "data/resize.h"

#include <algorithm>
#include <cmath>

namespace pare::data {
namespace {

/// For each new position the first old position and the weights from there on, `most` apart, the unused ones 0.
struct Taps {
  std::int64_t most = 0;
  std::vector<std::int64_t> first, count;
  std::vector<float> weights;
};

Taps make_taps(std::int64_t from, std::int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double support = std::max(scale, 1.0);
  Taps taps;
  taps.most = std::min<std::int64_t>(from, 2 * static_cast<std::int64_t>(std::ceil(support)) + 1);
  taps.weights.resize(static_cast<std::size_t>(to * taps.most));
  for (std::int64_t i = 0; i < to; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const auto low = std::max<std::int64_t>(0, static_cast<std::int64_t>(std::floor(center - support + 0.5)));
    const auto high = std::min<std::int64_t>(from, static_cast<std::int64_t>(std::floor(center + support + 0.5)));
    const auto weight = [&](std::int64_t j) {
      return std::max(0.0, 1.0 - std::abs((static_cast<double>(j) + 0.5 - center) / support));
    };
    double sum = 0;
    for (std::int64_t j = low; j < high; ++j) sum += weight(j);
    taps.first.push_back(low);
    taps.count.push_back(high - low);
    for (std::int64_t j = low; j < high; ++j)
      taps.weights[static_cast<std::size_t>(i * taps.most + j - low)] = static_cast<float>(weight(j) / sum);
  }
  return taps;
}

}  // namespace

std::vector<float> resize_bilinear(const std::vector<float>& plane, PlaneSize from, PlaneSize to) {
  if (from == to) return plane;
  const Taps columns = make_taps(from.width, to.width), rows = make_taps(from.height, to.height);
  std::vector<float> narrowed(static_cast<std::size_t>(from.height * to.width));
  for (std::int64_t y = 0; y < from.height; ++y) {
    const float* row = plane.data() + y * from.width;
    float* out = narrowed.data() + y * to.width;
    const float* weights = columns.weights.data();
    for (std::int64_t x = 0; x < to.width; ++x, weights += columns.most) {
      const float* at = row + columns.first[static_cast<std::size_t>(x)];
      const std::int64_t count = columns.count[static_cast<std::size_t>(x)];
      float sum = 0;
      for (std::int64_t k = 0; k < count; ++k) sum += weights[k] * at[k];
      out[x] = sum;
    }
  }
  std::vector<float> result(static_cast<std::size_t>(to.height * to.width));
  for (std::int64_t y = 0; y < to.height; ++y) {
    const float* weights = rows.weights.data() + y * rows.most;
    float* out = result.data() + y * to.width;
    for (std::int64_t k = 0; k < rows.count[static_cast<std::size_t>(y)]; ++k) {
      const float* at = narrowed.data() + (rows.first[static_cast<std::size_t>(y)] + k) * to.width;
      const float weight = weights[k];
      for (std::int64_t x = 0; x < to.width; ++x) out[x] += weight * at[x];
    }
  }
  return result;
}

std::vector<std::int64_t> resize_nearest(const std::vector<std::int64_t>& plane, PlaneSize from, PlaneSize to) {
  if (from == to) return plane;
  std::vector<std::int64_t> result(static_cast<std::size_t>(to.height * to.width));
  for (std::int64_t y = 0; y < to.height; ++y)
    for (std::int64_t x = 0; x < to.width; ++x) {
      // (x + 0.5) * from / to in whole numbers, so that no rounding picks a neighbour.
      const std::int64_t source_y = (2 * y + 1) * from.height / (2 * to.height);
      const std::int64_t source_x = (2 * x + 1) * from.width / (2 * to.width);
      result[static_cast<std::size_t>(y * to.width + x)] =
          plane[static_cast<std::size_t>(source_y * from.width + source_x)];
    }
  return result;
}

}  // namespace pare::data
