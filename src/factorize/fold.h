// fold.h - the ways of writing a layer as two or three thinner ones: what each factor sees, costs, and where it pays.
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
  kTucker,      ///< Tucker-2: 1 x 1 to a few channels, the kernel to a few others, 1 x 1 to the outputs
};

/// The columns of a layer's matrix as pairs (a, b): b is what the first factor sees, a is the tap of the second one.
/// W[o, (a, b)] = sum over r of second[o, a, r] * first[r, b]. In kTucker second is itself of low rank:
/// second[o, a, r] = sum over q of last[o, q] * core[q, a, r]; the rank of r is called the rank, that of q the outer
/// one.
struct Fold {
  FactorKind kind = FactorKind::kChannel;
  std::int64_t taps = 1;            ///< of the second factor
  std::int64_t columns = 0;         ///< of the first factor
  std::vector<std::int64_t> order;  ///< column of the layer at a * columns + b
  std::int64_t outputs = 0;         ///< of the layer

  /// kTucker: the outer rank that is the same share of the outputs as `rank` of the inputs; 0 in other kinds.
  [[nodiscard]] std::int64_t outer_rank(std::int64_t rank) const noexcept;
  [[nodiscard]] std::int64_t full_rank() const noexcept { return std::min(outputs * taps, columns); }
};
[[nodiscard]] Fold make_fold(const LinearLayer& layer, FactorKind kind);

/// "3 x 1 then 1 x 3 of rank 16"; "1 x 1, 3 x 3, 1 x 1 of ranks 16 and 24".
[[nodiscard]] std::string fold_text(const LinearLayer& layer, FactorKind kind, std::int64_t rank,
                                    std::int64_t outer = 0);

/// Whether the layer can be written that way, and not only as the trivial product with a permutation.
[[nodiscard]] bool can_fold(const LinearLayer& layer, FactorKind kind);

/// What a layer costs for one run, and what its factors cost instead.
struct FoldCost {
  double whole = 0, per_rank = 0;
  double per_outer = 0, per_both = 0;  ///< kTucker: the last factor, and the one in the middle
  [[nodiscard]] double at(std::int64_t rank, std::int64_t outer) const noexcept;
  /// The smallest rank that costs no less than the layer (in kTucker with the outer rank of the fold).
  [[nodiscard]] std::int64_t break_even(const Fold& fold) const noexcept;
};
[[nodiscard]] FoldCost fold_macs(const LinearLayer& layer, FactorKind kind, const Shape& input, const Shape& output);
[[nodiscard]] FoldCost fold_parameters(const LinearLayer& layer, FactorKind kind);

}  // namespace pare
