// One initializer read by several nodes: one decision, a copy, or a reason, never two cuts.
#include "channels/pruning.h"

namespace pare::testing {
namespace {

TEST(ChannelSharedWeights, SiameseBranchesAreOneDecision) {
  const Model model = network(R"(g (float[N, 3, 6, 6] p, float[N, 3, 6, 6] q) => (float[N, 2, 6, 6] y)
    <float[8, 3, 3, 3] w, float[8] b, float[6, 8, 3, 3] w1, float[2, 12, 1, 1] w2> {
      a = Conv<pads = [1, 1, 1, 1]>(p, w, b) ra = Relu(a) a1 = Conv<pads = [1, 1, 1, 1]>(ra, w1)
      c = Conv<pads = [1, 1, 1, 1]>(q, w, b) rc = Relu(c) c1 = Conv<pads = [1, 1, 1, 1]>(rc, w1)
      k = Concat<axis = 1>(a1, c1) y = Conv(k, w2) })");
  const Cut result = cut(model, {{"a", {0, 7}}, {"c1", {2}}});
  EXPECT_EQ(layer_of(model, result.flow, "a").outputs, layer_of(model, result.flow, "c").outputs);
  for (const char* first : {"a", "c"}) {
    result.expect_kept(first, 1, 0, {1, 2, 3, 4, 5, 6});
    result.expect_kept(first, 2, 0, {1, 2, 3, 4, 5, 6});
  }
  result.expect_kept("y", 1, 1, {0, 1, 3, 4, 5, 6, 7, 9, 10, 11});
  EXPECT_EQ(result.after.graph.initializers.size(), model.graph.initializers.size()) << "one weight stays one weight";
  EXPECT_EQ(expect_random_cuts(model), 8 + 6);
}

TEST(ChannelSharedWeights, AWeightAppliedAgainToItsOwnOutput) {
  const Model model = network(R"(g (float[N, 3, 6, 6] x) => (float[N, 2, 6, 6] y)
    <float[8, 3, 3, 3] w0, float[8, 8, 3, 3] w, float[2, 8, 1, 1] w2> {
      h0 = Conv<pads = [1, 1, 1, 1]>(x, w0) r0 = Relu(h0) h1 = Conv<pads = [1, 1, 1, 1]>(r0, w) r1 = Relu(h1)
      h2 = Conv<pads = [1, 1, 1, 1]>(r1, w) r2 = Relu(h2) y = Conv(r2, w2) })");
  expect_frozen_or_right(model, "h1", "'w'");
  expect_random_cuts(model, 2);
}

/// The same head on three levels of a pyramid, as RetinaNet has it.
TEST(ChannelSharedWeights, AHeadOnSeveralLevels) {
  const Model model = network(R"(g (float[1, 3, 16, 16] x) => (float[1, 84, 2] y)
    <float[6, 3, 3, 3] w1, float[6, 6, 3, 3] w2, float[6, 6, 3, 3] w3, float[5, 6, 3, 3] wa, float[5] ba, float[2, 5, 3, 3] wb,
     int64[3] two = {1, -1, 2}> {
      f1 = Conv<pads = [1, 1, 1, 1], strides = [2, 2]>(x, w1) f2 = Conv<pads = [1, 1, 1, 1], strides = [2, 2]>(f1, w2)
      f3 = Conv<pads = [1, 1, 1, 1], strides = [2, 2]>(f2, w3)
      a1 = Conv<pads = [1, 1, 1, 1]>(f1, wa, ba) r1 = Relu(a1) b1 = Conv<pads = [1, 1, 1, 1]>(r1, wb)
      a2 = Conv<pads = [1, 1, 1, 1]>(f2, wa, ba) r2 = Relu(a2) b2 = Conv<pads = [1, 1, 1, 1]>(r2, wb)
      a3 = Conv<pads = [1, 1, 1, 1]>(f3, wa, ba) r3 = Relu(a3) b3 = Conv<pads = [1, 1, 1, 1]>(r3, wb)
      t1 = Transpose<perm = [0, 2, 3, 1]>(b1) v1 = Reshape(t1, two) t2 = Transpose<perm = [0, 2, 3, 1]>(b2)
      v2 = Reshape(t2, two) t3 = Transpose<perm = [0, 2, 3, 1]>(b3) v3 = Reshape(t3, two)
      y = Concat<axis = 1>(v1, v2, v3) })");
  const Cut result = cut(model, {{"a2", {4}}, {"f1", {0}}});
  for (const char* head : {"a1", "a2", "a3"}) EXPECT_EQ(result.shape(head), (Shape{4, 5, 3, 3})) << head;
  for (const char* level : {"f1", "f2", "f3"}) EXPECT_EQ(result.shape(level)[0], 5) << "read by one weight: " << level;
  expect_frozen(model, "b2", {"y"});
  EXPECT_EQ(expect_random_cuts(model), 6 + 5);
}

TEST(ChannelSharedWeights, FollowersOfTwoUnrelatedLayers) {
  // One slope vector, one shift, one set of statistics for two tensors that are otherwise independent.
  const Model model = network(R"(g (float[N, 3, 6, 6] x) => (float[N, 2, 6, 6] y)
    <float[8, 3, 1, 1] w1, float[8, 3, 1, 1] w2, float[8, 1, 1] slope, float[8] s, float[8] b, float[8] m, float[8] var,
     float[2, 8, 1, 1] w3, float[2, 8, 1, 1] w4> {
      h1 = Conv(x, w1) n1 = BatchNormalization(h1, s, b, m, var) p1 = PRelu(n1, slope) y1 = Conv(p1, w3)
      h2 = Conv(x, w2) n2 = BatchNormalization(h2, s, b, m, var) p2 = PRelu(n2, slope) y2 = Conv(p2, w4)
      y = Add(y1, y2) })");
  expect_frozen_or_right(model, "h1", "'h1'");
  EXPECT_GE(expect_random_cuts(model), 8);
}

TEST(ChannelSharedWeights, OneVectorAsScaleAndAsBias) {
  const Model model = network(R"(g (float[N, 3, 6, 6] x) => (float[N, 2, 6, 6] y)
    <float[8, 3, 1, 1] w1, float[8] v, float[8] m, float[8] var, float[2, 8, 1, 1] w2> {
      h = Conv(x, w1, v) n = BatchNormalization(h, v, v, m, var) y = Conv(n, w2) })");
  const Cut result = cut(model, {{"h", {3, 4}}});
  EXPECT_EQ(result.shape("n", 1), Shape{6});
  EXPECT_EQ(result.shape("h", 2), Shape{6});
}

TEST(ChannelSharedWeights, AWeightThatIsAnOutputOrReadAsDataStays) {
  const Model model = network(R"(g (float[N, 3, 6, 6] x) => (float[N, 2, 6, 6] y, float[8] norms)
    <float[8, 3, 1, 1] w1, float[2, 8, 1, 1] w2> {
      h = Conv(x, w1) y = Conv(h, w2) f = Abs(w1) norms = ReduceMax<axes = [1, 2, 3], keepdims = 0>(f) })");
  EXPECT_NO_THROW((void)expect_random_cuts(model)) << "the second output must stay [8]";
}

TEST(ChannelSharedWeights, AReshapeTargetSharedByTensorsOfDifferentCuts) {
  const Model model = network(R"(g (float[1, 3, 4, 4] x) => (float[1, 2] y)
    <float[8, 3, 1, 1] w1, float[8, 3, 1, 1] w2, int64[2] flat = {1, 128}, float[128, 2] wa, float[128, 2] wb> {
      h1 = Conv(x, w1) f1 = Reshape(h1, flat) y1 = MatMul(f1, wa) h2 = Conv(x, w2) f2 = Reshape(h2, flat) y2 = MatMul(f2, wb)
      y = Add(y1, y2) })");
  const Cut result = cut(model, {{"h1", {0}}, {"h2", {1, 2, 3}}});
  EXPECT_EQ(result.shape("y1"), (Shape{112, 2}));
  EXPECT_EQ(result.shape("y2"), (Shape{80, 2}));
  EXPECT_EQ(expect_random_cuts(model), 16);
}

}  // namespace
}  // namespace pare::testing
