// Every real model runs on torch as in the runtime and hands gradients back, or is refused by name.
#include "train/lower/model_case.h"

namespace pare::testing {
namespace {

class TrainZoo : public ::testing::TestWithParam<std::filesystem::path> {};

TEST_P(TrainZoo, RunsAsInTheRuntimeAndHasGradients) { check_trained_model(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Lower, TrainZoo, ::testing::ValuesIn(models_to_train(false)), model_test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(TrainZoo);

}  // namespace
}  // namespace pare::testing
