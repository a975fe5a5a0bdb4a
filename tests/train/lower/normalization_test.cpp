#include "train/lower/lower_case.h"

namespace pare::testing {
namespace {

TEST(LowerNormalization, BatchNormalizationUsesRunningStatistics) {
  const CaseInput x = some("x", {2, 3, 4, 5}), scale = some("s", {3}, 0.5, 2), shift = some("b", {3});
  const CaseInput mean = floats("m", {0.1F, -0.2F, 0.3F}), variance = floats("v", {0.5F, 1.5F, 2.5F});
  check_lowerings({{"BatchNormalization(x, s, b, m, v)", {x, scale, shift, mean, variance}},
                   {"BatchNormalization<epsilon = 0.1>(x, s, b, m, v)", {x, scale, shift, mean, variance}},
                   {"BatchNormalization(x, s, b, m, v)", {some("x", {4, 3}), scale, shift, mean, variance}}});
}

}  // namespace
}  // namespace pare::testing
