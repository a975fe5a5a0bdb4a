// From maps to vectors and back: Flatten, Reshape, Transpose, Gemm, MatMul.
#include "channels/pruning.h"

namespace pare::testing {
namespace {

std::vector<std::int64_t> rows_without(std::int64_t channels, std::int64_t width, const std::set<std::int64_t>& gone,
                                       bool channels_last = false) {
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < channels * width; ++i)
    if (!gone.contains(channels_last ? i % channels : i / width)) rows.push_back(i);
  return rows;
}

TEST(ChannelReshape, AChannelIsABlockOfColumnsBehindFlatten) {
  for (const int transposed : {0, 1}) {
    for (const char* flatten : {"Flatten(r)", "Flatten<axis = -3>(r)", "Reshape(r, keep)", "Reshape(r, spelled)"}) {
      SCOPED_TRACE(std::string(flatten) + " transB " + std::to_string(transposed));
      const Model model = network("g (float[N, 1, 6, 6] x) => (float[N, 2] y) <float[8, 1, 3, 3] w1, float[8] b1, " +
                                  std::string(transposed ? "float[2, 288] w2" : "float[288, 2] w2") +
                                  ", float[2] b2, int64[2] keep = {0, -1}, int64[2] spelled = {-1, 288}> { h = "
                                  "Conv<pads = [1, 1, 1, 1]>(x, w1, b1) "
                                  "r = Relu(h) f = " +
                                  flatten + " y = Gemm<transB = " + std::to_string(transposed) + ">(f, w2, b2) }");
      const Cut result = cut(model, {{"h", {2, 5}}});
      result.expect_kept("y", 1, transposed ? 1 : 0, rows_without(8, 36, {2, 5}));
      if (std::string(flatten).find("spelled") != std::string::npos) {
        EXPECT_EQ(result.ints("f"), (std::vector<std::int64_t>{-1, 216}));
      }
      EXPECT_EQ(expect_random_cuts(model), 8);
    }
  }
}

TEST(ChannelReshape, ChannelsLastBeforeFlatten) {
  const Model model = network(R"(g (float[N, 1, 4, 5] x) => (float[N, 3] y)
    <float[6, 1, 3, 3] w1, float[120, 3] w2, float[3] b2> {
      h = Conv<pads = [1, 1, 1, 1]>(x, w1) t = Transpose<perm = [0, 2, 3, 1]>(h) f = Flatten(t)
      m = MatMul(f, w2) y = Add(m, b2) })");
  const Cut result = cut(model, {{"h", {0, 4}}});
  result.expect_kept("m", 1, 0, rows_without(6, 20, {0, 4}, true));
  EXPECT_EQ(expect_random_cuts(model), 6);
}

TEST(ChannelReshape, ChannelsLastThroughoutAsKerasExportsIt) {
  const Model model = network(R"(g (float[N, 8, 8, 3] x) => (float[N, 2] y)
    <float[6, 3, 3, 3] w1, float[6, 1, 3, 3] w2, float[1, 1, 1, 6] scale, float[6] shift, float[6, 5] w3, float[5] b3,
     float[5, 2] w4, int64[2] space = {1, 2}> {
      t0 = Transpose<perm = [0, 3, 1, 2]>(x) h = Conv<pads = [1, 1, 1, 1]>(t0, w1) t1 = Transpose<perm = [0, 2, 3, 1]>(h)
      a = Mul(t1, scale) b = Add(a, shift) r = Relu(b)
      t2 = Transpose<perm = [0, 3, 1, 2]>(r) d = Conv<group = 6, pads = [1, 1, 1, 1]>(t2, w2)
      t3 = Transpose<perm = [0, 2, 3, 1]>(d) q = ReduceMean<axes = [1, 2], keepdims = 0>(t3)
      m = MatMul(q, w3) f = Add(m, b3) g2 = Relu(f) y = MatMul(g2, w4) })");
  const Cut result = cut(model, {{"h", {1}}, {"m", {0, 4}}});
  EXPECT_EQ(result.shape("a"), (Shape{1, 1, 1, 5}));
  EXPECT_EQ(result.shape("b"), Shape{5});
  EXPECT_EQ(result.shape("m"), (Shape{5, 3}));
  result.expect_kept("f", 1, 0, {1, 2, 3});
  result.expect_kept("y", 1, 0, {1, 2, 3});
  EXPECT_EQ(expect_random_cuts(model), 6 + 5);
}

TEST(ChannelReshape, AVectorBecomesAMap) {
  const Model model = network(R"(g (float[N, 10] x) => (float[N, 3, 8, 8] y)
    <float[10, 256] w1, float[256] b1, int64[4] map = {-1, 16, 4, 4}, float[16, 3, 2, 2] w2> {
      h = Gemm(x, w1, b1) m = Reshape(h, map) r = Relu(m) y = ConvTranspose<strides = [2, 2]>(r, w2) })");
  const ChannelFlow flow = flow_of(model);
  const std::vector<std::int64_t> block = together(model, flow, "h", 17);
  ASSERT_EQ(block.size(), 16U);
  EXPECT_EQ(block.front(), 16);
  EXPECT_EQ(block.back(), 31);
  const Cut result = cut(model, {{"h", {16}}});
  result.expect_kept("h", 1, 1, rows_without(16, 16, {1}));
  result.expect_kept("h", 2, 0, rows_without(16, 16, {1}));
  EXPECT_EQ(result.ints("m"), (std::vector<std::int64_t>{-1, 15, 4, 4}));
  EXPECT_EQ(result.shape("y"), (Shape{15, 3, 2, 2}));
  EXPECT_EQ(expect_random_cuts(model), 16);
}

TEST(ChannelReshape, AReshapeThatSpellsTheChannels) {
  const Model model = network(R"(g (float[1, 3, 6, 6] x) => (float[1, 2] y)
    <float[8, 3, 3, 3] w1, int64[3] rows = {1, 8, -1}, float[8, 2] w2> {
      h = Conv<pads = [1, 1, 1, 1]>(x, w1) v = Reshape(h, rows) q = ReduceMax<axes = [2], keepdims = 0>(v)
      y = Gemm(q, w2) })");
  const Cut result = cut(model, {{"h", {6}}});
  EXPECT_EQ(result.ints("v"), (std::vector<std::int64_t>{1, 7, -1}));
  EXPECT_EQ(expect_random_cuts(model), 8);
}

TEST(ChannelReshape, SqueezeAndUnsqueeze) {
  const Model model = network(R"(g (float[N, 3, 6, 6] x) => (float[N, 2] y)
    <float[8, 3, 3, 3] w1, int64[2] space = {2, 3}, int64[1] end = {-1}, float[5, 8, 1] w2, float[5, 2] w3> {
      h = Conv(x, w1) p = GlobalMaxPool(h) s = Squeeze(p, space) r = Relu(s) u = Unsqueeze(r, end)
      k = Conv(u, w2) f = Squeeze(k, end) y = Gemm(f, w3) })");
  const Cut result = cut(model, {{"h", {6}}, {"k", {0, 1}}});
  EXPECT_EQ(result.shape("k"), (Shape{3, 7, 1}));
  EXPECT_EQ(result.shape("y"), (Shape{3, 2}));
  EXPECT_EQ(expect_random_cuts(model), 13);
}

TEST(ChannelReshape, TokensOfATransformerStem) {
  // Patches become rows; the width of the rows goes through a perceptron, whose inside is free.
  const Model model = network(R"(g (float[1, 3, 8, 8] x) => (float[1, 2] y)
    <float[8, 3, 4, 4] w1, int64[3] rows = {1, 8, 4}, float[8, 12] w2, float[12] b2, float[12, 8] w3, float[8, 2] w4> {
      h = Conv<strides = [4, 4]>(x, w1) v = Reshape(h, rows) t = Transpose<perm = [0, 2, 1]>(v)
      m1 = MatMul(t, w2) a1 = Add(m1, b2) r1 = Relu(a1) m2 = MatMul(r1, w3) s = Add(t, m2)
      q = ReduceMean<axes = [1], keepdims = 0>(s) y = MatMul(q, w4) })");
  const Cut result = cut(model, {{"m1", {0, 3, 7}}, {"h", {2}}});
  EXPECT_EQ(result.shape("m1"), (Shape{7, 9}));
  EXPECT_EQ(result.shape("m2"), (Shape{9, 7}));
  EXPECT_EQ(result.ints("v"), (std::vector<std::int64_t>{1, 7, 4}));
  EXPECT_EQ(expect_random_cuts(model), 8 + 12);
}

TEST(ChannelReshape, ALayoutThatMixesChannelsIsFrozenOrRight) {
  // 6 channels of 4 x 4 read as 4 channels of 4 x 6: no channel of either is a whole of the other.
  expect_frozen_or_right(network(R"(g (float[1, 3, 4, 4] x) => (float[1, 2, 4, 6] y)
    <float[6, 3, 1, 1] w1, int64[4] other = {1, 4, 4, 6}, float[2, 4, 1, 1] w2> {
      h = Conv(x, w1) v = Reshape(h, other) y = Conv(v, w2) })"),
                         "h", "Reshape");
}

TEST(ChannelReshape, PerceptronWithBiasesAsAdditions) {
  const Model model = network(R"(g (float[N, 7] x) => (float[N, 3] y)
    <float[7, 20] w1, float[20] b1, float[20, 12] w2, float[1, 12] b2, float[12, 3] w3, float[3] b3> {
      m1 = MatMul(x, w1) a1 = Add(b1, m1) r1 = Tanh(a1) m2 = MatMul(r1, w2) a2 = Add(m2, b2) r2 = Sigmoid(a2)
      m3 = MatMul(r2, w3) y = Add(m3, b3) })");
  const Cut result = cut(model, {{"m1", {0, 19}}, {"m2", {5}}});
  EXPECT_EQ(result.shape("m2"), (Shape{18, 11}));
  EXPECT_EQ(result.shape("a2"), (Shape{1, 11}));
  EXPECT_EQ(expect_random_cuts(model), 32);
}

TEST(ChannelReshape, AWeightOnTheLeftOrTransposedByANodeIsFrozenOrRight) {
  const Model transposed = network(R"(g (float[N, 7] x) => (float[N, 3] y)
    <float[20, 7] w1, float[3, 20] w2> {
      t1 = Transpose<perm = [1, 0]>(w1) t2 = Transpose<perm = [1, 0]>(w2)
      h = MatMul(x, t1) r = Relu(h) y = MatMul(r, t2) })");
  EXPECT_NO_THROW((void)expect_random_cuts(transposed));
  const Model left = network(R"(g (float[7, N] x) => (float[3, N] y)
    <float[20, 7] w1, float[3, 20] w2> { h = MatMul(w1, x) r = Relu(h) y = MatMul(w2, r) })");
  EXPECT_NO_THROW((void)expect_random_cuts(left));
}

}  // namespace
}  // namespace pare::testing
