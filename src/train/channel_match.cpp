#include "train/channel_match.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "core/fail.h"

namespace pare {
namespace {

constexpr double kLeastCorrelation = 0.7, kLeastShare = 0.9;
constexpr std::int64_t kPlaces = 4096;  ///< looked at, of all samples and places

std::int64_t places_of(const Shape& shape) {
  std::int64_t places = 1;
  for (std::size_t i = 2; i < shape.size(); ++i) places *= shape[i];
  return places;
}

/// Rows of channels, centred and of length 1; a constant channel is 0.
std::vector<std::vector<float>> standardized(const Tensor& value) {
  const Shape& shape = value.shape();
  const std::int64_t channels = shape[1], places = places_of(shape), all = shape[0] * places;
  const std::int64_t stride = std::max<std::int64_t>(1, all / kPlaces) | 1;  // odd: not one column of every image
  const auto numbers = value.data<float>();
  std::vector<std::vector<float>> rows(static_cast<std::size_t>(channels));
  for (std::int64_t c = 0; c < channels; ++c) {
    std::vector<float>& row = rows[static_cast<std::size_t>(c)];
    double sum = 0, squares = 0;
    for (std::int64_t at = 0; at < all; at += stride) {
      row.push_back(numbers[static_cast<std::size_t>(((at / places) * channels + c) * places + at % places)]);
      sum += row.back();
    }
    const double mean = sum / static_cast<double>(row.size());
    for (const float x : row) squares += (x - mean) * (x - mean);
    const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
    for (float& x : row) x = static_cast<float>((x - mean) * scale);
  }
  return rows;
}

void check_shapes(const Shape& student, const Shape& teacher) {
  Shape same = teacher;
  if (student.size() >= 2 && student.size() == teacher.size()) same[1] = student[1];
  if (student.size() >= 2 && same == student) return;
  fail(ErrorCode::kInvalidArgument, "channels of values {} and {} cannot be compared", shape_text(student),
       shape_text(teacher));
}

}  // namespace

std::optional<ChannelMatch> match_channels(const Tensor& student, const Tensor& teacher) {
  check_shapes(student.shape(), teacher.shape());
  const std::vector<std::vector<float>> mine = standardized(student), theirs = standardized(teacher);
  std::vector<std::tuple<double, std::size_t, std::size_t>> pairs;
  for (std::size_t s = 0; s < mine.size(); ++s)
    for (std::size_t t = 0; t < theirs.size(); ++t) {
      double correlation = 0;
      for (std::size_t i = 0; i < mine[s].size(); ++i) correlation += static_cast<double>(mine[s][i]) * theirs[t][i];
      if (correlation >= kLeastCorrelation) pairs.emplace_back(-correlation, s, t);
    }
  std::sort(pairs.begin(), pairs.end());
  std::vector<std::int64_t> partner(mine.size(), -1);
  std::vector<bool> taken(theirs.size(), false);
  std::size_t count = 0;
  for (const auto& [minus, s, t] : pairs) {
    if (partner[s] >= 0 || taken[t]) continue;
    partner[s] = static_cast<std::int64_t>(t);
    taken[t] = true;
    ++count;
  }
  if (static_cast<double>(count) < kLeastShare * static_cast<double>(mine.size())) return std::nullopt;
  ChannelMatch match;
  for (std::size_t s = 0; s < mine.size(); ++s) {
    if (partner[s] < 0) continue;
    match.student.push_back(static_cast<std::int64_t>(s));
    match.teacher.push_back(partner[s]);
  }
  return match;
}

Tensor take_channels(const Tensor& value, const std::vector<std::int64_t>& channels) {
  Shape shape = value.shape();
  const auto places = static_cast<std::size_t>(places_of(shape)), from = static_cast<std::size_t>(shape[1]);
  const auto samples = static_cast<std::size_t>(shape[0]);
  shape[1] = static_cast<std::int64_t>(channels.size());
  std::vector<float> taken(samples * channels.size() * places);
  const auto numbers = value.data<float>();
  float* to = taken.data();
  for (std::size_t n = 0; n < samples; ++n)
    for (const std::int64_t channel : channels) {
      const std::size_t at = (n * from + static_cast<std::size_t>(channel)) * places;
      to = std::copy_n(numbers.begin() + static_cast<std::ptrdiff_t>(at), places, to);
    }
  return Tensor::of<float>(std::move(shape), taken);
}

}  // namespace pare
