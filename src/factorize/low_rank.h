// low_rank.h - two factors of a layer's matrix, fitted to what its outputs should be on the inputs that it really gets.
#pragma once

#include <cstdint>
#include <vector>

#include "factorize/fold.h"
#include "fit/matrix.h"
#include "fit/moments.h"

namespace pare {

/// Second moments about the means. Columns in the layer's order or in a fold's.
struct CentredMoments {
  Matrix g;               ///< E[p p^T]; empty: the identity
  Matrix r;               ///< E[t p^T]
  double targets = 0;     ///< E[t^T t]
  Matrix weights;         ///< the weights that low rank should be near to: least squares without a limit to the rank
  std::vector<double> p;  ///< means of p and t
  std::vector<double> t;
  /// E |t - W p|^2 about the means.
  [[nodiscard]] double error(const Matrix& weights) const;
};

/// `constant`: the last column of the patches is 1 and goes into the means; else the means are 0. `weights`: those of
/// the layer. They are improved by least squares (ridge around them, `damping` times the mean diagonal) unless that is
/// infinite; then the targets are what the weights make of the patches. A small pull towards them is in the moments.
[[nodiscard]] CentredMoments centred(const Moments& moments, const Matrix& weights, bool constant, double damping);
/// Weights alone: every input alike and independent; then the plain SVD is the best there is.
[[nodiscard]] CentredMoments without_data(const Matrix& weights);
[[nodiscard]] CentredMoments folded(const CentredMoments& moments, const Fold& fold);

struct Factors {
  std::int64_t rank = 0, outer = 0;
  Matrix first;   ///< rank x columns
  Matrix second;  ///< outputs x (taps * rank); with an outer rank (Tucker-2) outer x (taps * rank): the core
  Matrix last;    ///< outputs x outer; empty if there are two factors
  /// What follows the first factor, outputs x (taps * rank).
  [[nodiscard]] Matrix after_first() const { return outer == 0 ? second : multiply(last, second); }
};

/// Minimises E |t - W p|^2 over W of that rank in the fold.
class LowRank {
 public:
  /// `moments` in the fold's order. `most`: the highest rank that will be asked for.
  LowRank(CentredMoments moments, const Fold& fold, std::int64_t most, std::uint64_t seed);

  /// Leading directions of the weights, weighed by how much the inputs vary; the second factor by least squares.
  /// `outer`: 0 for two factors; else Tucker-2 of those ranks, the start being that of a whitened HOSVD.
  [[nodiscard]] Factors start(std::int64_t rank, std::int64_t outer = 0) const;
  /// The best second factor for the first one. In Tucker-2 the best second and last one together: reduced-rank
  /// regression, so that a sweep is one of HOOI in the metric of the data.
  void fit_second(Factors& factors) const;
  /// The first factor by conjugate gradients, preconditioned, from where it is.
  void fit_first(Factors& factors, int steps) const;
  /// Other targets: E[t p^T] about the means.
  void set_targets(Matrix r) { moments_.r = std::move(r); }

  [[nodiscard]] Matrix product(const Factors& factors) const;  ///< in the fold's order
  /// Of a product.
  [[nodiscard]] double error(const Matrix& product) const { return moments_.error(product); }
  [[nodiscard]] std::int64_t most() const noexcept { return directions_.rows; }

 private:
  /// Sum over a of s[a, :] applied to what the first factor sees: second^T second first G.
  [[nodiscard]] Matrix apply(const Matrix& s, const Matrix& first) const;

  CentredMoments moments_;
  std::int64_t taps_, columns_;
  Matrix directions_;     ///< most x columns, already unweighed
  Matrix block_inverse_;  ///< of the mean diagonal block of G; empty without data
};

/// In the layer's own order of columns.
[[nodiscard]] Matrix unfolded(const Matrix& weights, const Fold& fold);

/// The norms of what belongs to one rank become equal in both factors.
void balance(Factors& factors);

}  // namespace pare
