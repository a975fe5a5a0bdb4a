#include "train/lower/lower_case.h"

namespace pare::testing {
namespace {

TEST(LowerActivation, ReluComputesWhatTheRuntimeDoes) { check_lowering({"Relu(x)", {some("x", {2, 3, 4, 5})}}); }

}  // namespace
}  // namespace pare::testing
