#include "rewrite/rewriting.h"

namespace pare::testing {
namespace {

TEST(FoldConstants, TurnsConstantNodesIntoInitializers) {
  const StepResult result = apply(fold_constants(), graph_from_text(R"(g (float[N, 2] x) => (float[N, 2] y)
    { c = Constant<value = float[2] {1, 2}>() d = Constant<value_float = 3.0>() t = Mul(x, c) y = Add(t, d) })"));
  EXPECT_EQ(nodes_text(result.model), "Mul(x, c) -> t; Add(t, d) -> y");
  EXPECT_THAT(floats_of(result.model, "c"), AllClose(std::vector<float>{1, 2}));
  EXPECT_THAT(floats_of(result.model, "d"), AllClose(std::vector<float>{3}));
  expect_idempotent(fold_constants(), result);
}

TEST(FoldConstants, KeepsAConstantThatIsAnOutput) {
  const StepResult result = apply(
      fold_constants(),
      graph_from_text(
          "g (float[2] x) => (float[2] y, float[2] c) { c = Constant<value = float[2] {1, 2}>() y = Add(x, c) }"));
  EXPECT_EQ(result.changes, 0);
}

TEST(FoldConstants, ComputesWeightsThroughCastIdentityAndTranspose) {
  // Halves in float16 cast to float32: twice the bytes, but a weight.
  const StepResult result = apply(fold_constants(), graph_from_text(R"(g (float[N, 1, 3, 3] x) => (float[N, 2, 3, 3] y)
    <float16[1, 2, 1, 1] h = {15872, 16640}>
    { f = Cast<to = 1>(h) i = Identity(f) w = Transpose<perm = [1, 0, 2, 3]>(i) y = Conv(x, w) })"));
  EXPECT_EQ(nodes_text(result.model), "Conv(x, w) -> y");
  EXPECT_THAT(floats_of(result.model, "w"), AllClose(std::vector<float>{1.5F, 2.5F}));
}

TEST(FoldConstants, KnowsDimensionsThatFollowFromTheInputs) {
  const StepResult result = apply(fold_constants(), graph_from_text(R"(g (float[N, 3, 4, 4] x) => (float[N, M] y)
    <int64 one = {1}, int64 zero = {0}, int64[1] axes = {0}, int64[1] minus = {-1}>
    { s = Shape(x) n = Gather(s, zero) un = Unsqueeze(n, axes) t = Concat<axis = 0>(un, minus) y = Reshape(x, t) })"));
  EXPECT_EQ(result.changes, 0);  // N is not known
  const StepResult channels = apply(fold_constants(), graph_from_text(R"(g (float[N, 3, 4, 4] x) => (float[3, M] y)
    <int64 one = {1}, int64[1] axes = {0}, int64[1] minus = {-1}>
    { s = Shape(x) n = Gather(s, one) un = Unsqueeze(n, axes) t = Concat<axis = 0>(un, minus) y = Reshape(x, t) })"));
  EXPECT_EQ(nodes_text(channels.model), "Shape(x) -> s; Reshape(x, t) -> y");
  EXPECT_EQ(channels.model.graph.initializers.find("t")->to_int64s(), (std::vector<std::int64_t>{3, -1}));
  const StepResult whole =
      apply(fold_constants(),
            graph_from_text(
                "g (float[2, 3] x) => (float[3, 2] y) { s = Shape(x) r = Shape<start = 1>(x) q = Shape<end = -1>(x) "
                "n = Size(x) t = Concat<axis = 0>(r, q) y = Reshape(x, t) }"));
  EXPECT_EQ(nodes_text(whole.model), "Reshape(x, t) -> y");
  EXPECT_EQ(whole.model.graph.initializers.find("t")->to_int64s(), (std::vector<std::int64_t>{3, 2}));
  EXPECT_EQ(whole.model.graph.initializers.find("n")->to_int64s(), (std::vector<std::int64_t>{6}));
}

TEST(FoldConstants, DoesNotBelieveDeclaredInnerShapes) {
  Model model = graph_from_text("g (float[N, 3] x) => (int64[2] y) { t = Relu(x) s = Shape(t) y = Neg(s) }");
  ValueInfo stale = *model.graph.find_input("x");
  stale.name = "t";
  stale.shape->front().value = 7;
  model.graph.value_info.push_back(stale);
  Context context;
  EXPECT_EQ(fold_constants().run(model, StepOptions({}, {}), context).changes, 0);
}

TEST(FoldConstants, NeverTakesWeightsOutOfInt8) {
  expect_declined(fold_constants(), graph_from_text(R"(g (float[N, 1, 3, 3] x) => (float[N, 2, 3, 3] y)
    <int8[2, 1, 1, 1] q = {1, 2}, float[2] s = {0.5, 0.25}, int8[2] z = {0, 0}>
    { w = DequantizeLinear<axis = 0>(q, s, z) y = Conv(x, w) })"),
                  "stay as small as they are stored");
}

TEST(FoldConstants, LeavesGeneratorsOfLargeTensors) {
  const std::string text = R"(g (float[N, 8, 9, 9] x) => (float[N, 64, 7, 7] y) <int64[4] s = {64, 8, 3, 3}>
    { w = ConstantOfShape<value = float[1] {0.5}>(s) y = Conv(x, w) })";
  expect_declined(fold_constants(), graph_from_text(text), "would make the file larger");
  const std::string wide = R"(g (float[1000, 9] x) => (float[1000, 9] y) <float[1, 1] s = {3}, int64[2] r = {1000, 9}>
    { w = Expand(s, r) v = Neg(w) y = Add(x, v) })";
  expect_declined(fold_constants(), graph_from_text(wide), "would make the file larger");
}

TEST(FoldConstants, ComputesWhatIsSmallBehindAGenerator) {
  const StepResult result = apply(fold_constants(), graph_from_text(R"(g (float[1000] x) => (float[1000] y)
    <float s = {3}, int64[1] r = {1000}> { w = Expand(s, r) h = ReduceSum<keepdims = 0>(w) y = Mul(x, h) })"));
  EXPECT_EQ(nodes_text(result.model), "Mul(x, h) -> y");
  EXPECT_THAT(floats_of(result.model, "h"), AllClose(std::vector<float>{3000}));
}

TEST(FoldConstants, DoesNotFoldWhatReadsAGeneratorThatStays) {
  const Model model = graph_from_text(R"(g (float[1000] x) => (float[1000] y) <float s = {3}, int64[1] r = {1000}>
    { w = Expand(s, r) h = ReduceSum<keepdims = 0>(w) v = Add(x, w) y = Mul(v, h) })");
  expect_declined(fold_constants(), model, "would make the file larger");
}

TEST(FoldConstants, LeavesLargerResultsThatAreNoWeights) {
  expect_declined(fold_constants(), graph_from_text(R"(g (float[40, 40] x) => (float[40, 40] y)
    <float[40, 1] a = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20},
     float[1, 40] b = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20}>
    { c = Mul(a, b) y = Add(x, c) })"),
                  "would make the file larger");
}

TEST(FoldConstants, LeavesRandomNumbersControlFlowAndOtherDomains) {
  Context context;
  Model random = graph_from_text("g (float[2] x) => (float[2] y) { r = RandomUniform<shape = [2]>() y = Add(x, r) }");
  EXPECT_EQ(fold_constants().run(random, StepOptions({}, {}), context).changes, 0);
  const Model branch = graph_from_text(R"(g (float[2] x) => (float[2] y) <bool c = {1}, float[2] k = {1, 2}>
    { t = If(c) <then_branch = a () => (float[2] p) { p = Neg(k) }, else_branch = b () => (float[2] q) { q = Exp(k) }>
      y = Add(x, t) })");
  EXPECT_EQ(fold_constants().run(branch, StepOptions({}, {}), context).changes, 0);
  Model foreign = graph_from_text("g (float[2] x) => (float[2] y) <float[2] c = {1, 2}> { t = Neg(c) y = Add(x, t) }");
  foreign.graph.nodes[0].domain = "com.example";
  EXPECT_EQ(fold_constants().run(foreign, StepOptions({}, {}), context).changes, 0);
}

TEST(FoldConstants, FoldsWhatSubgraphsCaptureAndSeveralOutputs) {
  const StepResult result = apply(fold_constants(), graph_from_text(R"(g (float[1] x, bool c) => (float[1] y)
    <float[2] k = {1, 2}>
    { a, b = Split<axis = 0, num_outputs = 2>(k)
      t = If(c) <then_branch = p () => (float[1] p1) { p1 = Neg(a) }, else_branch = q () => (float[1] q1) { q1 = Exp(a) }>
      y = Add(x, t) })",
                                                                    18));
  EXPECT_EQ(result.model.graph.nodes.size(), 2U);
  EXPECT_THAT(floats_of(result.model, "a"), AllClose(std::vector<float>{1}));
}

TEST(FoldConstants, LeavesOneNodeThatTheRuntimeRefusesAndFoldsTheOthers) {
  // Reshape to a wrong size fails as it runs.
  Context context;
  const StepResult result = fold_constants().run(
      graph_from_text(R"(g (float[2] x) => (float[2] y, z) <float[2] k = {1, 2}, int64[1] three = {3}>
        { t = Neg(k) y = Add(x, t) u = Gather(k, three) v = Exp(u) z = Add(x, v) })"),
      StepOptions({}, {}), context);
  EXPECT_THAT(floats_of(result.model, "t"), AllClose(std::vector<float>{-1, -2}));
  ASSERT_FALSE(result.skipped.empty());
  EXPECT_THAT(result.skipped[0].reason, ::testing::HasSubstr("the runtime does not compute it"));
}

}  // namespace
}  // namespace pare::testing
