// weight_factors.h - factors by the weights alone, group by group.
#pragma once

#include <cstdint>

#include "factorize/low_rank.h"

namespace pare {

/// Plain SVD (kTucker: HOSVD). Of a layer with groups each group has factors of that rank: the rows of the first ones
/// stand one group after the other, and so do those of the second ones.
[[nodiscard]] Factors weight_factors(const LinearLayer& layer, const Fold& fold, std::int64_t rank, std::int64_t outer,
                                     std::uint64_t seed);
/// In the fold's order.
[[nodiscard]] Matrix product_of(const LinearLayer& layer, const Fold& fold, const Factors& factors);

}  // namespace pare
