// fold.h - the ways of writing a layer as two thinner ones: what each factor sees, costs, and where it pays.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fit/linear_layer.h"

namespace pare {

enum class FactorKind {
  kVertical,    ///< k x 1, then 1 x k
  kHorizontal,  ///< 1 x k, then k x 1
  kChannel,     ///< the whole kernel to a few channels, then 1 x 1; of a matrix or 1 x 1 kernel its plain SVD
  kPoint,       ///< 1 x 1 to a few channels, then the whole kernel
};

/// The columns of a layer's matrix as pairs (a, b): b is what the first factor sees, a is the tap of the second one.
/// W[o, (a, b)] = sum over r of second[o, a, r] * first[r, b].
struct Fold {
  FactorKind kind = FactorKind::kChannel;
  std::int64_t taps = 1;            ///< of the second factor
  std::int64_t columns = 0;         ///< of the first factor
  std::vector<std::int64_t> order;  ///< column of the layer at a * columns + b

  [[nodiscard]] std::int64_t full_rank(std::int64_t outputs) const noexcept {
    return std::min(outputs * taps, columns);
  }
};
[[nodiscard]] Fold make_fold(const LinearLayer& layer, FactorKind kind);

/// "3 x 1 then 1 x 3 of rank 16".
[[nodiscard]] std::string fold_text(const LinearLayer& layer, FactorKind kind, std::int64_t rank);

/// Whether the layer can be written that way, and not only as the trivial product with a permutation.
[[nodiscard]] bool can_fold(const LinearLayer& layer, FactorKind kind);

/// What a layer costs for one run, and what each unit of rank costs instead.
struct FoldCost {
  double whole = 0, per_rank = 0;
  /// The smallest rank that costs no less than the layer.
  [[nodiscard]] std::int64_t break_even() const noexcept;
};
[[nodiscard]] FoldCost fold_macs(const LinearLayer& layer, FactorKind kind, const Shape& input, const Shape& output);
[[nodiscard]] FoldCost fold_parameters(const LinearLayer& layer, FactorKind kind);

}  // namespace pare
