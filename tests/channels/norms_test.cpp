// What belongs to a channel goes with it: slopes, scales, statistics; what mixes channels does not let them go.
#include "channels/pruning.h"

namespace pare::testing {
namespace {

/// Conv 3 -> 8, the nodes from h to n, Conv 8 -> 4.
Model between(const std::string& nodes, const std::string& constants, int opset = 17) {
  return network("g (float[1, 3, 6, 6] x) => (float[1, 4, 6, 6] y) <float[8, 3, 3, 3] w1, float[8] b1, " + constants +
                     ", float[4, 8, 1, 1] w2> { h = Conv<pads = [1, 1, 1, 1]>(x, w1, b1) " + nodes +
                     " y = Conv(n, w2) }",
                 opset);
}

const std::vector<std::int64_t> kKept = {0, 2, 3, 4, 5, 7};

TEST(ChannelNorms, SlopesAreCutUnlessThereIsOnlyOne) {
  const Cut own = cut(between("n = PRelu(h, slope)", "float[8, 1, 1] slope"), {{"h", {1, 6}}});
  own.expect_kept("n", 1, 0, kKept);
  const Cut one = cut(between("n = PRelu(h, slope)", "float[1] slope"), {{"h", {1, 6}}});
  one.expect_kept("n", 1, 0, {0});
  const Cut full = cut(between("n = PRelu(h, slope)", "float[1, 8, 1, 1] slope"), {{"h", {1, 6}}});
  full.expect_kept("n", 1, 1, kKept);
}

TEST(ChannelNorms, InstanceNormalizationIsPerChannel) {
  const Cut result = cut(between("n = InstanceNormalization(h, s, b)", "float[8] s, float[8] b"), {{"h", {1, 6}}});
  result.expect_kept("n", 1, 0, kKept);
  result.expect_kept("n", 2, 0, kKept);
}

TEST(ChannelNorms, ConstantsWithAChannelAxis) {
  const Cut result =
      cut(between("a = Mul(scale, h) b = Sub(a, shift) c = Max(b, low) d = Min(c, high, low) e = Div(d, scale) "
                  "n = Where(mask, e, low)",
                  "float[8, 1, 1] scale = {1, 2, 3, 4, 5, 6, 7, 8}, float[1, 8, 1, 1] shift, "
                  "float[8, 1, 1] low, float[1, 8, 1, 1] high = {2, 3, 4, 5, 6, 7, 8, 9}, "
                  "bool[8, 1, 1] mask = {1, 1, 1, 1, 0, 1, 1, 1}"),
          {{"h", {1, 6}}});
  result.expect_kept("a", 0, 0, kKept);
  result.expect_kept("b", 1, 1, kKept);
  result.expect_kept("c", 1, 0, kKept);
  EXPECT_EQ(result.shape("n", 0), (Shape{6, 1, 1}));
}

TEST(ChannelNorms, AConstantOfFullSizeIsCutToo) {
  const Cut result = cut(between("n = Add(h, map)", "float[1, 8, 6, 6] map"), {{"h", {1, 6}}});
  result.expect_kept("n", 1, 1, kKept);
}

TEST(ChannelNorms, ScalarsAndActivationsPass) {
  const Model model = between(
      "a = LeakyRelu(h) b = Mul(a, two) c = Sigmoid(b) d = Mul(b, c) e = HardSwish(d) f = Elu(e) g2 = Erf(f) "
      "i = Identity(g2) k = Clip(i, low, two) l = Neg(k) m = Cast<to = 1>(l) n = HardSigmoid(m)",
      "float two = {2}, float low = {-1}");
  EXPECT_EQ(cut(model, {{"h", {1, 6}}}).shape("y"), (Shape{4, 6, 1, 1}));
  EXPECT_EQ(expect_random_cuts(model), 8);
}

TEST(ChannelNorms, GroupNormalizationAsExportedLosesWholeGroups) {
  // Four groups of two channels.
  const Model model = between(
      "r = Reshape(h, rows) i = InstanceNormalization(r, s, b) v = Reshape(i, map) a = Mul(v, scale) "
      "n = Add(a, shift)",
      "int64[3] rows = {0, 4, -1}, int64[4] map = {1, 8, 6, 6}, float[4] s, float[4] b, "
      "float[8, 1, 1] scale, float[8, 1, 1] shift");
  const ChannelFlow flow = flow_of(model);
  EXPECT_EQ(together(model, flow, "h", 2), (std::vector<std::int64_t>{2, 3}));
  const Cut result = cut(model, {{"h", {2}}});
  EXPECT_EQ(result.ints("r"), (std::vector<std::int64_t>{0, 3, -1}));
  EXPECT_EQ(result.ints("v"), (std::vector<std::int64_t>{1, 6, 6, 6}));
  result.expect_kept("i", 1, 0, {0, 2, 3});
  result.expect_kept("a", 1, 0, {0, 1, 4, 5, 6, 7});
  EXPECT_EQ(expect_random_cuts(model), 4);
}

TEST(ChannelNorms, GroupNormalizationWithTheShapeTakenFromTheTensor) {
  const Model model = between(
      "r = Reshape(h, rows) i = InstanceNormalization(r, s, b) z = Shape(h) v = Reshape(i, z) "
      "a = Mul(v, scale) n = Add(a, shift)",
      "int64[3] rows = {0, 4, -1}, float[4] s, float[4] b, float[8, 1, 1] scale, "
      "float[8, 1, 1] shift");
  expect_frozen_or_right(model, "h", "InstanceNormalization");
}

TEST(ChannelNorms, GroupNormalizationAsAnOperator) {
  expect_frozen_or_right(between("n = GroupNormalization<num_groups = 4>(h, s, b)", "float[8] s, float[8] b", 21), "h",
                         "GroupNormalization");
}

TEST(ChannelNorms, OneGroupOverAllChannelsIsFrozen) {
  expect_frozen(between("r = Reshape(h, rows) i = InstanceNormalization(r, s, b) n = Reshape(i, map)",
                        "int64[3] rows = {0, 1, -1}, int64[4] map = {1, 8, 6, 6}, float[1] s, float[1] b"),
                "h", {"InstanceNormalization"});
}

TEST(ChannelNorms, WhatMixesChannelsFreezesThem) {
  const std::string last = "t = Transpose<perm = [0, 2, 3, 1]>(h) ", first = " n = Transpose<perm = [0, 3, 1, 2]>(m)";
  expect_frozen(between(last + "m = LayerNormalization<axis = -1>(t, s, b)" + first, "float[8] s, float[8] b"), "h",
                {"LayerNormalization"});
  expect_frozen(between("n = Softmax<axis = 1>(h)", "float o = {1}"), "h", {"Softmax"});
  expect_frozen(between("n = LRN<size = 3>(h)", "float o = {1}"), "h", {"LRN"});
  expect_frozen(between("m = ReduceMean<axes = [1], keepdims = 1>(h) n = Sub(h, m)", "float o = {1}"), "h",
                {"ReduceMean"});
  expect_frozen(between("n = CumSum(h, one)", "int64 one = {1}"), "h", {"CumSum"});
  expect_frozen(between("n = LpNormalization<axis = 1>(h)", "float o = {1}"), "h", {"LpNormalization"});
}

TEST(ChannelNorms, SoftmaxAlongSpacePasses) {
  const Model model =
      between("s = Softmax<axis = -1>(h) r = ReduceSum(h, width) n = Mul(s, r)", "int64[1] width = {3}");
  EXPECT_EQ(cut(model, {{"h", {0}}}).shape("y"), (Shape{4, 7, 1, 1}));
}

TEST(ChannelNorms, LayerNormalizationBehindAStackLeavesTheInsideFree) {
  // A block of a ConvNeXt: depthwise, LayerNormalization over channels, perceptron, layer scale, residual.
  const Model model = network(R"(g (float[N, 3, 6, 6] x) => (float[N, 2, 6, 6] y)
    <float[8, 3, 2, 2] w0, float[8, 1, 7, 7] wd, float[8] s, float[8] b, float[8, 32] w1, float[32] b1, float[32, 8] w2,
     float[8] b2, float[8, 1, 1] gamma, float[2, 8, 1, 1] wy, float half = {0.5}, float one = {1}, float root = {1.4142}> {
      h = Conv<auto_pad = "SAME_UPPER">(x, w0) d = Conv<group = 8, pads = [3, 3, 3, 3]>(h, wd)
      t = Transpose<perm = [0, 2, 3, 1]>(d) l = LayerNormalization<axis = -1>(t, s, b)
      m1 = MatMul(l, w1) a1 = Add(m1, b1) e0 = Div(a1, root) e1 = Erf(e0) e2 = Add(e1, one) e3 = Mul(a1, e2) e4 = Mul(e3, half)
      m2 = MatMul(e4, w2) a2 = Add(m2, b2) u = Transpose<perm = [0, 3, 1, 2]>(a2) k = Mul(u, gamma) r = Add(k, h)
      y = Conv(r, wy) })");
  const Cut result = cut(model, {{"m1", {0, 5, 31}}});
  EXPECT_EQ(result.shape("m1"), (Shape{8, 29}));
  EXPECT_EQ(result.shape("m2"), (Shape{29, 8}));
  expect_frozen(model, "h", {"LayerNormalization"});
  EXPECT_EQ(expect_random_cuts(model), 32);
}

}  // namespace
}  // namespace pare::testing
