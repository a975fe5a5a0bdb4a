// Constants that spell a number of channels, shapes that the graph computes, networks that are quantized already.
#include "channels/pruning.h"

namespace pare::testing {
namespace {

Model between(const std::string& nodes, const std::string& constants, int opset = 17) {
  return network("g (float[1, 3, 6, 6] x) => (float[1, 4, 6, 6] y) <float[8, 3, 3, 3] w1, float[4, 8, 1, 1] w2, " +
                     constants + "> { h = Conv<pads = [1, 1, 1, 1]>(x, w1) " + nodes + " y = Conv(n, w2) }",
                 opset);
}

TEST(ChannelConstants, ExpandToASpelledShape) {
  const Cut result =
      cut(between("q = GlobalAveragePool(h) e = Expand(q, shape) n = Add(h, e)", "int64[4] shape = {1, 8, 6, 6}"),
          {{"h", {1}}});
  EXPECT_EQ(result.ints("e"), (std::vector<std::int64_t>{1, 7, 6, 6}));
}

TEST(ChannelConstants, OneChannelExpandedToEight) {
  const Model model = between("m = Conv(x, wm) e = Expand(m, shape) n = Mul(h, e)",
                              "int64[4] shape = {1, 8, 6, 6}, float[1, 3, 3, 3] wm, int64 z = {0}");
  Model padded = model;
  for (Node& node : padded.graph.nodes)
    if (node.output(0) == "m") node.set_attribute("pads", std::vector<std::int64_t>{1, 1, 1, 1});
  expect_frozen_or_right(padded, "h", "together");
}

TEST(ChannelConstants, SliceThatEndsAtTheLastChannel) {
  const Model model =
      between("n = Slice(h, first, last, axis)", "int64[1] first = {0}, int64[1] last = {8}, int64[1] axis = {1}");
  const Cut result = cut(model, {{"h", {0, 7}}});
  EXPECT_EQ(result.shape("y"), (Shape{4, 6, 1, 1}));
  EXPECT_EQ(expect_random_cuts(model), 8);
}

TEST(ChannelConstants, SlicesFromTheMiddleTheEndAndBackwards) {
  for (const char* range : {"int64[1] first = {2}, int64[1] last = {-2}, int64[1] axis = {1}, int64[1] step = {1}",
                            "int64[1] first = {-4}, int64[1] last = {100}, int64[1] axis = {-3}, int64[1] step = {1}",
                            "int64[1] first = {7}, int64[1] last = {3}, int64[1] axis = {1}, int64[1] step = {-1}",
                            "int64[1] first = {0}, int64[1] last = {8}, int64[1] axis = {1}, int64[1] step = {2}"}) {
    SCOPED_TRACE(range);
    const Model model = network(std::string("g (float[N, 3, 6, 6] x) => (float[N, 2, 6, 6] y) <float[8, 3, 1, 1] w1, "
                                            "float[2, 4, 1, 1] w2, float[2, 8, 1, 1] w3, ") +
                                range +
                                "> { h = Conv(x, w1) s = Slice(h, first, last, axis, step) a = Conv(s, w2) "
                                "b = Conv(h, w3) y = Add(a, b) }");
    expect_frozen_or_right(model, "h", "Slice");
  }
}

TEST(ChannelConstants, TileAlongChannels) {
  const Model model = network(R"(g (float[N, 3, 6, 6] x) => (float[N, 2, 6, 6] y)
    <float[8, 3, 1, 1] w1, int64[4] repeats = {1, 2, 1, 1}, float[2, 16, 1, 1] w2> {
      h = Conv(x, w1) t = Tile(h, repeats) y = Conv(t, w2) })");
  const Cut result = cut(model, {{"h", {3}}});
  result.expect_kept("y", 1, 1, {0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15});
  EXPECT_EQ(result.ints("t"), (std::vector<std::int64_t>{1, 2, 1, 1}));
}

TEST(ChannelConstants, ConstantOfShapeWithChannels) {
  const Model model =
      between("k = ConstantOfShape<value = float[1] {2}>(shape) n = Mul(h, k)", "int64[4] shape = {1, 8, 6, 6}");
  expect_frozen_or_right(model, "h", "ConstantOfShape");
}

TEST(ChannelConstants, ConstantsThatAreNodes) {
  const Model model = between(
      "k = Constant<value = float[8, 1, 1] {1, 2, 3, 4, 5, 6, 7, 8}>() a = Mul(h, k) "
      "s = Constant<value_ints = [1, 8, 36]>() v = Reshape(a, s) t = Constant<value = int64[4] {1, 8, 6, 6}>() n = "
      "Reshape(v, t)",
      "int64 z = {0}");
  const Cut result = cut(model, {{"h", {1, 6}}});
  result.expect_kept("a", 1, 0, {0, 2, 3, 4, 5, 7});
  EXPECT_EQ(result.ints("v"), (std::vector<std::int64_t>{1, 6, 36}));
  EXPECT_EQ(result.ints("n"), (std::vector<std::int64_t>{1, 6, 6, 6}));
  EXPECT_EQ(expect_random_cuts(model), 8);
}

TEST(ChannelConstants, WeightsThatAreNodes) {
  Model model = network(R"(g (float[N, 3, 6, 6] x) => (float[N, 2, 6, 6] y)
    <float[8, 3, 1, 1] w1, float[2, 8, 1, 1] w2> { h = Conv(x, w1) r = Relu(h) y = Conv(r, w2) })");
  std::vector<Node> nodes;
  for (const char* name : {"w1", "w2"}) {
    Node node;
    node.op_type = "Constant";
    node.outputs = {name};
    node.set_attribute("value", *model.graph.initializers.find(name));
    nodes.push_back(node);
    model.graph.initializers.remove(name);
  }
  model.graph.nodes.insert(model.graph.nodes.begin(), nodes.begin(), nodes.end());
  const ChannelFlow flow = flow_of(model);
  ASSERT_EQ(free_classes(model, flow, "h").size(), 8U) << frozen_reason(model, flow, "h");
  EXPECT_EQ(expect_random_cuts(model), 8);
}

TEST(ChannelConstants, ShapesThatTheGraphComputesStayRight) {
  // As older exporters write "x.view(x.size(0), x.size(1), -1)".
  const Model model = network(R"(g (float[N, 3, 6, 6] x) => (float[N, 2] y)
    <float[8, 3, 1, 1] w1, int64 zero = {0}, int64 one = {1}, int64[1] axis = {0}, int64[1] rest = {-1}, float[8, 2] w2> {
      h = Conv(x, w1) s1 = Shape(h) n0 = Gather(s1, zero) n1 = Unsqueeze(n0, axis) s2 = Shape(h) c0 = Gather(s2, one)
      c1 = Unsqueeze(c0, axis) t = Concat<axis = 0>(n1, c1, rest) v = Reshape(h, t)
      q = ReduceMean<axes = [2], keepdims = 0>(v) y = Gemm(q, w2) })");
  const Cut result = cut(model, {{"h", {0, 5}}});
  EXPECT_EQ(result.shape("y"), (Shape{6, 2}));
  EXPECT_EQ(expect_random_cuts(model), 8);
}

TEST(ChannelConstants, SizesOfAnUpsamplingTakenFromAnotherTensor) {
  const Model model = network(R"(g (float[N, 3, 8, 8] x) => (float[N, 2, 8, 8] y)
    <float[6, 3, 1, 1] w1, float[5, 6, 1, 1] w2, int64[1] two = {2}, int64[1] four = {4}, int64[1] zero = {0}, float[2, 11, 1, 1] w3> {
      h = Conv(x, w1) d = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(h) k = Conv(d, w2)
      s = Shape(h) hw = Slice(s, two, four, zero) s2 = Shape(k) nc = Slice(s2, zero, two, zero)
      sizes = Concat<axis = 0>(nc, hw) u = Resize<mode = "nearest">(k, , , sizes) c = Concat<axis = 1>(h, u) y = Conv(c, w3) })");
  EXPECT_EQ(cut(model, {{"h", {0}}, {"k", {1, 2}}}).shape("y"), (Shape{2, 8, 1, 1}));
  EXPECT_EQ(expect_random_cuts(model), 11);
}

/// A shape computed from the number of channels as a number among numbers: half of it, a product with it.
TEST(ChannelConstants, ArithmeticOnTheNumberOfChannelsIsFrozenOrRight) {
  const Model model = network(R"(g (float[1, 3, 6, 6] x) => (float[1, 2, 6, 6] y)
    <float[8, 3, 1, 1] w1, int64[1] one = {1}, int64[1] two = {2}, int64[1] b = {1}, int64[1] six = {6}, float[2, 8, 1, 1] w2> {
      h = Conv(x, w1) s = Shape(h) c = Gather(s, one) g2 = Div(c, two)
      five = Concat<axis = 0>(b, two, g2, six, six) v = Reshape(h, five) t = Transpose<perm = [0, 2, 1, 3, 4]>(v)
      four = Concat<axis = 0>(b, c, six, six) m = Reshape(t, four) y = Conv(m, w2) })");
  expect_frozen_or_right(model, "h", "h");
}

TEST(ChannelConstants, ANumberOfChannelsUsedAsDataIsFrozenOrRight) {
  // Divides by the square root of the width, as attention does: with fewer channels the number would be another.
  const Model model =
      between("s = Shape(h) c = Gather(s, one) f = Cast<to = 1>(c) r = Sqrt(f) n = Div(h, r)", "int64 one = {1}");
  expect_frozen_or_right(model, "h", "Sqrt");
}

TEST(ChannelConstants, AQuantizedNetworkIsLeftAlone) {
  const Model model = network(R"(g (float[N, 3, 6, 6] x) => (float[N, 2, 6, 6] y)
    <float s = {0.02}, uint8 z = {128}, int8[4, 3, 1, 1] w1 = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, float[4] s1 = {0.01, 0.02, 0.01, 0.03},
     int8[4] z1 = {0, 0, 0, 0}, int32[4] b1 = {100, 200, 300, 400}, int32[4] zb = {0, 0, 0, 0},
     int8[2, 4, 1, 1] w2 = {1, 2, 3, 4, 5, 6, 7, 8}, float[2] s2 = {0.01, 0.02}, int8[2] z2 = {0, 0}> {
      xq = QuantizeLinear(x, s, z) xd = DequantizeLinear(xq, s, z) wd = DequantizeLinear<axis = 0>(w1, s1, z1)
      bd = DequantizeLinear<axis = 0>(b1, s1, zb) h = Conv(xd, wd, bd) r = Relu(h) rq = QuantizeLinear(r, s, z)
      rd = DequantizeLinear(rq, s, z) w2d = DequantizeLinear<axis = 0>(w2, s2, z2) y = Conv(rd, w2d) })");
  const ChannelFlow flow = flow_of(model);
  EXPECT_FALSE(flow.groups.empty()) << "nothing says why";
  for (const ChannelGroup& group : flow.groups)
    EXPECT_THAT(group.frozen, ::testing::AnyOf(::testing::HasSubstr("quantiz"), ::testing::HasSubstr("Quantiz"),
                                               ::testing::HasSubstr("Dequantize"), ::testing::HasSubstr("output")))
        << group.name;
  EXPECT_THAT(flow.groups.empty() ? "" : flow.groups[0].frozen, ::testing::ContainsRegex("[qQ]uantize"));
  for (const ChannelLayer& layer : flow.layers)
    for (const ChannelClass label : layer.outputs) EXPECT_FALSE(is_free(flow, label)) << layer.label;
  EXPECT_EQ(serialize_model(remove_channels(model, flow, {})), serialize_model(model));
}

TEST(ChannelConstants, IntegerOperatorsAreLeftAlone) {
  const Model model = network(R"(g (float[N, 3, 6, 6] x) => (float[N, 2, 6, 6] y)
    <float[4, 3, 1, 1] w1, int8[2, 4, 1, 1] w2 = {1, 2, 3, 4, 5, 6, 7, 8}, int8 z = {0}> {
      h = Conv(x, w1) q, s, zp = DynamicQuantizeLinear(h) i = ConvInteger(q, w2, zp, z) y = Cast<to = 1>(i) })");
  expect_frozen(model, "h", {"Quantize"});
}

}  // namespace
}  // namespace pare::testing
