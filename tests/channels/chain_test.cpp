// Plain chains: heads of one channel, biases that live on, nothing removed, too much removed.
#include "channels/pruning.h"

namespace pare::testing {
namespace {

/// Conv 3 -> 16 -> 64 -> 1.
Model one_channel_head() {
  return network(R"(g (float[N, 3, 10, 10] x) => (float[N, 1, 10, 10] y)
    <float[16, 3, 3, 3] w1, float[16] b1, float[64, 16, 3, 3] w2, float[64] b2, float[1, 64, 3, 3] w3, float[1] b3> {
      h1 = Conv<pads = [1, 1, 1, 1]>(x, w1, b1)
      r1 = Relu(h1)
      h2 = Conv<pads = [1, 1, 1, 1]>(r1, w2, b2)
      r2 = Relu(h2)
      y = Conv<pads = [1, 1, 1, 1]>(r2, w3, b3)
    })");
}

TEST(ChannelChain, AHeadOfOneChannelIsNotDepthwise) {
  Chosen half = {{"h1", {}}, {"h2", {}}};
  std::vector<std::int64_t> odd16, odd64;
  for (std::int64_t i = 0; i < 64; ++i) (i % 2 == 0 ? half[1].second : odd64).push_back(i);
  for (std::int64_t i = 0; i < 16; ++i) (i % 2 == 0 ? half[0].second : odd16).push_back(i);
  const Cut result = cut(one_channel_head(), half);
  EXPECT_EQ(result.shape("h1"), (Shape{8, 3, 3, 3}));
  EXPECT_EQ(result.shape("h2"), (Shape{32, 8, 3, 3}));
  EXPECT_EQ(result.shape("y"), (Shape{1, 32, 3, 3}));
  EXPECT_EQ(result.shape("y", 2), Shape{1});
  result.expect_kept("h1", 1, 0, odd16);
  result.expect_kept("h1", 2, 0, odd16);
  result.expect_kept("h2", 2, 0, odd64);
  result.expect_kept("y", 1, 1, odd64);
  const ChannelLayer& head = layer_of(result.before, result.flow, "y");
  EXPECT_FALSE(head.depthwise);
  EXPECT_EQ(head.groups, 1);
}

TEST(ChannelChain, FlowNamesLayersGroupsAndTheirMakers) {
  const Model model = one_channel_head();
  const ChannelFlow flow = flow_of(model);
  ASSERT_EQ(flow.layers.size(), 3U);
  for (const ChannelLayer& layer : flow.layers)
    EXPECT_EQ(layer.label, node_label(model.graph.nodes[static_cast<std::size_t>(layer.node)], layer.node));
  EXPECT_EQ(flow.layers[0].inputs, (std::vector<ChannelClass>(3, kFixedChannel))) << "the network's own input";
  EXPECT_EQ(flow.layers[0].outputs, flow.layers[1].inputs);
  EXPECT_EQ(flow.layers[1].outputs, flow.layers[2].inputs);
  ASSERT_GE(flow.groups.size(), 2U);
  EXPECT_EQ(flow.groups[0].name, flow.layers[0].label);
  EXPECT_EQ(flow.groups[0].classes, flow.layers[0].outputs);
  EXPECT_EQ(flow.groups[0].channels, 16);
  EXPECT_EQ(flow.groups[0].frozen, "");
  EXPECT_EQ(flow.groups[0].producers, std::vector<std::int64_t>{0});
  EXPECT_EQ(flow.groups[0].consumers, std::vector<std::int64_t>{1});
  EXPECT_EQ(flow.groups[1].producers, std::vector<std::int64_t>{1});
  EXPECT_EQ(flow.groups[1].consumers, std::vector<std::int64_t>{2});
  ASSERT_NE(flow.trace, nullptr);
  EXPECT_EQ(flow.trace->shapes.at("r2"), (Shape{1, 64, 10, 10}));
}

TEST(ChannelChain, WhateverGoesIsProved) { EXPECT_EQ(expect_random_cuts(one_channel_head()), 80); }

TEST(ChannelChain, LastClassOfAGroupStays) {
  const Model model = one_channel_head();
  const ChannelFlow flow = flow_of(model);
  const RemovedClasses all = layer_of(model, flow, "h1").outputs;
  for (const auto& removal : {remove_channels, mask_channels})
    expect_error([&] { (void)removal(model, flow, all); }, ErrorCode::kInvalidArgument, {});
  RemovedClasses all_but_one(all.begin() + 1, all.end());
  expect_proved(model, flow, all_but_one, remove_channels(model, flow, all_but_one));
}

TEST(ChannelChain, RefusesFixedAndUnknownClasses) {
  const Model model = one_channel_head();
  const ChannelFlow flow = flow_of(model);
  const auto unknown = static_cast<ChannelClass>(flow.group_of_class.size());
  for (const ChannelClass label : {kFixedChannel, unknown, ChannelClass{-2}})
    expect_error([&] { (void)remove_channels(model, flow, {label}); }, ErrorCode::kInvalidArgument, {});
}

TEST(ChannelChain, AClassNamedTwiceGoesOnce) {
  const Model model = one_channel_head();
  const ChannelFlow flow = flow_of(model);
  const ChannelClass label = layer_of(model, flow, "h1").outputs[4];
  EXPECT_EQ(serialize_model(remove_channels(model, flow, {label, label})),
            serialize_model(remove_channels(model, flow, {label})));
}

TEST(ChannelChain, NothingRemovedIsTheSameFile) {
  const Model model = network(R"(g (float[N, 3, 11, 11] x) => (float[N, 5, h, w] y)
    <float[6, 3, 3, 3] w1, float[6] s, float[6] b, float[6] m, float[6] var, float[8, 6, 3, 3] w2, float[5, 8, 1, 1] w3> {
      h1 = Conv<pads = [0, 1, 2, 1], dilations = [2, 1], strides = [1, 2]>(x, w1)
      n1 = BatchNormalization<epsilon = 0.01>(h1, s, b, m, var)
      p1 = MaxPool<kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1>(n1)
      h2 = Conv<auto_pad = "SAME_LOWER">(p1, w2)
      r2 = LeakyRelu<alpha = 0.2>(h2)
      y = Conv(r2, w3)
    })");
  const ChannelFlow flow = flow_of(model);
  EXPECT_EQ(serialize_model(remove_channels(model, flow, {})), serialize_model(model));
  EXPECT_EQ(largest_difference(model, mask_channels(model, flow, {}), inputs_of(model, 2)), 0);
  const Cut result = cut(model, {{"h1", {0, 3}}, {"h2", {7}}});
  for (const char* output : {"h1", "n1", "p1", "h2", "r2"}) {
    const Node& before = model.graph.nodes[static_cast<std::size_t>(node_of(model, output))];
    const Node& after = result.after.graph.nodes[static_cast<std::size_t>(node_of(result.after, output))];
    ASSERT_EQ(after.attributes.size(), before.attributes.size());
    for (std::size_t i = 0; i < before.attributes.size(); ++i)
      EXPECT_EQ(after.attributes[i].name, before.attributes[i].name);
  }
  for (const std::size_t vector : {1U, 2U, 3U, 4U}) result.expect_kept("n1", vector, 0, {1, 2, 4, 5});
}

TEST(ChannelChain, TheModelHandedInIsNotTouched) {
  const Model model = one_channel_head();
  const std::string before = serialize_model(model);
  const ChannelFlow flow = flow_of(model);
  (void)remove_channels(model, flow, {layer_of(model, flow, "h1").outputs[2]});
  (void)mask_channels(model, flow, {layer_of(model, flow, "h1").outputs[2]});
  EXPECT_EQ(serialize_model(model), before);
}

/// Channel 1 is act(beta) = 1 everywhere although its scale is 0. The second convolution has only ones for weights.
TEST(ChannelChain, AbsentMeansWithoutItsBiasToo) {
  const Model model = network(R"(g (float[N, 1, 5, 5] x) => (float[N, 1, 5, 5] y)
    <float[2, 1, 1, 1] w1 = {1, 1}, float[2] s = {1, 0}, float[2] b = {0, 1}, float[2] m = {0, 0}, float[2] v = {1, 1},
     float[1, 2, 3, 3] w2 = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}> {
      h = Conv(x, w1)
      n = BatchNormalization<epsilon = 0.0>(h, s, b, m, v)
      r = Relu(n)
      y = Conv<pads = [1, 1, 1, 1]>(r, w2)
    })");
  const Cut result = cut(model, {{"h", {1}}});
  const NamedTensors zeros = {{"x", Tensor::zeros(DType::kFloat32, {1, 1, 5, 5})}};
  for (const float value : open_session(result.after)->run(zeros)[0].to_floats()) EXPECT_EQ(value, 0);
  EXPECT_EQ(open_session(model)->run(zeros)[0].to_floats()[0], 4) << "the corner sees four ones";
}

TEST(ChannelChain, TooLittleToPruneIsANormalOutcome) {
  const Model model = network(R"(g (float[N, 3, 8, 8] x) => (float[N, 4, 8, 8] y, float[N, 2, 8, 8] z)
    <float[4, 3, 3, 3] w1, float[2, 4, 1, 1] w2> { y = Conv<pads = [1, 1, 1, 1]>(x, w1) z = Conv(y, w2) })");
  const ChannelFlow flow = flow_of(model);
  EXPECT_EQ(flow.layers.size(), 2U);
  for (const ChannelGroup& group : flow.groups) EXPECT_NE(group.frozen, "") << group.name;
  EXPECT_EQ(serialize_model(remove_channels(model, flow, {})), serialize_model(model));
  const Model none = network("g (float[N, 4] x) => (float[N, 4] y) { y = Relu(x) }");
  EXPECT_TRUE(flow_of(none).layers.empty());
  EXPECT_TRUE(flow_of(none).groups.empty());
}

TEST(ChannelChain, PoolingAndResizingAlongSpacePass) {
  const Model model = network(R"(g (float[1, 3, 16, 16] x) => (float[1, 4, 16, 16] y)
    <float[8, 3, 3, 3] w1, float[8, 8, 3, 3] w2, float[8, 8, 1, 1] w3, float[8, 8, 1, 1] w4, float[4, 8, 1, 1] w5,
     int64[4] sizes = {1, 8, 16, 16}, float[4] scales = {1, 1, 2, 2}, float[2] halves = {0.5, 0.5}> {
      h1 = Conv<pads = [1, 1, 1, 1]>(x, w1)
      p1 = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(h1)
      h2 = Conv<pads = [1, 1, 1, 1]>(p1, w2)
      p2 = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(h2)
      h3 = Conv(p2, w3)
      u1 = Resize<mode = "nearest">(h3, , , sizes)
      h4 = Conv(u1, w4)
      u2 = Resize<mode = "linear">(h4, , scales)
      u3 = Resize<mode = "linear", axes = [2, 3]>(u2, , halves)
      y = Conv(u3, w5)
    })",
                              18);
  const Cut result = cut(model, {{"h1", {0}}, {"h2", {1, 2}}, {"h3", {3, 4, 5}}, {"h4", {7}}});
  EXPECT_EQ(result.shape("h2"), (Shape{6, 7, 3, 3}));
  EXPECT_EQ(result.shape("h3"), (Shape{5, 6, 1, 1}));
  EXPECT_EQ(result.shape("h4"), (Shape{7, 5, 1, 1}));
  EXPECT_EQ(result.shape("y"), (Shape{4, 7, 1, 1}));
  EXPECT_EQ(result.ints("u1", 3), (std::vector<std::int64_t>{1, 5, 16, 16}));
  EXPECT_EQ(expect_random_cuts(model), 32);
}

TEST(ChannelChain, AResizeOfChannelsFreezes) {
  expect_frozen(network(R"(g (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
    <float[4, 3, 1, 1] w1, float[4] scales = {1, 2, 1, 1}, float[2, 8, 1, 1] w2> {
      h = Conv(x, w1) u = Resize<mode = "nearest">(h, , scales) y = Conv(u, w2) })"),
                "h", {"Resize"});
}

}  // namespace
}  // namespace pare::testing
