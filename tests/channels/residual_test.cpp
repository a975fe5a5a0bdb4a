// Residual additions, alone and mixed with Concat, and parallel branches.
#include "channels/pruning.h"

namespace pare::testing {
namespace {

/// A stem of 8 channels, three identity blocks with 6 inside, a projection block to 12, two more blocks, a head.
Model resnet() {
  std::string weights = "float[8, 3, 3, 3] ws, float[8] bs";
  std::string nodes = "s = Conv<pads = [1, 1, 1, 1]>(x, ws, bs) t0 = Relu(s) ";
  for (int k = 1; k <= 6; ++k) {
    const std::string i = std::to_string(k), in = "t" + std::to_string(k - 1);
    const std::string from = k <= 4 ? "8" : "12", to = k <= 3 ? "8" : "12";
    weights += ", float[6, " + from + ", 3, 3] wa" + i + ", float[6] ba" + i + ", float[" + to + ", 6, 3, 3] wb" + i +
               ", float[" + to + "] bb" + i;
    const std::string stride = k == 4 ? ", strides = [2, 2]" : "";
    nodes += "a" + i + " = Conv<pads = [1, 1, 1, 1]" + stride + ">(" + in + ", wa" + i + ", ba" + i + ") r" + i +
             " = Relu(a" + i + ") b" + i + " = Conv<pads = [1, 1, 1, 1]>(r" + i + ", wb" + i + ", bb" + i + ") ";
    if (k == 4) {
      weights += ", float[12, 8, 1, 1] wp";
      nodes += "p = Conv<strides = [2, 2]>(t3, wp) ";
    }
    nodes += "c" + i + " = Add(b" + i + ", " + (k == 4 ? "p" : in) + ") t" + i + " = Relu(c" + i + ") ";
  }
  weights += ", float[5, 12] wf, float[5] bf";
  nodes += "q = GlobalAveragePool(t6) f = Flatten(q) y = Gemm<transB = 1>(f, wf, bf)";
  return network("g (float[N, 3, 8, 8] x) => (float[N, 5] y) <" + weights + "> {" + nodes + "}");
}

TEST(ChannelResidual, InteriorsAreFreeAlone) {
  const Cut result = cut(resnet(), {{"a1", {0, 2}}, {"a2", {5}}, {"a5", {1, 2, 3}}});
  EXPECT_EQ(result.shape("a1"), (Shape{4, 8, 3, 3}));
  EXPECT_EQ(result.shape("b1"), (Shape{8, 4, 3, 3}));
  EXPECT_EQ(result.shape("b5"), (Shape{12, 3, 3, 3}));
  EXPECT_EQ(result.shape("s"), (Shape{8, 3, 3, 3}));
}

TEST(ChannelResidual, AStreamIsOneDecision) {
  const Model model = resnet();
  const Cut result = cut(model, {{"b2", {1, 6}}, {"a3", {0}}, {"p", {11}}});
  for (const char* producer : {"s", "b1", "b2", "b3"}) result.expect_kept(producer, 2, 0, {0, 2, 3, 4, 5, 7});
  for (const char* consumer : {"a1", "a2", "p"}) EXPECT_EQ(result.shape(consumer)[1], 6) << consumer;
  EXPECT_EQ(result.shape("a4"), (Shape{6, 6, 3, 3}));
  for (const char* producer : {"p", "b4", "b5", "b6"}) EXPECT_EQ(result.shape(producer)[0], 11) << producer;
  result.expect_kept("y", 1, 1, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  EXPECT_EQ(layer_of(model, result.flow, "s").outputs, layer_of(model, result.flow, "b3").outputs);
  std::size_t stream = 0;
  for (const ChannelGroup& group : result.flow.groups) stream += group.producers.size() == 4;
  EXPECT_EQ(stream, 2U) << "two streams of four producers each";
}

TEST(ChannelResidual, WhateverGoesIsProved) {
  EXPECT_EQ(expect_random_cuts(resnet(), 1), 8 + 12 + 6 * 6);
  EXPECT_EQ(expect_random_cuts(resnet(), 2), 8 + 12 + 6 * 6);
}

/// Two levels; the skip tensor feeds the next convolution and the Concat, and the decoder adds its own residual.
TEST(ChannelResidual, UNetWithConcatAndAddition) {
  const Model model = network(R"(g (float[N, 3, 16, 16] x) => (float[N, 2, 16, 16] y)
    <float[6, 3, 3, 3] w1, float[8, 6, 3, 3] w2, float[10, 8, 3, 3] w3, float[10, 8, 2, 2] u2, float[8, 16, 3, 3] w4,
     float[8, 8, 3, 3] w5, float[8, 6, 2, 2] u1, float[6, 12, 3, 3] w6, float[6, 6, 3, 3] w7, float[2, 6, 1, 1] w8> {
      e1 = Conv<pads = [1, 1, 1, 1]>(x, w1) s1 = Relu(e1)
      p1 = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(s1)
      e2 = Conv<pads = [1, 1, 1, 1]>(p1, w2) s2 = Relu(e2)
      p2 = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(s2)
      e3 = Conv<pads = [1, 1, 1, 1]>(p2, w3) s3 = Relu(e3)
      t2 = ConvTranspose<strides = [2, 2]>(s3, u2)
      c2 = Concat<axis = 1>(s2, t2)
      d2 = Conv<pads = [1, 1, 1, 1]>(c2, w4) q2 = Relu(d2)
      f2 = Conv<pads = [1, 1, 1, 1]>(q2, w5) a2 = Add(f2, q2)
      t1 = ConvTranspose<strides = [2, 2]>(a2, u1)
      c1 = Concat<axis = 1>(t1, s1)
      d1 = Conv<pads = [1, 1, 1, 1]>(c1, w6) q1 = Relu(d1)
      f1 = Conv<pads = [1, 1, 1, 1]>(q1, w7) a1 = Add(s1, f1) a0 = Add(a1, q1)
      y = Conv(a0, w8)
    })");
  const Cut result = cut(model, {{"e2", {0, 7}}, {"t2", {3}}, {"d2", {4}}, {"e1", {2}}, {"t1", {0, 1}}});
  EXPECT_EQ(result.shape("f2"), (Shape{7, 7, 3, 3}));
  EXPECT_EQ(result.shape("d2"), (Shape{7, 13, 3, 3}));
  EXPECT_EQ(result.shape("d1"), (Shape{5, 9, 3, 3}));
  EXPECT_EQ(result.shape("f1"), (Shape{5, 5, 3, 3}));
  EXPECT_EQ(expect_random_cuts(model), 6 + 8 + 10 + 8 + 8 + 6);
}

/// x is used by three convolutions; a running sum is fed back through a Concat and one shared weight.
TEST(ChannelResidual, ParallelBranchesAndARunningSum) {
  std::string nodes = "base = Conv(x, wb) cur = Conv(x, wc) a0 = Conv(x, wa) ";
  for (int k = 1; k <= 3; ++k) {
    const std::string i = std::to_string(k), last = std::to_string(k - 1);
    nodes += "c" + i + " = Concat<axis = 1>(base, cur, a" + last + ") d" + i + " = Conv<pads = [1, 1, 1, 1]>(c" + i +
             ", w) a" + i + " = Add(a" + last + ", d" + i + ") ";
  }
  const Model model = network(
      "g (float[N, 3, 7, 7] x) => (float[N, 2, 7, 7] y) <float[4, 3, 1, 1] wb, "
      "float[5, 3, 1, 1] wc, float[6, 3, 1, 1] wa, float[6, 15, 3, 3] w, float[2, 6, 1, 1] wy> {" +
      nodes + "y = Conv(a3, wy) }");
  const Cut result = cut(model, {{"base", {1}}, {"cur", {0, 4}}, {"a0", {2}}});
  for (const char* use : {"d1", "d2", "d3"}) EXPECT_EQ(result.shape(use), (Shape{5, 11, 3, 3})) << use;
  EXPECT_EQ(expect_random_cuts(model), 4 + 5 + 6);
}

/// Shortcut without weights: every second pixel, zeros for the new channels.
Model option_a(const std::string& shortcut, const std::string& constants) {
  return network(R"(g (float[N, 3, 8, 8] x) => (float[N, 2, 4, 4] y)
    <float[8, 3, 3, 3] w1, float[6, 8, 3, 3] w2, float[16, 6, 3, 3] w3, float[2, 16, 1, 1] w4, )" +
                 constants + R"(> {
      h1 = Conv<pads = [1, 1, 1, 1]>(x, w1) r1 = Relu(h1)
      h2 = Conv<pads = [1, 1, 1, 1], strides = [2, 2]>(r1, w2) r2 = Relu(h2)
      h3 = Conv<pads = [1, 1, 1, 1]>(r2, w3) )" +
                 shortcut + R"( a = Add(h3, p) r3 = Relu(a)
      y = Conv(r3, w4)
    })");
}

TEST(ChannelResidual, ShortcutPaddedWithZeroChannels) {
  const Model model = option_a("q = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(r1) p = Pad(q, pads)",
                               "int64[8] pads = {0, 4, 0, 0, 0, 4, 0, 0}");
  const Cut interior = cut(model, {{"h2", {0, 3}}});
  EXPECT_EQ(interior.shape("h3"), (Shape{16, 4, 3, 3}));
  expect_frozen_or_right(model, "h1", "Pad");
  const ChannelFlow flow = flow_of(model);
  const std::vector<ChannelClass>& wide = layer_of(model, flow, "h3").outputs;
  for (std::size_t i = 0; i < 8; ++i)
    EXPECT_EQ(layer_of(model, flow, "h1").outputs[i], wide[i + 4]) << "channel " << i << " of the shortcut";
}

TEST(ChannelResidual, ShortcutConcatenatedWithZeros) {
  const Model model = option_a("q = Slice(r1, first, last, axes, steps) p = Concat<axis = 1>(zeros, q, zeros)",
                               "int64[2] first = {0, 0}, int64[2] last = {8, 8}, int64[2] axes = {2, 3}, "
                               "int64[2] steps = {2, 2}, float[1, 4, 4, 4] zeros");
  Model fixed = model;  // the constants hold one image
  fixed.graph.inputs[0].shape->at(0) = {.value = 1, .symbol = {}, .denotation = {}};
  fixed.graph.outputs[0].shape->at(0) = {.value = 1, .symbol = {}, .denotation = {}};
  expect_frozen_or_right(fixed, "h1", "Concat");
}

}  // namespace
}  // namespace pare::testing
