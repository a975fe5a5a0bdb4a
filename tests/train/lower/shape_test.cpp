#include "train/lower/lower_case.h"

namespace pare::testing {
namespace {

TEST(LowerShape, FlattenTakesEveryAxis) {
  const CaseInput x = some("x", {2, 3, 4, 5});
  check_lowerings({{"Flatten(x)", {x}}, {"Flatten<axis = 0>(x)", {x}}, {"Flatten<axis = -1>(x)", {x}}});
}

}  // namespace
}  // namespace pare::testing
