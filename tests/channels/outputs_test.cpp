// What reaches an output of the network stays.
#include "channels/pruning.h"

namespace pare::testing {
namespace {

TEST(ChannelOutputs, ThroughOperatorsThatKeepChannelsApart) {
  const std::vector<std::pair<std::string, std::string>> tails = {
      {"h", "float[N, 4, 6, 6] y"},
      {"Sigmoid(u)", "float[N, 4, a, b] y"},
      {"Softmax<axis = 1>(u)", "float[N, 4, a, b] y"},
      {"Concat<axis = 1>(u, u)", "float[N, 8, a, b] y"},
      {"Transpose<perm = [0, 2, 3, 1]>(u)", "float[N, a, b, 4] y"},
      {"Flatten(u)", "float[N, a] y"},
      {"ReduceMean<axes = [2, 3]>(u)", "float[N, 4, 1, 1] y"},
      {"ArgMax<axis = 1>(u)", "int64[N, 1, a, b] y"},
  };
  for (const auto& [tail, output] : tails) {
    SCOPED_TRACE(tail);
    const std::string last = tail == "h" ? "Identity(h)" : tail;
    const Model model = network("g (float[N, 3, 6, 6] x) => (" + output +
                                ") <float[8, 3, 3, 3] w0, float[4, 8, 3, 3] w1, float[4] scales = {1, 1, 2, 2}> { "
                                "k = Conv<pads = [1, 1, 1, 1]>(x, w0) r = Relu(k) h = Conv<pads = [1, 1, 1, 1]>(r, w1) "
                                "u = Resize<mode = \"nearest\">(h, , scales) y = " +
                                last + " }");
    expect_frozen(model, "h", {});
    if (tail != "ArgMax<axis = 1>(u)") {
      EXPECT_EQ(expect_random_cuts(model), 8);
    }
  }
}

TEST(ChannelOutputs, TheNumberOfChannelsHandedOut) {
  const Model model = network(R"(g (float[N, 3, 6, 6] x) => (float[N, 2, 6, 6] y, int64[4] shape)
    <float[4, 3, 1, 1] w1, float[2, 4, 1, 1] w2> { h = Conv(x, w1) y = Conv(h, w2) shape = Shape(h) })");
  expect_frozen(model, "h", {"shape"});
}

TEST(ChannelOutputs, TheReasonNamesTheOutput) {
  expect_frozen(network(R"(g (float[N, 3, 6, 6] x) => (float[N, 4, 6, 6] scores)
    <float[4, 3, 1, 1] w> { h = Conv(x, w) scores = Sigmoid(h) })"),
                "h", {"output", "scores"});
}

TEST(ChannelOutputs, AnInnerTensorThatIsAnOutputToo) {
  const Model model = network(R"(g (float[N, 3, 6, 6] x) => (float[N, 2, 6, 6] y, float[N, 6, 6, 6] r1)
    <float[6, 3, 1, 1] w1, float[8, 6, 1, 1] w2, float[2, 8, 1, 1] w3> {
      h1 = Conv(x, w1) r1 = Relu(h1) h2 = Conv(r1, w2) r2 = Relu(h2) y = Conv(r2, w3) })");
  expect_frozen(model, "h1", {"r1"});
  expect_frozen(model, "y", {"y"});
  EXPECT_EQ(cut(model, {{"h2", {0, 1}}}).shape("y"), (Shape{2, 6, 1, 1}));
}

TEST(ChannelOutputs, OfALayerTheChannelsThatAreReadByLayersAloneMayGo) {
  // The first half is handed out, the second is worked on: either the half is free or the layer has a reason.
  const Model model = network(R"(g (float[N, 3, 6, 6] x) => (float[N, 4, 6, 6] a, float[N, 2, 6, 6] y)
    <float[8, 3, 1, 1] w1, int64[2] parts = {4, 4}, float[2, 4, 1, 1] w2> {
      h = Conv(x, w1) a, b = Split<axis = 1>(h, parts) y = Conv(b, w2) })");
  const ChannelFlow flow = flow_of(model);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_FALSE(is_free(flow, layer_of(model, flow, "h").outputs[i])) << i;
  expect_random_cuts(model);
}

/// Heads of a detector: boxes and scores, each reshaped and joined over two levels.
TEST(ChannelOutputs, HeadsOfADetector) {
  const Model model = network(R"(g (float[1, 3, 8, 8] x) => (float[1, 80, 4] boxes, float[1, 80, 2] scores)
    <float[8, 3, 3, 3] w1, float[6, 8, 3, 3] w2, float[4, 8, 3, 3] wb1, float[2, 8, 3, 3] ws1, float[4, 6, 3, 3] wb2,
     float[2, 6, 3, 3] ws2, int64[3] four = {1, -1, 4}, int64[3] two = {1, -1, 2}> {
      f1 = Conv<pads = [1, 1, 1, 1]>(x, w1) r1 = Relu(f1)
      f2 = Conv<pads = [1, 1, 1, 1], strides = [2, 2]>(r1, w2) r2 = Relu(f2)
      b1 = Conv<pads = [1, 1, 1, 1]>(r1, wb1) b1t = Transpose<perm = [0, 2, 3, 1]>(b1) b1r = Reshape(b1t, four)
      b2 = Conv<pads = [1, 1, 1, 1]>(r2, wb2) b2t = Transpose<perm = [0, 2, 3, 1]>(b2) b2r = Reshape(b2t, four)
      boxes = Concat<axis = 1>(b1r, b2r)
      s1 = Conv<pads = [1, 1, 1, 1]>(r1, ws1) s1t = Transpose<perm = [0, 2, 3, 1]>(s1) s1r = Reshape(s1t, two)
      s2 = Conv<pads = [1, 1, 1, 1]>(r2, ws2) s2t = Transpose<perm = [0, 2, 3, 1]>(s2) s2r = Reshape(s2t, two)
      s = Concat<axis = 1>(s1r, s2r) scores = Softmax<axis = 2>(s) })");
  for (const char* head : {"b1", "b2"}) expect_frozen(model, head, {"boxes"});
  for (const char* head : {"s1", "s2"}) expect_frozen(model, head, {});
  const Cut result = cut(model, {{"f1", {0, 1, 2}}, {"f2", {5}}});
  EXPECT_EQ(result.shape("s2"), (Shape{2, 5, 3, 3}));
  EXPECT_EQ(expect_random_cuts(model), 14);
}

TEST(ChannelOutputs, ControlFlowThatReadsAChannelFreezesIt) {
  const Model model = network(R"(g (float[1, 3, 6, 6] x, bool c) => (float[1, 4, 6, 6] y)
    <float[8, 3, 1, 1] w0, float[4, 8, 1, 1] w> {
      k = Conv(x, w0) h = Conv(k, w)
      y = If(c) <then_branch = a () => (float[1, 4, 6, 6] p) { p = Neg(h) }, else_branch = b () => (float[1, 4, 6, 6] q)
        { q = Relu(h) }> })");
  expect_frozen(model, "h", {"If"});
  EXPECT_EQ(cut(model, {{"k", {7}}}).shape("h"), (Shape{4, 7, 1, 1}));
}

TEST(ChannelOutputs, WhatNobodyReadsDoesNoHarm) {
  const Model model = network(R"(g (float[N, 3, 6, 6] x) => (float[N, 2, 6, 6] y)
    <float[8, 3, 1, 1] w1, float[2, 8, 1, 1] w2, float[5, 8, 1, 1] w3> {
      h = Conv(x, w1) y = Conv(h, w2) idle = Conv(h, w3) })");
  EXPECT_EQ(cut(model, {{"h", {0}}}).shape("y"), (Shape{2, 7, 1, 1}));
  EXPECT_GE(expect_random_cuts(model), 8);
}

}  // namespace
}  // namespace pare::testing
