#include <limits>

#include "pare/compress.h"
#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

Model small_model() {
  return model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N, 4] x) => (float[N, 2] y) <float[4, 2] w = {1, 2, 3, 4, 5, 6, 7, 8}> { y = MatMul(x, w) })");
}

NamedTensors sample() { return {{"x", Tensor::of<float>({1, 4}, {0.1F, 0.2F, 0.3F, 0.4F})}}; }

TEST(SelfTest, PassesOnTheModelItWasMadeFor) {
  Model model = small_model();
  add_self_test(model, sample(), {});
  const SelfTestResult result = run_self_test(model, {});
  EXPECT_TRUE(result.passed) << result.detail;
  EXPECT_THAT(result.detail, ::testing::HasSubstr("output 'y'"));
}

TEST(SelfTest, FailsWhenAWeightChanged) {
  Model model = small_model();
  add_self_test(model, sample(), {});
  model.graph.initializers.set("w", Tensor::of<float>({4, 2}, {1, 2, 3, 4, 5, 6, 7, 8.5F}));
  const SelfTestResult result = run_self_test(model, {});
  EXPECT_FALSE(result.passed);
  EXPECT_GT(result.worst_difference, 1);
}

TEST(SelfTest, FailsOnNotANumberWhereverItStands) {
  Model model = small_model();
  add_self_test(model, sample(), {});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  model.graph.initializers.set("w", Tensor::of<float>({4, 2}, {nan, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_FALSE(run_self_test(model, {}).passed);
}

TEST(SelfTest, LargeInputsAreDrawnFromASeedAndStayOutOfTheFile) {
  Model model = model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N, 3, 200, 200] x) => (float[N, 3, 200, 200] y) { y = Relu(x) })");
  const std::vector<float> values(3 * 200 * 200, 0.5F);
  add_self_test(model, {{"x", Tensor::of<float>({1, 3, 200, 200}, values)}}, {});
  EXPECT_LT(model.metadata.back().second.size(), 60000U);
  EXPECT_TRUE(run_self_test(model, {}).passed);
}

TEST(SelfTest, IsAskedForWhereThereIsNone) {
  expect_error([] { static_cast<void>(run_self_test(small_model(), {})); }, ErrorCode::kInvalidArgument,
               {"no self-test", "remedy"});
}

}  // namespace
}  // namespace pare::testing
