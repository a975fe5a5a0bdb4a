// drawing.h - random numbers, noise and pictures of several bands; what both programs of this folder draw with.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>
#include <string>
#include <vector>

namespace drawing {

/// The same numbers with every standard library; those of std's distributions are not.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  double uniform(double low = 0, double high = 1) {
    return low + (high - low) * static_cast<double>(engine_() >> 11) * 0x1.0p-53;
  }
  int below(int bound) { return static_cast<int>(engine_() % static_cast<std::uint64_t>(bound)); }
  double normal(double deviation = 1) {
    double sum = -6;  // twelve uniform numbers
    for (int i = 0; i < 12; ++i) sum += uniform();
    return deviation * sum;
  }

 private:
  std::mt19937_64 engine_;
};

/// One value for every pixel of a square picture.
class Field {
 public:
  explicit Field(int side, double value = 0)
      : side_(side), values_(static_cast<std::size_t>(side) * static_cast<std::size_t>(side), value) {}
  [[nodiscard]] int side() const { return side_; }
  double& at(int y, int x) { return values_[static_cast<std::size_t>(y * side_ + x)]; }
  [[nodiscard]] double at(int y, int x) const { return values_[static_cast<std::size_t>(y * side_ + x)]; }
  [[nodiscard]] const std::vector<double>& values() const { return values_; }
  /// Every pixel becomes f(y, x).
  template <class F>
  void fill(F f) {
    for (int y = 0; y < side_; ++y)
      for (int x = 0; x < side_; ++x) at(y, x) = f(y, x);
  }

 private:
  int side_;
  std::vector<double> values_;
};

/// Random values on a grid of `cell` pixels, smoothly interpolated: mean 0, deviation about 1.
inline Field noise(Random& random, int side, double cell) {
  const int points = static_cast<int>(side / cell) + 3;
  Field grid(points);
  grid.fill([&](int, int) { return random.normal(); });
  const double off_y = random.uniform(), off_x = random.uniform();
  const auto ease = [](double t) { return t * t * (3 - 2 * t); };
  Field out(side);
  out.fill([&](int y, int x) {
    const double v = y / cell + off_y, u = x / cell + off_x;
    const int row = static_cast<int>(v), column = static_cast<int>(u);
    const double b = ease(v - row), a = ease(u - column);
    const double top = (1 - a) * grid.at(row, column) + a * grid.at(row, column + 1);
    const double bottom = (1 - a) * grid.at(row + 1, column) + a * grid.at(row + 1, column + 1);
    return 1.3 * ((1 - b) * top + b * bottom);
  });
  return out;
}

/// Mean over 3 x 3 pixels, the middle counted `weight` times.
inline void blur(Field& field, double weight) {
  const Field before = field;
  const int last = field.side() - 1;
  field.fill([&](int y, int x) {
    double sum = (weight - 1) * before.at(y, x);
    for (int dy = -1; dy <= 1; ++dy)
      for (int dx = -1; dx <= 1; ++dx) sum += before.at(std::clamp(y + dy, 0, last), std::clamp(x + dx, 0, last));
    return sum / (weight + 8);
  });
}

/// How far pixels lie from a random line through the picture, in pixels: for half planes, rows, streets.
struct Axis {
  double cosine = 1, sine = 0, offset = 0;
  explicit Axis(double angle, double shift) : cosine(std::cos(angle)), sine(std::sin(angle)), offset(shift) {}
  [[nodiscard]] double operator()(int y, int x) const { return cosine * x + sine * y + offset; }
};

inline double mix(double a, double b, double share) { return a + std::clamp(share, 0.0, 1.0) * (b - a); }
/// 0 below `low`, 1 above `high`, smooth between.
inline double step(double low, double high, double value) {
  const double t = std::clamp((value - low) / (high - low), 0.0, 1.0);
  return t * t * (3 - 2 * t);
}

using Bands = std::vector<Field>;

/// {"scale": ..., "mean": [...], "std": [...]}: the preprocessing that makes every band of `stored` (samples x bands x
/// pixels) standard, as `pare ... --preprocess FILE` reads it.
template <class T>
std::string preprocess_json(const std::vector<T>& stored, std::size_t bands, std::size_t pixels, double scale) {
  std::string means, deviations;
  for (std::size_t band = 0; band < bands; ++band) {
    double sum = 0, squares = 0, count = 0;
    for (std::size_t start = band * pixels; start < stored.size(); start += bands * pixels)
      for (std::size_t i = start; i < start + pixels; ++i) {
        const double value = scale * static_cast<double>(stored[i]);
        sum += value, squares += value * value, ++count;
      }
    const double mean = sum / count;
    means += (band > 0 ? ", " : "") + std::to_string(mean);
    deviations += (band > 0 ? ", " : "") + std::to_string(std::sqrt(squares / count - mean * mean));
  }
  return "{\"scale\": " + std::to_string(scale) + ", \"mean\": [" + means + "], \"std\": [" + deviations + "]}\n";
}

}  // namespace drawing
