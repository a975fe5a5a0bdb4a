// Depthwise and grouped convolutions, and transposed ones.
#include "channels/pruning.h"

namespace pare::testing {
namespace {

TEST(ChannelGrouped, DepthwiseWithAMultiplierLosesBlocks) {
  const Model model = network(R"(g (float[N, 3, 9, 9] x) => (float[N, 4, 9, 9] y)
    <float[8, 3, 3, 3] w1, float[16, 1, 3, 3] w2, float[16] b2, float[4, 16, 1, 1] w3> {
      h = Conv<pads = [1, 1, 1, 1]>(x, w1)
      d = Conv<pads = [1, 1, 1, 1], group = 8>(h, w2, b2)
      r = Relu(d)
      y = Conv(r, w3)
    })");
  const Cut result = cut(model, {{"h", {1, 5}}});
  EXPECT_EQ(result.shape("d"), (Shape{12, 1, 3, 3}));
  EXPECT_EQ(result.group("d"), 6);
  const std::vector<std::int64_t> kept = {0, 1, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15};
  result.expect_kept("d", 1, 0, kept);
  result.expect_kept("d", 2, 0, kept);
  result.expect_kept("y", 1, 1, kept);
  EXPECT_TRUE(layer_of(model, result.flow, "d").depthwise);
  EXPECT_EQ(expect_random_cuts(model), 8);
}

TEST(ChannelGrouped, FollowersAndTheGroupAttributeShrinkTogether) {
  const Model model = network(R"(g (float[N, 3, 8, 8] x) => (float[N, 16, 8, 8] y)
    <float[32, 3, 3, 3] w1, float[32] s1, float[32] b1, float[32] m1, float[32] var1, float[32, 1, 3, 3] w2,
     float[32] s2, float[32] b2, float[32] m2, float[32] var2, float[16, 32, 1, 1] w3, float zero = {0}, float six = {6}> {
      h = Conv<pads = [1, 1, 1, 1]>(x, w1)
      n1 = BatchNormalization(h, s1, b1, m1, var1)
      c1 = Clip(n1, zero, six)
      d = Conv<pads = [1, 1, 1, 1], group = 32>(c1, w2)
      n2 = BatchNormalization(d, s2, b2, m2, var2)
      c2 = Clip(n2, zero, six)
      y = Conv(c2, w3)
    })");
  const Cut result = cut(model, {{"h", {0, 9, 10, 20, 31}}});
  EXPECT_EQ(result.shape("h"), (Shape{27, 3, 3, 3}));
  EXPECT_EQ(result.shape("d"), (Shape{27, 1, 3, 3}));
  EXPECT_EQ(result.group("d"), 27);
  EXPECT_EQ(result.shape("y"), (Shape{16, 27, 1, 1}));
  for (const std::size_t vector : {1U, 2U, 3U, 4U}) {
    EXPECT_EQ(result.shape("n1", vector), Shape{27});
    EXPECT_EQ(result.shape("n2", vector), Shape{27});
  }
}

TEST(ChannelGrouped, ADepthwiseLayerLeftWithOneChannelStaysRight) {
  const Model model = network(R"(g (float[N, 3, 8, 8] x) => (float[N, 4, 8, 8] y)
    <float[3, 3, 1, 1] w1, float[3, 1, 3, 3] w2, float[4, 3, 1, 1] w3> {
      h = Conv(x, w1) d = Conv<pads = [1, 1, 1, 1], group = 3>(h, w2) y = Conv(d, w3) })");
  const Cut result = cut(model, {{"h", {0, 2}}});
  EXPECT_EQ(result.shape("d"), (Shape{1, 1, 3, 3}));
  EXPECT_EQ(result.group("d"), 1);
}

TEST(ChannelGrouped, EveryGroupLosesTheSameNumber) {
  const Model model = network(R"(g (float[N, 4, 6, 6] x) => (float[N, 3, 6, 6] y)
    <float[8, 2, 3, 3] w1, float[8] b1, float[6, 4, 3, 3] w2, float[3, 6, 1, 1] w3> {
      h1 = Conv<group = 2, pads = [1, 1, 1, 1]>(x, w1, b1)
      r = Relu(h1)
      h2 = Conv<group = 2, pads = [1, 1, 1, 1]>(r, w2)
      y = Conv(h2, w3)
    })");
  const Cut result = cut(model, {{"h1", {1, 3}}});
  EXPECT_EQ(result.shape("h1"), (Shape{4, 2, 3, 3}));
  EXPECT_EQ(result.shape("h1", 2), Shape{4});
  EXPECT_EQ(result.shape("h2"), (Shape{6, 2, 3, 3}));
  EXPECT_EQ(result.group("h1"), 2);
  EXPECT_EQ(result.group("h2"), 2);
  const ChannelLayer& grouped = layer_of(model, result.flow, "h2");
  EXPECT_EQ(grouped.groups, 2);
  EXPECT_EQ(grouped.inputs.size(), 8U) << "counted over all groups";
  EXPECT_GE(expect_random_cuts(model), 4 + 3);
}

TEST(ChannelGrouped, UnequalNumbersOfGroupsAreRefusedOrRight) {
  expect_frozen_or_right(network(R"(g (float[N, 4, 6, 6] x) => (float[N, 3, 6, 6] y)
    <float[8, 2, 3, 3] w1, float[8, 2, 3, 3] w2, float[3, 8, 1, 1] w3> {
      h1 = Conv<group = 2, pads = [1, 1, 1, 1]>(x, w1) r = Relu(h1)
      h2 = Conv<group = 4, pads = [1, 1, 1, 1]>(r, w2) y = Conv(h2, w3) })"),
                         "h1", "'h2'");
  // Blocks of 4 against blocks of 6: no set of one channel of every block.
  expect_frozen_or_right(network(R"(g (float[N, 4, 6, 6] x) => (float[N, 4, 6, 6] y)
    <float[12, 4, 3, 3] w1, float[12, 4, 1, 1] w2, float[4, 6, 1, 1] w3> {
      h1 = Conv<pads = [1, 1, 1, 1]>(x, w1) r = Relu(h1)
      h2 = Conv<group = 3>(r, w2) y = Conv<group = 2>(h2, w3) })"),
                         "h2", "'y'");
}

TEST(ChannelGrouped, AnInputOfAGroupedLayerMayBeTheNetworksOwn) {
  const Model model = network(R"(g (float[N, 4, 6, 6] x) => (float[N, 4, 6, 6] y)
    <float[4, 1, 3, 3] w1, float[4, 4, 1, 1] w2, float[4, 1, 3, 3] w3> {
      d = Conv<group = 4, pads = [1, 1, 1, 1]>(x, w1) h = Conv(d, w2) y = Conv<group = 4, pads = [1, 1, 1, 1]>(h, w3) })");
  expect_frozen(model, "h", {"output"});
  const ChannelFlow flow = flow_of(model);
  EXPECT_EQ(layer_of(model, flow, "d").inputs, std::vector<ChannelClass>(4, kFixedChannel));
  EXPECT_TRUE(free_classes(model, flow, "d").empty()) << "its channels are those of the network's input";
}

TEST(ChannelGrouped, TransposedConvolutionHasItsOutputsOnTheSecondAxis) {
  const Model model = network(R"(g (float[N, 3, 5, 5] x) => (float[N, 2, 10, 10] y)
    <float[8, 3, 3, 3] w1, float[8, 6, 2, 2] w2, float[6] b2, float[2, 6, 3, 3] w3> {
      h = Conv<pads = [1, 1, 1, 1]>(x, w1)
      t = ConvTranspose<strides = [2, 2]>(h, w2, b2)
      r = Relu(t)
      y = Conv<pads = [1, 1, 1, 1]>(r, w3)
    })");
  const Cut result = cut(model, {{"h", {0, 5}}, {"t", {2}}});
  EXPECT_EQ(result.shape("t"), (Shape{6, 5, 2, 2}));
  result.expect_kept("t", 2, 0, {0, 1, 3, 4, 5});
  result.expect_kept("y", 1, 1, {0, 1, 3, 4, 5});
  result.expect_kept("h", 1, 0, {1, 2, 3, 4, 6, 7});
  EXPECT_EQ(expect_random_cuts(model), 14);
}

TEST(ChannelGrouped, GroupedTransposedConvolutionIsCutByBlocks) {
  const Model model = network(R"(g (float[N, 3, 5, 5] x) => (float[N, 2, 10, 10] y)
    <float[8, 3, 3, 3] w1, float[8, 2, 2, 2] w2, float[8] b2, float[2, 8, 3, 3] w3> {
      h = Conv<pads = [1, 1, 1, 1]>(x, w1)
      t = ConvTranspose<strides = [2, 2], group = 4>(h, w2, b2)
      y = Conv<pads = [1, 1, 1, 1]>(t, w3)
    })");
  expect_frozen_or_right(model, "h", "'t'");
  const ChannelFlow flow = flow_of(model);
  EXPECT_FALSE(free_classes(model, flow, "h").empty());
  const Cut result = cut(model, {{"h", {1}}});
  EXPECT_EQ(result.shape("t")[0], result.shape("h")[0]);
}

TEST(ChannelGrouped, DepthwiseTransposedConvolutionFollows) {
  const Model model = network(R"(g (float[N, 3, 5, 5] x) => (float[N, 2, 10, 10] y)
    <float[8, 3, 3, 3] w1, float[8, 1, 2, 2] w2, float[8] b2, float[2, 8, 3, 3] w3> {
      h = Conv<pads = [1, 1, 1, 1]>(x, w1)
      t = ConvTranspose<strides = [2, 2], group = 8>(h, w2, b2)
      y = Conv<pads = [1, 1, 1, 1]>(t, w3)
    })");
  const Cut result = cut(model, {{"h", {0, 6}}});
  EXPECT_EQ(result.shape("t"), (Shape{6, 1, 2, 2}));
  EXPECT_EQ(result.group("t"), 6);
  result.expect_kept("y", 1, 1, {1, 2, 3, 4, 5, 7});
}

TEST(ChannelGrouped, ConvolutionsOfOneAndThreeDimensions) {
  const Model line = network(R"(g (float[N, 3, 20] x) => (float[N, 2, 20] y)
    <float[8, 3, 3] w1, float[8, 1, 5] w2, float[2, 8, 1] w3> {
      h = Conv<pads = [1, 1]>(x, w1) d = Conv<group = 8, pads = [2, 2]>(h, w2) y = Conv(d, w3) })");
  EXPECT_EQ(cut(line, {{"h", {3}}}).shape("y"), (Shape{2, 7, 1}));
  const Model video = network(R"(g (float[N, 3, 4, 6, 6] x) => (float[N, 2, 4, 6, 6] y)
    <float[8, 3, 3, 3, 3] w1, float[8] s, float[8] b, float[8] m, float[8] var, float[2, 8, 1, 1, 1] w2> {
      h = Conv<pads = [1, 1, 1, 1, 1, 1]>(x, w1) n = BatchNormalization(h, s, b, m, var) y = Conv(n, w2) })");
  EXPECT_EQ(cut(video, {{"h", {3, 4}}}).shape("y"), (Shape{2, 6, 1, 1, 1}));
}

}  // namespace
}  // namespace pare::testing
