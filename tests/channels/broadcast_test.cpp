// Elementwise operators whose operands do not have the same shape.
#include "channels/pruning.h"

namespace pare::testing {
namespace {

/// As wide as it has channels, so that an axis taken for another shows.
TEST(ChannelBroadcast, FourKindsInOneGraph) {
  const Model model = network(R"(g (float[N, 3, 8, 8] x) => (float[N, 4, 8, 8] y)
    <float[8, 3, 3, 3] w1, float[1, 3, 3, 3] wm, float[2, 8, 1, 1] wa, float[2] ba, float[8, 2, 1, 1] wb, float[8] bb,
     float[1, 8, 1, 1] scale, float[8] columns, float[4, 8, 1, 1] w2> {
      h = Conv<pads = [1, 1, 1, 1]>(x, w1)
      m0 = Conv<pads = [1, 1, 1, 1]>(x, wm) m = Sigmoid(m0) a = Mul(h, m)
      q = GlobalAveragePool(a) g1 = Conv(q, wa, ba) r = LeakyRelu(g1) g2 = Conv(r, wb, bb) s = Sigmoid(g2) b = Mul(a, s)
      c = Mul(b, scale)
      d = Add(c, columns)
      y = Conv(d, w2) })");
  const Cut result = cut(model, {{"h", {1, 5}}});
  const std::vector<std::int64_t> kept = {0, 2, 3, 4, 6, 7};
  EXPECT_EQ(result.shape("m0"), (Shape{1, 3, 3, 3})) << "a spatial mask has no channels to lose";
  result.expect_kept("g1", 1, 1, kept);
  result.expect_kept("g2", 1, 0, kept);
  result.expect_kept("g2", 2, 0, kept);
  result.expect_kept("c", 1, 1, kept);
  EXPECT_EQ(result.shape("d"), Shape{8}) << "these are columns of pixels";
  result.expect_kept("y", 1, 1, kept);
  EXPECT_EQ(layer_of(model, result.flow, "g2").outputs, layer_of(model, result.flow, "h").outputs);
  EXPECT_EQ(cut(model, {{"g1", {1}}}).shape("g2"), (Shape{8, 1, 1, 1})) << "inside of the gate";
  EXPECT_EQ(expect_random_cuts(model), 8 + 2) << "the mask's one channel stays";
}

TEST(ChannelBroadcast, AGateMadeByMatrices) {
  const Model model = network(R"(g (float[N, 3, 6, 6] x) => (float[N, 2, 6, 6] y)
    <float[8, 3, 3, 3] w1, float[8, 4] wa, float[4] ba, float[8, 4] wb, float[8] bb, int64[2] space = {2, 3},
     float[2, 8, 1, 1] w2> {
      h = Conv<pads = [1, 1, 1, 1]>(x, w1) q = ReduceMean<axes = [2, 3], keepdims = 0>(h)
      g1 = Gemm(q, wa, ba) r = Relu(g1) g2 = Gemm<transB = 1>(r, wb, bb) s = HardSigmoid(g2) u = Unsqueeze(s, space)
      m = Mul(u, h) y = Conv(m, w2) })");
  const Cut result = cut(model, {{"h", {0}}, {"g1", {1, 2}}});
  EXPECT_EQ(result.shape("g1"), (Shape{7, 2}));
  EXPECT_EQ(result.shape("g2"), (Shape{7, 2}));
  EXPECT_EQ(expect_random_cuts(model), 12);
}

/// A [N, 1, H, W] tensor made from channels of its own is added to one of eight.
TEST(ChannelBroadcast, AMapOfOneChannelMayBeWideInside) {
  const Model model = network(R"(g (float[N, 3, 6, 6] x) => (float[N, 2, 6, 6] y)
    <float[8, 3, 3, 3] w1, float[6, 3, 3, 3] wa, float[1, 6, 1, 1] wb, float[2, 8, 1, 1] w2> {
      h = Conv<pads = [1, 1, 1, 1]>(x, w1) a = Conv<pads = [1, 1, 1, 1]>(x, wa) r = Relu(a) b = Conv(r, wb)
      s = Add(b, h) y = Conv(s, w2) })");
  EXPECT_EQ(cut(model, {{"a", {0, 5}}, {"h", {3}}}).shape("b"), (Shape{1, 4, 1, 1}));
}

/// What the channels would be one axis later for a tensor of lower rank.
TEST(ChannelBroadcast, ALowerRankAlignsAtTheEnd) {
  const Model model = network(R"(g (float[1, 3, 6, 8] x) => (float[1, 2, 6, 8] y)
    <float[8, 3, 3, 3] w1, float[3, 8] wv, int64[2] space = {2, 3}, float[2, 8, 1, 1] w2> {
      h = Conv<pads = [1, 1, 1, 1]>(x, w1) q = ReduceMean<axes = [2, 3], keepdims = 0>(x) v = MatMul(q, wv)
      s = Add(h, v) y = Conv(s, w2) })");
  expect_frozen_or_right(model, "h", "Add");
  const ChannelFlow flow = flow_of(model);
  EXPECT_TRUE(free_classes(model, flow, "v").empty()) << "they are columns of pixels and end in the output's width";
}

/// One channel that is spread over many: it cannot go unless all that it meets go.
TEST(ChannelBroadcast, TheNetworksInputSpreadOverChannels) {
  const Model model = network(R"(g (float[N, 1, 6, 6] x) => (float[N, 2, 6, 6] y)
    <float[8, 1, 3, 3] w1, float[2, 8, 1, 1] w2> {
      h = Conv<pads = [1, 1, 1, 1]>(x, w1) s = Add(h, x) r = Relu(s) y = Conv(r, w2) })");
  EXPECT_EQ(cut(model, {{"h", {2, 3}}}).shape("y"), (Shape{2, 6, 1, 1}));
  EXPECT_EQ(expect_random_cuts(model), 8);
}

TEST(ChannelBroadcast, AddingTheNetworksInputFreezes) {
  expect_frozen(network(R"(g (float[N, 4, 6, 6] x) => (float[N, 2, 6, 6] y)
    <float[4, 4, 3, 3] w1, float[2, 4, 1, 1] w2> {
      h = Conv<pads = [1, 1, 1, 1]>(x, w1) s = Add(h, x) y = Conv(s, w2) })"),
                "h", {"Add"});
}

/// Sum, Max, Mean of three; the order of operands is of no matter.
TEST(ChannelBroadcast, VariadicOperators) {
  for (const char* op : {"Sum", "Max", "Min", "Mean"}) {
    SCOPED_TRACE(op);
    const Model model = network(
        "g (float[N, 3, 6, 6] x) => (float[N, 2, 6, 6] y) <float[4, 3, 1, 1] wa, float[4, 3, 1, 1] wb, "
        "float[1, 4, 1, 1] c, float[2, 4, 1, 1] w2> { a = Conv(x, wa) b = Conv(x, wb) s = " +
        std::string(op) + "(a, c, b) y = Conv(s, w2) }");
    const Cut result = cut(model, {{"b", {0, 3}}});
    EXPECT_EQ(result.shape("a"), (Shape{2, 3, 1, 1}));
    EXPECT_EQ(result.shape("s"), (Shape{1, 2, 1, 1}));
    EXPECT_EQ(expect_random_cuts(model), 4);
  }
}

/// Attention over space: the product of two tensors along their channels, then values weighted by it.
TEST(ChannelBroadcast, AttentionBetweenTensorsIsFrozenOrRight) {
  const Model model = network(R"(g (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
    <float[6, 3, 1, 1] wq, float[6, 3, 1, 1] wk, float[8, 3, 1, 1] wv, int64[3] rows6 = {1, 6, 16},
     int64[3] rows8 = {1, 8, 16}, int64[4] map = {1, 8, 4, 4}, float[2, 8, 1, 1] w2> {
      q = Conv(x, wq) k = Conv(x, wk) v = Conv(x, wv)
      q1 = Reshape(q, rows6) q2 = Transpose<perm = [0, 2, 1]>(q1) k1 = Reshape(k, rows6) e = MatMul(q2, k1)
      a = Softmax<axis = -1>(e) v1 = Reshape(v, rows8) a2 = Transpose<perm = [0, 2, 1]>(a) o = MatMul(v1, a2)
      m = Reshape(o, map) y = Conv(m, w2) })");
  expect_frozen_or_right(model, "q", "MatMul");
  expect_frozen_or_right(model, "v", "MatMul");
}

}  // namespace
}  // namespace pare::testing
