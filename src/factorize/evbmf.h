// evbmf.h - how much of a matrix is more than noise: the rank without anything to choose.
#pragma once

#include <cstdint>

#include "fit/matrix.h"

namespace pare {

struct EvbmfRank {
  std::int64_t rank = 0;      ///< 0: nothing but noise
  double noise_variance = 0;  ///< of one element
};
/// The global analytic solution of empirical variational Bayesian matrix factorization (Nakajima, Sugiyama, Babacan,
/// Tomioka 2013), the noise's variance estimated too. Assumes white noise, which trained weights have only nearly.
[[nodiscard]] EvbmfRank evbmf_rank(const Matrix& a);

}  // namespace pare
