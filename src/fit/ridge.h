// ridge.h - least squares that is pulled towards the weights there were.
#pragma once

#include <cstdint>

#include "fit/moments.h"

namespace pare {

/// W = (G + D W0) (H + D)^-1 minimises E |t - W p|^2 + |(W - W0) D^(1/2)|^2. D is diagonal: damping times the mean
/// diagonal of H, and next to nothing for the constant at the end of the patch.
struct RidgeFit {
  Matrix weights;      ///< [outputs, width]
  Matrix inverse;      ///< (H + D)^-1
  double damping = 0;  ///< the absolute damping of all columns but the constant
};

/// `constant`: the last column of the patches is 1. Raises the damping tenfold until H + D can be inverted. Throws
/// Error(kNumeric) if it never can (NaN in the data).
[[nodiscard]] RidgeFit fit_ridge(const Moments& moments, const Matrix& old_weights, double relative_damping,
                                 bool constant);
/// The same without targets: G = W0 H, so the weights are the old ones.
[[nodiscard]] RidgeFit ridge_around(const Matrix& h, const Matrix& old_weights, double relative_damping, bool constant);

}  // namespace pare
