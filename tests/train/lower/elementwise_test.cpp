#include "train/lower/lower_case.h"

namespace pare::testing {
namespace {

TEST(LowerElementwise, AddBroadcasts) {
  const CaseInput x = some("x", {2, 3, 4, 5});
  check_lowerings({{"Add(x, z)", {x, some("z", {2, 3, 4, 5})}},
                   {"Add(x, z)", {x, some("z", {3, 1, 1})}},
                   {"Add(z, x)", {x, some("z", {5})}}});
}

}  // namespace
}  // namespace pare::testing
