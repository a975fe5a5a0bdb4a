// Channels in another order or as pixels: channel shuffle, pixel shuffle and back.
#include "channels/pruning.h"

namespace pare::testing {
namespace {

using Ints = std::vector<std::int64_t>;

Model shuffled(const std::string& split, const std::string& merge) {
  return network(
      "g (float[1, 3, 5, 6] x) => (float[1, 4, 5, 6] y) <float[8, 3, 3, 3] w1, float[8] b1, "
      "float[4, 8, 1, 1] w2, int64[5] split = {" +
      split + "}, int64[4] merge = {" + merge +
      "}> { h = Conv<pads = [1, 1, 1, 1]>(x, w1, b1) s = Reshape(h, split) "
      "t = Transpose<perm = [0, 2, 1, 3, 4]>(s) m = Reshape(t, merge) y = Conv(m, w2) }");
}

TEST(ChannelShuffle, IsFollowedAsAPermutation) {
  for (const auto& [split, merge] : {std::pair{"1, 2, 4, 5, 6", "1, 8, 5, 6"},
                                     {"1, 2, -1, 5, 6", "1, -1, 5, 6"},
                                     {"-1, 2, 4, 5, 6", "-1, 8, 5, 6"}}) {
    SCOPED_TRACE(split);
    const Model model = shuffled(split, merge);
    const ChannelFlow flow = flow_of(model);
    EXPECT_EQ(together(model, flow, "h", 0), (Ints{0, 4}));
    const Cut result = cut(model, {{"h", {0}}});
    result.expect_kept("h", 1, 0, {1, 2, 3, 5, 6, 7});
    result.expect_kept("y", 1, 1, {2, 3, 4, 5, 6, 7});
    EXPECT_EQ(expect_random_cuts(model), 4);
  }
}

/// Two units of a ShuffleNet v2: half of the channels pass, the other half is worked on, Concat, shuffle by two.
TEST(ChannelShuffle, UnitsOfShuffleNet) {
  std::string weights = "float[8, 3, 3, 3] w0", nodes = "x0 = Conv<pads = [1, 1, 1, 1]>(x, w0) ";
  for (int k = 1; k <= 2; ++k) {
    const std::string i = std::to_string(k), last = "x" + std::to_string(k - 1);
    weights += ", float[4, 4, 1, 1] a" + i + ", float[4, 1, 3, 3] d" + i + ", float[4, 4, 1, 1] b" + i;
    nodes += "l" + i + ", r" + i + " = Split<axis = 1>(" + last + ", halves) p" + i + " = Conv(r" + i + ", a" + i +
             ") q" + i + " = Relu(p" + i + ") e" + i + " = Conv<group = 4, pads = [1, 1, 1, 1]>(q" + i + ", d" + i +
             ") f" + i + " = Conv(e" + i + ", b" + i + ") c" + i + " = Concat<axis = 1>(l" + i + ", f" + i + ") s" + i +
             " = Reshape(c" + i + ", five) t" + i + " = Transpose<perm = [0, 2, 1, 3, 4]>(s" + i + ") x" + i +
             " = Reshape(t" + i + ", four) ";
  }
  const Model model =
      network("g (float[1, 3, 6, 6] x) => (float[1, 2, 6, 6] y) <" + weights +
              ", int64[2] halves = {4, 4}, int64[5] five = {1, 2, 4, 6, 6}, int64[4] four = {1, 8, 6, 6}, "
              "float[2, 8, 1, 1] wy> {" +
              nodes + "y = Conv(x2, wy) }");
  const Cut inside = cut(model, {{"p1", {0}}, {"p2", {1, 3}}});
  EXPECT_EQ(inside.shape("f1"), (Shape{4, 3, 1, 1}));
  EXPECT_EQ(inside.group("e2"), 2);
  EXPECT_GE(expect_random_cuts(model, 1), 8);
  expect_random_cuts(model, 2);
}

TEST(ChannelShuffle, BetweenGroupedConvolutions) {
  const Model model = network(R"(g (float[1, 6, 5, 5] x) => (float[1, 4, 5, 5] y)
    <float[12, 2, 1, 1] w1, float[12, 1, 3, 3] w2, float[6, 4, 1, 1] w3, float[4, 6, 1, 1] w4,
     int64[5] five = {1, 3, 4, 5, 5}, int64[4] four = {1, 12, 5, 5}> {
      h = Conv<group = 3>(x, w1) r = Relu(h) s = Reshape(r, five) t = Transpose<perm = [0, 2, 1, 3, 4]>(s)
      m = Reshape(t, four) d = Conv<group = 12, pads = [1, 1, 1, 1]>(m, w2) g2 = Conv<group = 3>(d, w3) y = Conv(g2, w4) })");
  expect_frozen_or_right(model, "h", "'g2'");
  expect_frozen_or_right(model, "g2", "'y'");
}

Ints expected_block(bool depth_first, std::int64_t channel) {
  Ints block;
  for (std::int64_t q = 0; q < 4; ++q) block.push_back(depth_first ? q * 4 + channel : channel * 4 + q);
  return block;
}

Ints without(std::int64_t count, const Ints& gone) {
  Ints kept;
  for (std::int64_t i = 0; i < count; ++i)
    if (std::find(gone.begin(), gone.end(), i) == gone.end()) kept.push_back(i);
  return kept;
}

TEST(ChannelShuffle, DepthToSpaceInBothOrders) {
  for (const bool depth_first : {true, false}) {
    const std::string mode = depth_first ? "DCR" : "CRD";
    SCOPED_TRACE(mode);
    const Model model = network(
        "g (float[N, 3, 5, 5] x) => (float[N, 3, 10, 10] y) <float[16, 3, 3, 3] w1, float[16] b1, "
        "float[3, 4, 1, 1] w2> { h = Conv<pads = [1, 1, 1, 1]>(x, w1, b1) "
        "d = DepthToSpace<blocksize = 2, mode = \"" +
        mode + "\">(h) r = Relu(d) y = Conv(r, w2) }");
    const Ints block = expected_block(depth_first, 1);
    EXPECT_EQ(together(model, flow_of(model), "h", block[0]), block);
    const Cut result = cut(model, {{"h", {block[2]}}});
    result.expect_kept("h", 1, 0, without(16, block));
    result.expect_kept("y", 1, 1, {0, 2, 3});
    EXPECT_EQ(expect_random_cuts(model), 4);
  }
}

TEST(ChannelShuffle, DepthToSpaceSpelledWithReshapes) {
  for (const bool depth_first : {true, false}) {
    SCOPED_TRACE(depth_first);
    const Model model = network(
        "g (float[N, 3, 5, 6] x) => (float[N, 3, 10, 12] y) <float[16, 3, 3, 3] w1, float[3, 4, 1, 1] w2, int64[6] six "
        "= {" +
        std::string(depth_first ? "-1, 2, 2, 4, 5, 6" : "-1, 4, 2, 2, 5, 6") +
        "}, int64[4] four = {-1, 4, 10, 12}> { h = Conv<pads = [1, 1, 1, 1]>(x, w1) s = Reshape(h, six) t = "
        "Transpose<perm = " +
        (depth_first ? "[0, 3, 4, 1, 5, 2]" : "[0, 1, 4, 2, 5, 3]") + ">(s) m = Reshape(t, four) y = Conv(m, w2) }");
    EXPECT_EQ(together(model, flow_of(model), "h", 9), expected_block(depth_first, depth_first ? 1 : 2));
    const Cut result = cut(model, {{"h", {9}}});
    EXPECT_EQ(result.ints("m"), (Ints{-1, 3, 10, 12}));
    EXPECT_EQ(expect_random_cuts(model), 4);
  }
}

TEST(ChannelShuffle, SpaceToDepthMakesFourOfOne) {
  const Model model = network(R"(g (float[N, 3, 6, 6] x) => (float[N, 3, 3, 3] y)
    <float[4, 3, 3, 3] w1, float[3, 16, 1, 1] w2> {
      h = Conv<pads = [1, 1, 1, 1]>(x, w1) s = SpaceToDepth<blocksize = 2>(h) y = Conv(s, w2) })");
  const Cut result = cut(model, {{"h", {1}}});
  result.expect_kept("y", 1, 1, without(16, {1, 5, 9, 13}));
  EXPECT_EQ(expect_random_cuts(model), 4);
}

/// YOLOv5's Focus layer: four shifted halves of a tensor side by side.
TEST(ChannelShuffle, FocusBySlices) {
  const Model model = network(R"(g (float[N, 3, 6, 6] x) => (float[N, 3, 3, 3] y)
    <float[4, 3, 3, 3] w1, float[3, 16, 1, 1] w2, int64[2] a00 = {0, 0}, int64[2] a10 = {1, 0}, int64[2] a01 = {0, 1},
     int64[2] a11 = {1, 1}, int64[2] end = {6, 6}, int64[2] axes = {2, 3}, int64[2] steps = {2, 2}> {
      h = Conv<pads = [1, 1, 1, 1]>(x, w1)
      p0 = Slice(h, a00, end, axes, steps) p1 = Slice(h, a10, end, axes, steps)
      p2 = Slice(h, a01, end, axes, steps) p3 = Slice(h, a11, end, axes, steps)
      c = Concat<axis = 1>(p0, p1, p2, p3) y = Conv(c, w2) })");
  const Cut result = cut(model, {{"h", {3}}});
  result.expect_kept("y", 1, 1, without(16, {3, 7, 11, 15}));
  EXPECT_EQ(expect_random_cuts(model), 4);
}

TEST(ChannelShuffle, APermutationByGather) {
  const Model model = network(R"(g (float[N, 3, 6, 6] x) => (float[N, 2, 6, 6] y)
    <float[6, 3, 1, 1] w1, int64[6] order = {5, 0, 4, 1, 3, 2}, float[2, 6, 1, 1] w2> {
      h = Conv(x, w1) g2 = Gather<axis = 1>(h, order) y = Conv(g2, w2) })");
  const Cut result = cut(model, {{"h", {4}}});
  result.expect_kept("y", 1, 1, {0, 1, 3, 4, 5});
  EXPECT_EQ(result.ints("g2"), (Ints{4, 0, 1, 3, 2}));
  EXPECT_EQ(expect_random_cuts(model), 6);
}

}  // namespace
}  // namespace pare::testing
