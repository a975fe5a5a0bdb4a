// Every real model runs on torch as in the runtime and hands gradients back, or is refused by name; the large ones.
#include "train/lower/model_case.h"

namespace pare::testing {
namespace {

class TrainLargeZoo : public ::testing::TestWithParam<std::filesystem::path> {};

TEST_P(TrainLargeZoo, RunsAsInTheRuntimeAndHasGradients) { check_trained_model(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Lower, TrainLargeZoo, ::testing::ValuesIn(models_to_train(true)), model_test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(TrainLargeZoo);

}  // namespace
}  // namespace pare::testing
