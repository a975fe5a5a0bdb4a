#include "factorize/view.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pare {

void rest_in_view(const FitTarget& target, const RowBlock& block, std::vector<float>& outputs) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const float dense = block.dense[i], other = dense - block.targets[i], sum = outputs[i] + other;
    if (dense <= target.lower)
      outputs[i] = std::min(target.lower - sum, 0.0F);
    else if (dense >= target.upper)
      outputs[i] = std::max(target.upper - sum, 0.0F);
    else
      outputs[i] = dense - sum;
  }
}

void rest_by_penalty(const FitTarget& target, const RowBlock& block, float lambda, std::vector<float>& outputs) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const float dense = std::clamp(block.dense[i], target.lower, target.upper);
    const float now = outputs[i] + block.dense[i] - block.targets[i];
    // Below, inside, above the range of the activation: the best of each part.
    const float inside = std::clamp((lambda * now + dense) / (lambda + 1), target.lower, target.upper);
    const float parts[] = {inside, std::min(now, target.lower), std::max(now, target.upper)};
    float best = now, least = std::numeric_limits<float>::infinity();
    for (const float z : parts) {
      if (!std::isfinite(z)) continue;
      const float off = std::clamp(z, target.lower, target.upper) - dense, moved = z - now;
      const float cost = off * off + lambda * moved * moved;
      if (cost >= least) continue;
      least = cost;
      best = z;
    }
    outputs[i] = best - now;
  }
}

}  // namespace pare
