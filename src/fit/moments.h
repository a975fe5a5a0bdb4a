// moments.h - second moments of patches and targets: all that least squares needs of the data.
#pragma once

#include <cstdint>
#include <vector>

#include "fit/matrix.h"

namespace pare {

/// Means over `count` rows: p a patch (with or without a last 1), t its target.
struct Moments {
  Matrix h;            ///< E[p p^T]
  Matrix g;            ///< E[t p^T]
  double targets = 0;  ///< E[t^T t]
  std::int64_t count = 0;

  /// E |t - W p|^2 for weights [outputs, width].
  [[nodiscard]] double error(const Matrix& weights) const;
};

/// Adds up moments block by block. float: some thousand rows are summed in float32 (fast), these sums in double.
/// double: everything in double.
template <class T>
class MomentSums {
 public:
  MomentSums(std::int64_t width, std::int64_t outputs) : width_(width), outputs_(outputs) {
    sums_.h = Matrix(width, width);
    sums_.g = Matrix(outputs, width);
  }
  /// `patches`: rows x width; `targets`: rows x outputs (null: none, then g and targets stay 0).
  void add(const T* patches, const T* targets, std::int64_t rows);
  [[nodiscard]] std::int64_t count() const noexcept { return sums_.count; }
  /// Takes the sums: nothing can be added afterwards.
  [[nodiscard]] Moments mean();

 private:
  void flush();

  std::int64_t width_, outputs_, pending_ = 0;
  Moments sums_;
  std::vector<float> pending_h_, pending_g_;
};

/// Of two parts of the data together.
[[nodiscard]] Moments merged(const Moments& a, const Moments& b);

}  // namespace pare
