#include "quantize/dynamic.h"

#include "pare/model_io.h"
#include "pare/session.h"
#include "quantize/samples.h"
#include "support/support.h"

namespace pare::testing {
namespace {

TEST(Dynamic, PerceptronIsAQuarterOfTheBytesAndComputesTheSame) {
  Model model = model_from_text(R"(<ir_version: 8, opset_import: ["": 17]>
  perceptron (float[N,128] x) => (float[N,10] y) {
    a = Gemm<transB = 1>(x, w0, b0)
    b = Relu(a)
    y = Gemm(b, w1, b1)
  })");
  add_weights(model, {{"w0", {256, 128}}, {"b0", {256}}, {"w1", {256, 10}}, {"b1", {10}}});
  const StepResult result = run_quantize(model, nullptr, {{"mode", "dynamic"}});
  check_model(result.model);
  EXPECT_EQ(result.done.size(), 2u);
  const double share =
      static_cast<double>(serialize_model(result.model).size()) / static_cast<double>(serialize_model(model).size());
  EXPECT_LT(share, 0.29);
  Rng rng(3);
  const Tensor x = random_tensor({5, 128}, rng);
  const Tensor real = open_session(model)->run({{"x", x}})[0];
  for (const bool optimize : {true, false}) {
    SessionOptions options;
    options.optimize = optimize;
    // Outputs are sums of 256 terms of size about 5: 2 % of their spread.
    EXPECT_THAT(open_session(result.model, options)->run({{"x", x}})[0], AllClose(real, {.atol = 1.5, .rtol = 0.02}));
  }
}

TEST(Dynamic, HandlesFactorsSharedInputsAndMissingBiases) {
  Model model = model_from_text(R"(<ir_version: 8, opset_import: ["": 17]>
  g (float[N,16] x) => (float[N,8] y, float[N,8] z) {
    y = Gemm<alpha = 0.5, beta = 2.0>(x, w, b)
    z = MatMul(x, w)
  })");
  add_weights(model, {{"w", {16, 8}}, {"b", {8}}});
  const DynamicResult result = quantize_dynamic(model, {}, false);
  check_model(result.model);
  EXPECT_EQ(count_ops(result.model.graph)["DynamicQuantizeLinear"], 1);
  Rng rng(4);
  const Tensor x = random_tensor({3, 16}, rng);
  const auto before = open_session(model)->run({{"x", x}}), after = open_session(result.model)->run({{"x", x}});
  for (std::size_t k = 0; k < 2; ++k) EXPECT_THAT(after[k], AllClose(before[k], {.atol = 0.08}));
}

TEST(Dynamic, LeavesConvolutionsFloatAndSaysWhatToDo) {
  Model model = model_from_text(R"(<ir_version: 8, opset_import: ["": 17]>
  g (float[N,2,4,4] x) => (float[N,2,4,4] y) { y = Conv(x, w) })");
  add_weights(model, {{"w", {2, 2, 1, 1}}});
  const StepResult result = run_quantize(model, nullptr, {{"mode", "dynamic"}});
  EXPECT_EQ(result.changes, 0);
  ASSERT_EQ(result.skipped.size(), 1u);
  EXPECT_THAT(result.skipped[0].reason, ::testing::HasSubstr("remedy: quantize with calibration samples"));
  EXPECT_EQ(serialize_model(result.model), serialize_model(model));
}

}  // namespace
}  // namespace pare::testing
