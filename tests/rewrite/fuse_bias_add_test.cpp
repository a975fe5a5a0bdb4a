#include "rewrite/rewriting.h"

namespace pare::testing {
namespace {

constexpr const char* kConv = "g (float[N, 1, 2, 2] x) => (float[N, 2, 2, 2] y) <float[2, 1, 1, 1] w = {5, 7}";

Model conv_then(const std::string& constants, const std::string& nodes) {
  return graph_from_text(std::string(kConv) + constants + "> {" + nodes + "}");
}

TEST(FuseBiasAdd, TakesAddIntoAConvWithoutBias) {
  const StepResult result =
      apply(fuse_bias_add(), conv_then(", float[1, 2, 1, 1] c = {3, 4}", "t = Conv(x, w) y = Add(c, t)"));
  EXPECT_EQ(nodes_text(result.model), "Conv(x, w, w_bias) -> y");
  EXPECT_THAT(floats_of(result.model, "w_bias"), AllClose(std::vector<float>{3, 4}));
  EXPECT_THAT(floats_of(result.model, "w"), AllClose(std::vector<float>{5, 7}));
  expect_idempotent(fuse_bias_add(), result);
}

TEST(FuseBiasAdd, TakesMulThenAddIntoWeightAndBias) {
  const StepResult result =
      apply(fuse_bias_add(), conv_then(", float[2] b = {1, 2}, float[2, 1, 1] m = {2, -1}, float[2, 1, 1] c = {3, 4}",
                                       "t = Conv(x, w, b) u = Mul(t, m) y = Add(u, c)"));
  EXPECT_EQ(nodes_text(result.model), "Conv(x, w, b) -> y");
  EXPECT_THAT(floats_of(result.model, "w"), AllClose(std::vector<float>{10, -7}));
  EXPECT_THAT(floats_of(result.model, "b"), AllClose(std::vector<float>{5, 2}));
}

TEST(FuseBiasAdd, TakesSubAndDivInBothOrdersThatAreAffine) {
  const StepResult result =
      apply(fuse_bias_add(), conv_then(", float c = {8}, float[2, 1, 1] d = {2, 4}",
                                       "t = Conv(x, w) u = Sub(c, t) v = Div(u, d) y = Sub(v, c)"));
  EXPECT_EQ(nodes_text(result.model), "Conv(x, w, w_bias) -> y");
  EXPECT_THAT(floats_of(result.model, "w"), AllClose(std::vector<float>{-2.5F, -1.75F}));
  EXPECT_THAT(floats_of(result.model, "w_bias"), AllClose(std::vector<float>{4 - 8, 2 - 8}));
}

TEST(FuseBiasAdd, KnowsThatAVectorLiesOnTheLastAxis) {
  expect_declined(fuse_bias_add(), conv_then(", float[2] c = {3, 4}", "t = Conv(x, w) y = Add(t, c)"),
                  "not one value per channel");
}

TEST(FuseBiasAdd, DeclinesConstantsThatVaryOverSamplesOrWiden) {
  expect_declined(fuse_bias_add(), graph_from_text(R"(g (float[2, 1, 2, 2] x) => (float[2, 2, 2, 2] y)
                    <float[2, 1, 1, 1] w = {5, 7}, float[2, 1, 1, 1] c = {3, 4}> { t = Conv(x, w) y = Add(t, c) })"),
                  "shape [2, 1, 1, 1]");
  expect_declined(fuse_bias_add(), graph_from_text(R"(g (float[1, 1, 2, 2] x) => (float[1, 1, 2, 2, 2] y)
                    <float[2, 1, 1, 1] w = {5, 7}, float[1, 1, 1, 1, 1] c = {3}> { t = Conv(x, w) y = Add(t, c) })"),
                  "shape [1, 1, 1, 1, 1]");
  expect_declined(fuse_bias_add(), graph_from_text(R"(g (float[1, 1, 2, 2] x) => (float[1, 3, 2, 2] y)
                    <float[1, 1, 1, 1] w = {5}, float[3, 1, 1] c = {1, 2, 3}> { t = Conv(x, w) y = Mul(t, c) })"),
                  "shape [3, 1, 1]");
}

TEST(FuseBiasAdd, DeclinesWhenTheValueBetweenIsReadElsewhere) {
  expect_declined(fuse_bias_add(), conv_then(", float c = {3}", "t = Conv(x, w) u = Add(t, c) y = Mul(u, t)"),
                  "'t' is read 2 times");
}

TEST(FuseBiasAdd, DeclinesDivisionByZero) {
  Context context;
  const Model model = conv_then(", float c = {0}", "t = Conv(x, w) y = Div(t, c)");
  const StepResult result = fuse_bias_add().run(model, StepOptions({}, {}), context);
  EXPECT_EQ(result.changes, 0);
  ASSERT_EQ(result.skipped.size(), 1U);
  EXPECT_THAT(result.skipped[0].reason, ::testing::HasSubstr("not be finite"));
}

TEST(FuseBiasAdd, TakesArithmeticIntoANormalizationThatCannotBeFolded) {
  const Model model = graph_from_text(R"(g (float[N, 2, 2, 2] x) => (float[N, 2, 2, 2] y)
    <float[2] s = {1, 2}, float[2] z = {0, 0}, float[2] o = {1, 1}, float[1, 2, 1, 1] m = {3, 4}, float[2, 1, 1] c = {5, 6}>
    { r = Relu(x) t = BatchNormalization(r, s, z, z, o) u = Mul(t, m) y = Add(u, c) })");
  const StepResult result = apply(fuse_bias_add(), model);
  EXPECT_EQ(nodes_text(result.model), "Relu(x) -> r; BatchNormalization(r, s, z_folded, z, o) -> y");
  EXPECT_THAT(floats_of(result.model, "s"), AllClose(std::vector<float>{3, 8}));
  EXPECT_THAT(floats_of(result.model, "z_folded"), AllClose(std::vector<float>{5, 6}));
}

TEST(FuseBiasAdd, TurnsMatMulAndAddIntoGemm) {
  const Model model = graph_from_text(R"(g (float[N, 2] x) => (float[N, 3] y)
    <float[2, 3] w = {1, 2, 3, 4, 5, 6}, float[3] b = {1, 2, 3}> { t = MatMul(x, w) y = Add(t, b) })");
  EXPECT_EQ(nodes_text(apply(fuse_bias_add(), model).model), "Gemm(x, w, b) -> y");
}

TEST(FuseBiasAdd, LeavesMatMulOfHigherRankAndScalesItsColumns) {
  const Model add = graph_from_text(R"(g (float[N, 4, 2] x) => (float[N, 4, 3] y)
    <float[2, 3] w = {1, 2, 3, 4, 5, 6}, float[3] b = {1, 2, 3}> { t = MatMul(x, w) y = Add(t, b) })");
  expect_declined(fuse_bias_add(), add, "known to be a matrix");
  const Model scaled = graph_from_text(R"(g (float[N, 4, 2] x) => (float[N, 4, 3] y)
    <float[2, 3] w = {1, 2, 3, 4, 5, 6}, float[3] b = {1, 2, 3}> { t = MatMul(x, w) y = Mul(t, b) })");
  EXPECT_THAT(floats_of(apply(fuse_bias_add(), scaled).model, "w"), AllClose(std::vector<float>{1, 4, 9, 4, 10, 18}));
}

}  // namespace
}  // namespace pare::testing
