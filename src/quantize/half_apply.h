// half_apply.h - carries a plan for float16 out: weights, types, Casts at the borders.
#pragma once

#include "quantize/half_plan.h"

namespace pare {

struct HalfResult {
  Model model;
  std::int64_t weights = 0;          ///< constants converted
  std::int64_t weight_elements = 0;  ///< their numbers
  std::int64_t weights_to_zero = 0;  ///< numbers that were not zero and are now
  std::int64_t casts = 0;            ///< Cast nodes added
};
[[nodiscard]] HalfResult apply_half(const HalfFacts& facts, const HalfPlan& plan);

}  // namespace pare
