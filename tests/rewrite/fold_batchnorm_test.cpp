#include <cmath>

#include "rewrite/rewriting.h"

namespace pare::testing {
namespace {

/// Two channels; a = scale / sqrt(var + 0) = {2, 3}, c = B - mean a = {-1, 1}.
constexpr const char* kNorm = "float[2] s = {4, 3}, float[2] B = {1, -2}, float[2] m = {1, -1}, float[2] v = {4, 1}";

Model with_norm(const std::string& head, const std::string& weights, const std::string& nodes, int opset = 17) {
  return graph_from_text("g " + head + " <" + weights + ", " + kNorm + "> {" + nodes + "}", opset);
}

TEST(FoldBatchnorm, FoldsIntoTheConvBefore) {
  const Model model =
      with_norm("(float[N, 1, 2, 2] x) => (float[N, 2, 2, 2] y)", "float[2, 1, 1, 1] w = {5, 7}, float[2] b = {1, 10}",
                "t = Conv(x, w, b) y = BatchNormalization<epsilon = 0.0>(t, s, B, m, v)");
  const StepResult result = apply(fold_batchnorm(), model);
  EXPECT_EQ(nodes_text(result.model), "Conv(x, w, b) -> y");
  EXPECT_THAT(floats_of(result.model, "w"), AllClose(std::vector<float>{10, 21}, {.atol = 1e-5}));
  EXPECT_THAT(floats_of(result.model, "b"), AllClose(std::vector<float>{1 * 2 - 1, 10 * 3 + 1}, {.atol = 1e-5}));
  ASSERT_EQ(result.done.size(), 1U);
  EXPECT_THAT(result.done[0].reason, ::testing::HasSubstr("folded into Conv"));
  expect_idempotent(fold_batchnorm(), result);
}

TEST(FoldBatchnorm, GivesABiasToAConvWithoutOneAndKeepsNamesApart) {
  const Model model =
      with_norm("(float[N, 1, 2, 2] x) => (float[N, 2, 2, 2] y)", "float[2, 1, 1, 1] w = {5, 7}, float w_bias = {3}",
                "u = Add(x, w_bias) t = Conv(u, w) y = BatchNormalization<epsilon = 0.0>(t, s, B, m, v)");
  const StepResult result = apply(fold_batchnorm(), model);
  EXPECT_EQ(nodes_text(result.model), "Add(x, w_bias) -> u; Conv(u, w, w_bias_1) -> y");
  EXPECT_THAT(floats_of(result.model, "w_bias_1"), AllClose(std::vector<float>{-1, 1}, {.atol = 1e-5}));
}

TEST(FoldBatchnorm, FoldsIntoGroupedConvTransposeOnItsSecondAxis) {
  // 2 groups of 1 input and 1 output each: w[c, 0] belongs to output c.
  const Model model =
      with_norm("(float[N, 2, 3, 3] x) => (float[N, 2, h, w2] y)",
                "float[2, 1, 2, 2] w = {1, 2, 3, 4, 5, 6, 7, 8}, float[2] b = {1, 1}",
                "t = ConvTranspose<group = 2>(x, w, b) y = BatchNormalization<epsilon = 0.0>(t, s, B, m, v)");
  const StepResult result = apply(fold_batchnorm(), model);
  EXPECT_EQ(nodes_text(result.model), "ConvTranspose(x, w, b) -> y");
  EXPECT_THAT(floats_of(result.model, "w"), AllClose(std::vector<float>{2, 4, 6, 8, 15, 18, 21, 24}, {.atol = 1e-4}));
}

TEST(FoldBatchnorm, FoldsIntoConvTransposeWithSeveralOutputsPerGroup) {
  const Model model = graph_from_text(R"(g (float[N, 2, 3, 3] x) => (float[N, 4, 3, 3] y)
    <float[2, 2, 1, 1] w = {1, 1, 1, 1}, float[4] s = {1, 2, 3, 4}, float[4] z = {0, 0, 0, 0}, float[4] o = {1, 1, 1, 1}>
    { t = ConvTranspose<group = 2>(x, w) y = BatchNormalization<epsilon = 0.0>(t, s, z, z, o) })");
  const StepResult result = apply(fold_batchnorm(), model);
  EXPECT_THAT(floats_of(result.model, "w"), AllClose(std::vector<float>{1, 2, 3, 4}, {.atol = 1e-6}));
  EXPECT_EQ(nodes_text(result.model), "ConvTranspose(x, w) -> y");
}

TEST(FoldBatchnorm, FoldsIntoGemmInBothLayoutsAndTakesBetaIn) {
  for (const int transposed : {0, 1}) {
    const Model model = with_norm("(float[N, 3] x) => (float[N, 2] y)",
                                  transposed ? "float[2, 3] w = {1, 2, 3, 4, 5, 6}, float[2] b = {1, 1}"
                                             : "float[3, 2] w = {1, 4, 2, 5, 3, 6}, float[2] b = {1, 1}",
                                  "t = Gemm<alpha = 0.5, beta = 2.0, transB = " + std::to_string(transposed) +
                                      ">(x, w, b) y = BatchNormalization<epsilon = 0.0>(t, s, B, m, v)");
    const StepResult result = apply(fold_batchnorm(), model);
    EXPECT_EQ(nodes_text(result.model), "Gemm(x, w, b) -> y");
    EXPECT_THAT(floats_of(result.model, "b"), AllClose(std::vector<float>{3, 7}, {.atol = 1e-5}));
    EXPECT_EQ(result.model.graph.nodes[0].find_attribute("beta"), nullptr);
  }
}

TEST(FoldBatchnorm, FoldsForwardIntoAConvThatDoesNotPad) {
  const Model model =
      with_norm("(float[N, 2, 4, 4] x) => (float[N, 1, 3, 3] y)", "float[1, 2, 2, 2] w = {1, 2, 3, 4, 5, 6, 7, 8}",
                "r = Relu(x) t = BatchNormalization<epsilon = 0.0>(r, s, B, m, v) y = Conv(t, w)");
  const StepResult result = apply(fold_batchnorm(), model);
  EXPECT_EQ(nodes_text(result.model), "Relu(x) -> r; Conv(r, w, w_bias) -> y");
  EXPECT_THAT(floats_of(result.model, "w_bias"), AllClose(std::vector<float>{-10 + 26}, {.atol = 1e-4}));
}

TEST(FoldBatchnorm, FoldsForwardIntoGroupsAndGemm) {
  const Model grouped =
      with_norm("(float[N, 2, 2, 2] x) => (float[N, 4, 2, 2] y)", "float[4, 1, 1, 1] w = {1, 2, 3, 4}",
                "t = BatchNormalization<epsilon = 0.0>(x, s, B, m, v) y = Conv<group = 2>(t, w)");
  EXPECT_THAT(floats_of(apply(fold_batchnorm(), grouped).model, "w"),
              AllClose(std::vector<float>{2, 4, 9, 12}, {.atol = 1e-5}));
  const Model dense = with_norm("(float[N, 2] x) => (float[N, 3] y)", "float[2, 3] w = {1, 2, 3, 4, 5, 6}",
                                "t = BatchNormalization<epsilon = 0.0>(x, s, B, m, v) y = Gemm<alpha = 2.0>(t, w)");
  EXPECT_EQ(nodes_text(apply(fold_batchnorm(), dense).model), "Gemm(x, w, w_bias) -> y");
}

TEST(FoldBatchnorm, LeavesBordersOfAPaddingConvAlone) {
  const Model model = with_norm("(float[N, 2, 4, 4] x) => (float[N, 1, 4, 4] y)",
                                "float[1, 2, 3, 3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9}",
                                "t = BatchNormalization(x, s, B, m, v) y = Conv<pads = [1, 1, 1, 1]>(t, w)");
  expect_declined(fold_batchnorm(), model, "pads with zeros");
}

TEST(FoldBatchnorm, FoldsForwardIntoAPaddingConvWhenItOnlyScales) {
  const Model model = graph_from_text(R"(g (float[N, 2, 4, 4] x) => (float[N, 1, 4, 4] y)
    <float[1, 2, 3, 3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9}, float[2] s = {2, 3},
     float[2] z = {0, 0}, float[2] o = {1, 1}>
    { t = BatchNormalization<epsilon = 0.0>(x, s, z, z, o) y = Conv<auto_pad = "SAME_UPPER">(t, w) })");
  EXPECT_EQ(nodes_text(apply(fold_batchnorm(), model).model), "Conv(x, w) -> y");
}

TEST(FoldBatchnorm, DeclinesBehindAnActivation) {
  const Model model = with_norm("(float[N, 1, 2, 2] x) => (float[N, 2, 2, 2] y)", "float[2, 1, 1, 1] w = {5, 7}",
                                "c = Conv(x, w) t = Relu(c) y = BatchNormalization(t, s, B, m, v)");
  expect_declined(fold_batchnorm(), model, "its input comes from Relu");
}

TEST(FoldBatchnorm, DeclinesWhenItComesFirstAndALayerIsNotNext) {
  const Model model = with_norm("(float[N, 2, 2, 2] x) => (float[N, 2, 2, 2] y)", "float z = {0}",
                                "t = BatchNormalization(x, s, B, m, v) y = Relu(t)");
  expect_declined(fold_batchnorm(), model, "made by no layer");
}

TEST(FoldBatchnorm, DeclinesWhenTheValueBetweenIsReadElsewhere) {
  const Model model = with_norm("(float[N, 1, 2, 2] x) => (float[N, 2, 2, 2] y)", "float[2, 1, 1, 1] w = {5, 7}",
                                "t = Conv(x, w) u = BatchNormalization(t, s, B, m, v) y = Add(u, t)");
  expect_declined(fold_batchnorm(), model, "'t' is read 2 times");
  const Model output =
      with_norm("(float[N, 1, 2, 2] x) => (float[N, 2, 2, 2] y, float[N, 2, 2, 2] t)", "float[2, 1, 1, 1] w = {5, 7}",
                "t = Conv(x, w) y = BatchNormalization(t, s, B, m, v)");
  expect_declined(fold_batchnorm(), output, "'t' is an output of the graph");
}

TEST(FoldBatchnorm, DeclinesWhenASubgraphReadsTheValueBetween) {
  const Model model = with_norm("(float[1, 1, 2, 2] x, bool c) => (float[1, 2, 2, 2] y, float[1, 2, 2, 2] z)",
                                "float[2, 1, 1, 1] w = {5, 7}", R"(
      t = Conv(x, w)
      y = BatchNormalization(t, s, B, m, v)
      z = If(c) <then_branch = a () => (float[1, 2, 2, 2] p) { p = Relu(t) },
                 else_branch = b () => (float[1, 2, 2, 2] q) { q = Neg(t) }>)");
  expect_declined(fold_batchnorm(), model, "a subgraph reads 't'");
}

TEST(FoldBatchnorm, DeclinesTraining) {
  const Model model = with_norm("(float[N, 1, 2, 2] x) => (float[N, 2, 2, 2] y)", "float[2, 1, 1, 1] w = {5, 7}",
                                "t = Conv(x, w) y = BatchNormalization<training_mode = 1>(t, s, B, m, v)");
  Context context;
  const StepResult result = fold_batchnorm().run(model, StepOptions({}, {}), context);
  EXPECT_EQ(result.changes, 0);
  ASSERT_EQ(result.skipped.size(), 1U);
  EXPECT_THAT(result.skipped[0].reason, ::testing::HasSubstr("training_mode"));
}

TEST(FoldBatchnorm, DeclinesComputedWeightsAndHalfPrecision) {
  const Model computed = with_norm("(float[N, 1, 2, 2] x, float[2, 1, 1, 1] w) => (float[N, 2, 2, 2] y)",
                                   "float z = {0}", "t = Conv(x, w) y = BatchNormalization(t, s, B, m, v)");
  expect_declined(fold_batchnorm(), computed, "its weight is not a constant");
  const Model half = graph_from_text(R"(g (float16[N, 1, 2, 2] x) => (float16[N, 2, 2, 2] y)
    <float16[2, 1, 1, 1] w = {5, 7}, float16[2] s = {1, 1}, float16[2] o = {1, 1}>
    { t = Conv(x, w) y = BatchNormalization(t, s, s, s, o) })");
  expect_declined(fold_batchnorm(), half, "is float16");
}

TEST(FoldBatchnorm, DeclinesWhatWouldNotBeFinite) {
  const Model model = graph_from_text(R"(g (float[N, 1, 2, 2] x) => (float[N, 1, 2, 2] y)
    <float[1, 1, 1, 1] w = {5}, float[1] s = {1}, float[1] z = {0}>
    { t = Conv(x, w) y = BatchNormalization<epsilon = 0.0>(t, s, z, z, z) })");
  Context context;
  const StepResult result = fold_batchnorm().run(model, StepOptions({}, {}), context);
  ASSERT_EQ(result.skipped.size(), 1U);
  EXPECT_THAT(result.skipped[0].reason, ::testing::HasSubstr("no finite scale"));
}

TEST(FoldBatchnorm, GivesEachReaderOfASharedWeightItsOwnCopy) {
  const Model model = with_norm("(float[N, 1, 2, 2] x) => (float[N, 2, 2, 2] y, float[N, 2, 2, 2] z)",
                                "float[2, 1, 1, 1] w = {5, 7}, float[2] b = {1, 1}",
                                "t = Conv(x, w, b) y = BatchNormalization(t, s, B, m, v) z = Conv(x, w, b)");
  const StepResult result = apply(fold_batchnorm(), model);
  EXPECT_EQ(nodes_text(result.model), "Conv(x, w_folded, b_folded) -> y; Conv(x, w, b) -> z");
  EXPECT_THAT(floats_of(result.model, "w"), AllClose(std::vector<float>{5, 7}));
}

TEST(FoldBatchnorm, SharesOneSetOfParametersAmongSeveralNormalizations) {
  const Model model = with_norm("(float[N, 1, 2, 2] x) => (float[N, 2, 2, 2] z)",
                                "float[2, 1, 1, 1] w = {5, 7}, float[2, 2, 1, 1] u = {1, 2, 3, 4}",
                                R"(t = Conv(x, w) y = BatchNormalization(t, s, B, m, v)
                                   p = Conv(y, u) z = BatchNormalization(p, s, B, m, v))");
  EXPECT_EQ(nodes_text(apply(fold_batchnorm(), model).model), "Conv(x, w, w_bias) -> y; Conv(y, u, u_bias) -> z");
}

TEST(FoldBatchnorm, KeepsChannelsOfVeryDifferentScaleApart) {
  const Model model = graph_from_text(R"(g (float[N, 1, 2, 2] x) => (float[N, 2, 2, 2] y)
    <float[2, 1, 1, 1] w = {1, 1}, float[2] s = {1, 1000}, float[2] z = {0, 0}, float[2] o = {1, 1}>
    { t = Conv(x, w) y = BatchNormalization<epsilon = 0.0>(t, s, z, z, o) })");
  EXPECT_THAT(floats_of(apply(fold_batchnorm(), model).model, "w"), AllClose(std::vector<float>{1, 1000}));
}

TEST(FoldBatchnorm, FindsWeightsInConstantNodes) {
  const Model model = with_norm("(float[N, 1, 2, 2] x) => (float[N, 2, 2, 2] y)", "float z = {0}",
                                "w = Constant<value = float[2, 1, 1, 1] {5, 7}>() t = Conv(x, w) "
                                "y = BatchNormalization<epsilon = 0.0>(t, s, B, m, v)");
  const StepResult result = apply(fold_batchnorm(), model);
  EXPECT_THAT(floats_of(result.model, "w_folded"), AllClose(std::vector<float>{10, 21}, {.atol = 1e-5}));
}

}  // namespace
}  // namespace pare::testing
