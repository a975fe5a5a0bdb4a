// Concat, Split, Slice: where each channel comes from and goes to.
#include "channels/pruning.h"

namespace pare::testing {
namespace {

std::vector<std::int64_t> all_but(std::int64_t count, const std::set<std::int64_t>& gone) {
  std::vector<std::int64_t> kept;
  for (std::int64_t i = 0; i < count; ++i)
    if (!gone.contains(i)) kept.push_back(i);
  return kept;
}

TEST(ChannelConcat, FiveBranchesOneOfThemPooled) {
  const Model model = network(R"(g (float[1, 3, 8, 8] x) => (float[1, 2, 8, 8] y)
    <float[6, 3, 1, 1] w0, float[3, 6, 1, 1] w1, float[4, 6, 3, 3] w2, float[5, 6, 3, 3] w3, float[2, 6, 3, 3] w4,
     float[3, 6, 1, 1] w5, int64[4] sizes = {1, 3, 8, 8}, float[2, 17, 1, 1] w6> {
      h = Conv(x, w0)
      b1 = Conv(h, w1)
      b2 = Conv<pads = [2, 2, 2, 2], dilations = [2, 2]>(h, w2)
      b3 = Conv<pads = [3, 3, 3, 3], dilations = [3, 3]>(h, w3)
      b4 = Conv<pads = [4, 4, 4, 4], dilations = [4, 4]>(h, w4)
      g0 = GlobalAveragePool(h) b5 = Conv(g0, w5)
      u5 = Resize<mode = "linear", coordinate_transformation_mode = "half_pixel">(b5, , , sizes)
      c = Concat<axis = 1>(b1, b2, b3, b4, u5) r = Relu(c)
      y = Conv(r, w6)
    })");
  const Cut result = cut(model, {{"h", {5}}, {"b1", {0}}, {"b2", {3}}, {"b3", {1, 2}}, {"b4", {1}}, {"b5", {2}}});
  result.expect_kept("y", 1, 1, all_but(17, {0, 6, 8, 9, 13, 16}));
  EXPECT_EQ(result.ints("u5", 3), (std::vector<std::int64_t>{1, 2, 8, 8}));
  for (const char* branch : {"b1", "b2", "b3", "b4", "b5"}) EXPECT_EQ(result.shape(branch)[1], 5) << branch;
  EXPECT_EQ(expect_random_cuts(model), 6 + 3 + 4 + 5 + 2 + 3);
}

TEST(ChannelConcat, TheSameChannelsFourTimes) {
  const Model model = network(R"(g (float[N, 3, 8, 8] x) => (float[N, 2, 8, 8] y)
    <float[6, 3, 1, 1] w1, float[2, 24, 1, 1] w2> {
      h = Conv(x, w1) r = Relu(h)
      p1 = MaxPool<kernel_shape = [5, 5], pads = [2, 2, 2, 2]>(r)
      p2 = MaxPool<kernel_shape = [5, 5], pads = [2, 2, 2, 2]>(p1)
      p3 = MaxPool<kernel_shape = [5, 5], pads = [2, 2, 2, 2]>(p2)
      c = Concat<axis = 1>(r, p1, p2, p3)
      y = Conv(c, w2)
    })");
  const Cut result = cut(model, {{"h", {1, 4}}});
  result.expect_kept("y", 1, 1, all_but(24, {1, 4, 7, 10, 13, 16, 19, 22}));
  EXPECT_EQ(expect_random_cuts(model), 6);
}

TEST(ChannelConcat, OneTensorTwiceAndNested) {
  const Model model = network(R"(g (float[N, 3, 8, 8] x) => (float[N, 2, 8, 8] y)
    <float[4, 3, 1, 1] w1, float[3, 3, 1, 1] w2, float[2, 19, 1, 1] w3> {
      a = Conv(x, w1) b = Conv(x, w2)
      aa = Concat<axis = 1>(a, a)
      ab = Concat<axis = -3>(b, aa)
      c = Concat<axis = 1>(a, ab, a)
      y = Conv(c, w3)
    })");
  // c: a 0-3, b 4-6, a 7-10, a 11-14, a 15-18
  const Cut result = cut(model, {{"a", {2}}, {"b", {0}}});
  result.expect_kept("y", 1, 1, all_but(19, {2, 4, 9, 13, 17}));
  EXPECT_EQ(expect_random_cuts(model), 7);
}

TEST(ChannelConcat, DenseBlocksReadEverythingBefore) {
  std::string weights = "float[4, 3, 3, 3] w0", nodes = "c0 = Conv<pads = [1, 1, 1, 1]>(x, w0) ", all = "c0";
  for (int k = 1; k <= 4; ++k) {
    const std::string i = std::to_string(k), width = std::to_string(4 + 3 * (k - 1));
    for (const char* vector : {"s", "b", "m", "var"}) weights += ", float[" + width + "] " + vector + i;
    weights += ", float[3, " + width + ", 3, 3] w" + i;
    nodes += "k" + i + " = Concat<axis = 1>(" + all + ") n" + i + " = BatchNormalization(k" + i + ", s" + i + ", b" +
             i + ", m" + i + ", var" + i + ") r" + i + " = Relu(n" + i + ") c" + i + " = Conv<pads = [1, 1, 1, 1]>(r" +
             i + ", w" + i + ") ";
    all += ", c" + i;
  }
  const Model model =
      network("g (float[N, 3, 6, 6] x) => (float[N, 2, 6, 6] y) <" + weights + ", float[2, 16, 1, 1] wy> {" + nodes +
              "k = Concat<axis = 1>(" + all + ") y = Conv(k, wy) }");
  const Cut result = cut(model, {{"c0", {0}}, {"c2", {1}}});
  result.expect_kept("n3", 1, 0, all_but(10, {0, 8}));
  result.expect_kept("y", 1, 1, all_but(16, {0, 8}));
  EXPECT_EQ(expect_random_cuts(model), 16);
}

/// Half of a convolution goes through a depthwise layer and meets the other half in an addition (C2f).
Model split_and_add(const std::string& split, const std::string& constants, int opset) {
  return network(
      "g (float[N, 3, 8, 8] x) => (float[N, 4, 8, 8] y) <float[8, 3, 3, 3] w1, float[8] b1, "
      "float[4, 1, 3, 3] wd, float[4, 8, 1, 1] w2" +
          constants + "> { h = Conv<pads = [1, 1, 1, 1]>(x, w1, b1) r = Relu(h) " + split +
          " d = Conv<group = 4, pads = [1, 1, 1, 1]>(b, wd) s = Add(a, d) c = Concat<axis = 1>(a, s) "
          "y = Conv(c, w2) }",
      opset);
}

void expect_halved(const Cut& result) {
  result.expect_kept("h", 1, 0, {1, 3, 5, 7});
  result.expect_kept("h", 2, 0, {1, 3, 5, 7});
  result.expect_kept("d", 1, 0, {1, 3});
  EXPECT_EQ(result.group("d"), 2);
  result.expect_kept("y", 1, 1, {1, 3, 5, 7});
}

TEST(ChannelConcat, PartsOfASplitThatMeetAgainAgree) {
  const Model model = split_and_add("a, b = Split<axis = 1>(r, parts)", ", int64[2] parts = {4, 4}", 17);
  const ChannelFlow flow = flow_of(model);
  EXPECT_EQ(together(model, flow, "h", 0), (std::vector<std::int64_t>{0, 4}));
  const Cut result = cut(model, {{"h", {0, 2}}});
  expect_halved(result);
  EXPECT_EQ(result.ints("a", 1), (std::vector<std::int64_t>{2, 2}));
  EXPECT_EQ(expect_random_cuts(model), 4);
}

TEST(ChannelConcat, SplitInEveryForm) {
  expect_halved(cut(split_and_add("a, b = Split<axis = 1, num_outputs = 2>(r)", "", 18), {{"h", {0, 2}}}));
  expect_halved(cut(split_and_add("a, b = Split<axis = 1>(r)", "", 17), {{"h", {0, 2}}}));
  expect_halved(cut(split_and_add("a, b = Split<axis = -3, split = [4, 4]>(r)", "", 11), {{"h", {0, 2}}}));
  const Model slices = split_and_add("a = Slice(r, s0, s4, axis) b = Slice(r, s4, s8, axis)",
                                     ", int64[1] s0 = {0}, int64[1] s4 = {4}, int64[1] s8 = {9223372036854775807}, "
                                     "int64[1] axis = {1}",
                                     17);
  expect_halved(cut(slices, {{"h", {0, 2}}}));
  const Model gathers = split_and_add("a = Gather<axis = 1>(r, i0) b = Gather<axis = 1>(r, i4)",
                                      ", int64[4] i0 = {0, 1, 2, 3}, int64[4] i4 = {4, 5, 6, 7}", 17);
  expect_halved(cut(gathers, {{"h", {0, 2}}}));
  for (const Model& model : {slices, gathers}) EXPECT_EQ(expect_random_cuts(model), 4);
}

TEST(ChannelConcat, PartsOfASplitMayLoseDifferentNumbers) {
  for (const auto& [split, constants, opset] :
       {std::tuple{"a, b = Split<axis = 1>(h, parts)", ", int64[2] parts = {4, 4}", 17},
        {"a, b = Split<axis = 1, num_outputs = 2>(h)", "", 18},
        {"a, b = Split<axis = 1>(h)", "", 11}}) {
    SCOPED_TRACE(split);
    const Model model = network(
        "g (float[N, 3, 8, 8] x) => (float[N, 2, 8, 8] y) <float[8, 3, 3, 3] w1, "
        "float[2, 4, 1, 1] wa, float[2, 4, 1, 1] wb" +
            std::string(constants) + "> { h = Conv<pads = [1, 1, 1, 1]>(x, w1) " + split +
            " ya = Conv(a, wa) yb = Conv(b, wb) y = Add(ya, yb) }",
        opset);
    const Cut result = cut(model, {{"h", {0, 1, 2, 7}}});
    EXPECT_EQ(result.shape("ya"), (Shape{2, 1, 1, 1}));
    EXPECT_EQ(result.shape("yb"), (Shape{2, 3, 1, 1}));
    expect_random_cuts(model);
  }
}

TEST(ChannelConcat, APartThatNobodyReads) {
  const Model model = network(R"(g (float[N, 3, 8, 8] x) => (float[N, 2, 8, 8] y)
    <float[6, 3, 3, 3] w1, int64[3] parts = {2, 3, 1}, float[2, 3, 1, 1] w2> {
      h = Conv<pads = [1, 1, 1, 1]>(x, w1) a, b, c = Split<axis = 1>(h, parts) y = Conv(b, w2) })");
  expect_random_cuts(model);
}

TEST(ChannelConcat, GhostModule) {
  const Model model = network(R"(g (float[N, 3, 8, 8] x) => (float[N, 4, 8, 8] y)
    <float[4, 3, 3, 3] w1, float[4, 1, 3, 3] w2, float[4, 8, 1, 1] w3> {
      h = Conv<pads = [1, 1, 1, 1]>(x, w1) r1 = Relu(h)
      d = Conv<group = 4, pads = [1, 1, 1, 1]>(r1, w2) r2 = Relu(d)
      c = Concat<axis = 1>(r1, r2) y = Conv(c, w3) })");
  const Cut result = cut(model, {{"h", {1}}});
  result.expect_kept("y", 1, 1, {0, 2, 3, 4, 6, 7});
  EXPECT_EQ(result.group("d"), 3);
  EXPECT_EQ(expect_random_cuts(model), 4);
}

TEST(ChannelConcat, GroupedConvolutionAfterConcat) {
  const Model inside = network(R"(g (float[N, 3, 8, 8] x) => (float[N, 3, 8, 8] y)
    <float[4, 3, 1, 1] wa, float[4, 3, 1, 1] wb, float[8, 2, 3, 3] w1, float[3, 8, 1, 1] w2> {
      a = Conv(x, wa) b = Conv(x, wb) c = Concat<axis = 1>(a, b)
      h = Conv<group = 4, pads = [1, 1, 1, 1]>(c, w1) y = Conv(h, w2) })");
  EXPECT_GT(expect_random_cuts(inside), 0);
  const ChannelFlow flow = flow_of(inside);
  EXPECT_FALSE(free_classes(inside, flow, "a").empty()) << frozen_reason(inside, flow, "a");
  const Model straddling = network(R"(g (float[N, 3, 8, 8] x) => (float[N, 3, 8, 8] y)
    <float[3, 3, 1, 1] wa, float[5, 3, 1, 1] wb, float[8, 4, 3, 3] w1, float[3, 8, 1, 1] w2> {
      a = Conv(x, wa) b = Conv(x, wb) c = Concat<axis = 1>(a, b)
      h = Conv<group = 2, pads = [1, 1, 1, 1]>(c, w1) y = Conv(h, w2) })");
  expect_frozen_or_right(straddling, "a", "'h'");
}

}  // namespace
}  // namespace pare::testing
