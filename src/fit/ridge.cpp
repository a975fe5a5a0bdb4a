#include "fit/ridge.h"

#include <algorithm>
#include <cmath>

#include "core/fail.h"

namespace pare {
namespace {

constexpr double kConstantDamping = 1e-9;

}  // namespace

RidgeFit ridge_around(const Matrix& h, const Matrix& old_weights, double relative_damping, bool constant) {
  const std::int64_t width = h.rows, columns = width - (constant ? 1 : 0);
  double mean = 0;
  for (std::int64_t i = 0; i < columns; ++i) mean += h.at(i, i);
  mean = columns > 0 ? mean / static_cast<double>(columns) : 1;
  if (!std::isfinite(mean)) fail(ErrorCode::kNumeric, "fit: the data holds NaN or infinity");
  RidgeFit fit;
  double relative = std::max(relative_damping, 1e-12);
  for (int tries = 0; tries < 12; ++tries, relative *= 10) {
    fit.damping = std::max(relative * mean, 1e-30);  // all inputs 0: keep the old weights
    fit.inverse = h;
    for (std::int64_t i = 0; i < columns; ++i) fit.inverse.at(i, i) += fit.damping;
    if (constant) fit.inverse.at(columns, columns) += kConstantDamping;
    if (invert_spd(fit.inverse)) {
      fit.weights = old_weights;
      return fit;
    }
  }
  fail(ErrorCode::kNumeric, "fit: the moments of a layer's input cannot be inverted");
}

RidgeFit fit_ridge(const Moments& moments, const Matrix& old_weights, double relative_damping, bool constant) {
  RidgeFit fit = ridge_around(moments.h, old_weights, relative_damping, constant);
  const std::int64_t columns = moments.h.rows - (constant ? 1 : 0);
  Matrix pulled = moments.g;
  for (std::int64_t o = 0; o < pulled.rows; ++o) {
    for (std::int64_t c = 0; c < columns; ++c) pulled.at(o, c) += fit.damping * old_weights.at(o, c);
    if (constant) pulled.at(o, columns) += kConstantDamping * old_weights.at(o, columns);
  }
  fit.weights = multiply(pulled, fit.inverse);
  return fit;
}

}  // namespace pare
