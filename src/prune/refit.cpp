#include "prune/refit.h"

#include <algorithm>
#include <array>
#include <limits>

#include "fit/eliminate.h"
#include "fit/moments.h"
#include "fit/ridge.h"
#include "prune/consumer.h"

namespace pare {
namespace {

constexpr std::int64_t kFewRows = 8;   ///< per unknown: the damping is chosen on held-out samples
constexpr std::int64_t kViewRows = 4;  ///< per unknown: fewer, and the passes with the activation in view overfit
constexpr double kKept = std::numeric_limits<double>::infinity();

std::vector<float> to_floats(const Matrix& a) { return {a.values.begin(), a.values.end()}; }

/// Damping with the least error on rows that were not fitted; infinite: the old weights are best.
double choose_damping(const Moments& train, const Moments& held_out, const Matrix& old_weights, bool constant,
                      double least) {
  double best = kKept, best_error = held_out.error(old_weights), last_error = kKept;
  for (const double factor : {1.0, 10.0, 100.0, 1000.0}) {
    const double error = held_out.error(fit_ridge(train, old_weights, least * factor, constant).weights);
    if (error < best_error) {
      best_error = error;
      best = least * factor;
    }
    if (error > last_error) break;  // one valley: from here it climbs to the old weights
    last_error = error;
  }
  return best;
}

/// Whether old weights with 0 in the removed columns do better than new ones on rows that were not fitted.
bool zeroing_is_better(const Moments& train, const Moments& held_out, const Matrix& old_weights, const Matrix& zeroed,
                       bool constant, double damping, const std::vector<std::vector<std::int64_t>>& columns,
                       const std::vector<std::int64_t>& removed) {
  RidgeFit fit = damping == kKept ? ridge_around(train.h, old_weights, 1.0, constant)
                                  : fit_ridge(train, old_weights, damping, constant);
  Eliminator eliminator({{.inverse = std::move(fit.inverse), .weights = std::move(fit.weights), .columns = columns}});
  eliminator.remove(removed);
  return held_out.error(zeroed) < held_out.error(eliminator.weights(0));
}

/// W += (E[r p^T] + d (W_LS - W)) M with r = what is left of the error once the activation has cut both sides.
void refit_in_view(LayerRows& rows, const FitTarget& target, const RidgeFit& fit, const Matrix& inverse, bool constant,
                   std::int64_t passes, Matrix& weights) {
  const Matrix least_squares = weights;
  std::vector<float> output, sums;
  for (std::int64_t pass = 0; pass < passes; ++pass) {
    Matrix step(weights.rows, weights.cols);
    const std::vector<float> now = to_floats(weights);
    std::int64_t count = 0;
    sums.resize(step.values.size());
    rows.for_each([&](const RowBlock& block) {
      output.resize(block.targets.size());
      apply_weights(block.patches.data(), now.data(), block.rows, weights.rows, weights.cols, output.data());
      for (std::size_t i = 0; i < output.size(); ++i) {
        const float dense = block.dense[i], sum = output[i] + (dense - block.targets[i]);
        if (dense <= target.lower)
          output[i] = -std::max(sum - target.lower, 0.0F);
        else if (dense >= target.upper)
          output[i] = std::max(target.upper - sum, 0.0F);
        else
          output[i] = dense - sum;
      }
      std::fill(sums.begin(), sums.end(), 0.0F);
      add_cross(output.data(), block.patches.data(), block.rows, weights.rows, weights.cols, sums.data());
      for (std::size_t i = 0; i < sums.size(); ++i) step.values[i] += static_cast<double>(sums[i]);
      count += block.rows;
    });
    const std::int64_t columns = weights.cols - (constant ? 1 : 0);
    for (std::int64_t o = 0; o < step.rows; ++o)
      for (std::int64_t c = 0; c < step.cols; ++c) {
        step.at(o, c) /= static_cast<double>(std::max<std::int64_t>(1, count));
        if (c < columns) step.at(o, c) += fit.damping * (least_squares.at(o, c) - weights.at(o, c));
      }
    const Matrix change = multiply(step, inverse);
    for (std::size_t i = 0; i < weights.values.size(); ++i) weights.values[i] += change.values[i];
  }
}

}  // namespace

Refit refit_layer(LayerRows& rows, const FitTarget& target, const Matrix& old_weights, bool constant,
                  const std::vector<std::vector<std::int64_t>>& columns, const std::vector<Quota>& quotas,
                  const RefitOptions& options) {
  // A fifth of the samples is held out: every fifth batch, or the last rows of each where there are fewer batches.
  MomentSums<float> train(rows.width(), old_weights.rows), held(rows.width(), old_weights.rows);
  Energy energy(target);
  rows.for_each([&](const RowBlock& block) {
    std::int64_t fifth = block.batch % 5 == 4 ? block.rows : 0;
    if (rows.batches() < 5) fifth = block.rows / 5;
    const std::int64_t first = block.rows - fifth;
    train.add(block.patches.data(), block.targets.data(), first);
    held.add(block.patches.data() + first * rows.width(), block.targets.data() + first * old_weights.rows, fifth);
    energy.add(block);
  });
  Refit refit;
  const Moments train_mean = train.mean(), held_mean = held.mean(), all = merged(train_mean, held_mean);
  refit.rows = all.count;
  refit.damping = options.damping;
  const bool few = all.count < kFewRows * rows.width() && held_mean.count > 0;
  if (few) refit.damping = choose_damping(train_mean, held_mean, old_weights, constant, options.damping);
  const bool kept = refit.damping == kKept;
  RidgeFit fit =
      kept ? ridge_around(all.h, old_weights, 1.0, constant) : fit_ridge(all, old_weights, refit.damping, constant);
  Matrix zeroed = old_weights;
  refit.weights = fit.weights;
  bool cut = false;
  for (const Quota& quota : quotas) cut = cut || quota.remove > 0;
  if (cut) {
    Eliminator eliminator({{.inverse = fit.inverse, .weights = fit.weights, .columns = columns}});
    for (const Quota& quota : quotas) eliminator.remove_cheapest(quota.remove, quota.items);
    refit.removed = eliminator.order();
    refit.weights = eliminator.weights(0);
    fit.inverse = eliminator.inverse(0);
    for (const std::int64_t item : refit.removed)
      for (const std::int64_t column : columns[static_cast<std::size_t>(item)])
        for (std::int64_t o = 0; o < zeroed.rows; ++o) zeroed.at(o, column) = 0;
  }
  refit.error_before = all.error(zeroed) / energy.mean();
  if (few && cut &&
      zeroing_is_better(train_mean, held_mean, old_weights, zeroed, constant, refit.damping, columns, refit.removed)) {
    refit.damping = kKept;
    refit.weights = zeroed;
    refit.error_after = refit.error_before;
    return refit;
  }
  if (target.clipped && !kept && all.count >= kViewRows * rows.width())
    refit_in_view(rows, target, fit, fit.inverse, constant, options.view_passes, refit.weights);
  refit.error_after = all.error(refit.weights) / energy.mean();
  return refit;
}

}  // namespace pare
