// spectrum.h - the leading directions of a matrix: what low rank keeps.
#pragma once

#include <cstdint>
#include <vector>

#include "fit/matrix.h"

namespace pare {

struct Spectrum {
  std::vector<double> values;  ///< descending
  Matrix vectors;              ///< one per row
};
/// Of a symmetric matrix. Throws Error(kNumeric) if LAPACK finds none (NaN).
[[nodiscard]] Spectrum symmetric_spectrum(Matrix a);

/// Rows become orthonormal and span what they spanned; rows that depend on others become any further direction.
void orthonormalize_rows(Matrix& a);

/// The `count` leading right singular vectors of x as orthonormal rows, count <= x.cols. Large matrices by subspace
/// iteration from random directions (Halko, Martinsson, Tropp 2011).
[[nodiscard]] Matrix leading_directions(const Matrix& x, std::int64_t count, std::uint64_t seed);

}  // namespace pare
