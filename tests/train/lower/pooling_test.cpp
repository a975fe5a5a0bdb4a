#include "train/lower/lower_case.h"

namespace pare::testing {
namespace {

TEST(LowerPooling, GlobalAveragePoolTakesAnyImage) {
  check_lowerings(
      {{"GlobalAveragePool(x)", {some("x", {2, 3, 4, 5})}}, {"GlobalAveragePool(x)", {some("x", {2, 3, 7})}}});
}

}  // namespace
}  // namespace pare::testing
