#include "data/resize.h"

#include <algorithm>
#include <cmath>

namespace pare::data {
namespace {

/// For each new position the first old position and the weights from there on.
struct Taps {
  std::vector<std::int64_t> first;
  std::vector<std::vector<float>> weights;
};

Taps make_taps(std::int64_t from, std::int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double support = std::max(scale, 1.0);
  Taps taps;
  for (std::int64_t i = 0; i < to; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const auto low = std::max<std::int64_t>(0, static_cast<std::int64_t>(std::floor(center - support + 0.5)));
    const auto high = std::min<std::int64_t>(from, static_cast<std::int64_t>(std::floor(center + support + 0.5)));
    std::vector<double> weights;
    double sum = 0;
    for (std::int64_t j = low; j < high; ++j) {
      weights.push_back(std::max(0.0, 1.0 - std::abs((static_cast<double>(j) + 0.5 - center) / support)));
      sum += weights.back();
    }
    taps.first.push_back(low);
    taps.weights.emplace_back();
    for (const double weight : weights) taps.weights.back().push_back(static_cast<float>(weight / sum));
  }
  return taps;
}

}  // namespace

std::vector<float> resize_bilinear(const std::vector<float>& plane, PlaneSize from, PlaneSize to) {
  if (from == to) return plane;
  const Taps columns = make_taps(from.width, to.width), rows = make_taps(from.height, to.height);
  std::vector<float> narrowed(static_cast<std::size_t>(from.height * to.width));
  for (std::int64_t y = 0; y < from.height; ++y)
    for (std::int64_t x = 0; x < to.width; ++x) {
      const std::vector<float>& weights = columns.weights[static_cast<std::size_t>(x)];
      const float* at = plane.data() + y * from.width + columns.first[static_cast<std::size_t>(x)];
      float sum = 0;
      for (std::size_t k = 0; k < weights.size(); ++k) sum += weights[k] * at[k];
      narrowed[static_cast<std::size_t>(y * to.width + x)] = sum;
    }
  std::vector<float> result(static_cast<std::size_t>(to.height * to.width));
  for (std::int64_t y = 0; y < to.height; ++y) {
    const std::vector<float>& weights = rows.weights[static_cast<std::size_t>(y)];
    float* out = result.data() + y * to.width;
    for (std::size_t k = 0; k < weights.size(); ++k) {
      const float* at =
          narrowed.data() + (rows.first[static_cast<std::size_t>(y)] + static_cast<std::int64_t>(k)) * to.width;
      for (std::int64_t x = 0; x < to.width; ++x) out[x] += weights[k] * at[x];
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
