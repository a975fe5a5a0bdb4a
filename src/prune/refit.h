// refit.h - one layer's weights fitted anew at a stop of the lockstep, some of its inputs taken out.
#pragma once

#include <cstdint>
#include <vector>

#include "fit/layer_rows.h"
#include "fit/linear_layer.h"
#include "fit/matrix.h"

namespace pare {

/// Of each set of items so many must go; items index `columns`.
struct Quota {
  std::vector<std::int64_t> items;
  std::int64_t remove = 0;
};

struct RefitOptions {
  double damping = 1e-3;
  std::int64_t view_passes = 3;
};

struct Refit {
  Matrix weights;                     ///< over the columns of the rows; 0 where an item went
  std::vector<std::int64_t> removed;  ///< items, first to last
  std::int64_t rows = 0;
  double error_before = 0, error_after = 0;  ///< over the energy of the activation
  double damping = 0;                        ///< relative; infinite: old weights kept
};

/// Ridge least squares from the rows to their targets, pulled towards `old_weights`; then the cheapest items go; then
/// passes with the activation in view. With few rows the damping is chosen on rows of other samples.
[[nodiscard]] Refit refit_layer(LayerRows& rows, const FitTarget& target, const Matrix& old_weights, bool constant,
                                const std::vector<std::vector<std::int64_t>>& columns, const std::vector<Quota>& quotas,
                                const RefitOptions& options);

}  // namespace pare
