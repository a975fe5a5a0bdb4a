#include "fit/linear_layer.h"

#include "fit/nets.h"
#include "support/support.h"

namespace pare::testing {
namespace {

std::string reason(const Model& model, std::int64_t node = 0) {
  return read_linear_layer(model.graph, GraphIndex(model.graph), node).reason;
}

TEST(LinearLayer, WritingWhatWasReadChangesNothing) {
  const Model nets[] = {
      random_net("g (float[N,3,8,8] x) => (float[N,4,6,6] y) { y = Conv(x, w, b) }", {{"w", {4, 3, 3, 3}}, {"b", {4}}}),
      random_net("g (float[N,6] x) => (float[N,4] y) { y = Gemm(x, w, b) }", {{"w", {6, 4}}, {"b", {4}}}),
      random_net("g (float[N,6] x) => (float[N,4] y) { m = MatMul(x, w) y = Add(m, b) }", {{"w", {6, 4}}, {"b", {4}}})};
  for (const Model& net : nets) {
    Model copy = net;
    write_linear_layer(copy, *read_linear_layer(net.graph, GraphIndex(net.graph), 0).layer);
    for (const char* name : {"w", "b"})
      EXPECT_TRUE(copy.graph.initializers.find(name)->same_as(*net.graph.initializers.find(name)));
  }
}

TEST(LinearLayer, GetsABiasIfItNeedsOne) {
  Model net = random_net("g (float[N,3,8,8] x) => (float[N,4,8,8] y) { y = Conv(x, w) }", {{"w", {4, 3, 1, 1}}});
  LinearLayer layer = *read_linear_layer(net.graph, GraphIndex(net.graph), 0).layer;
  write_linear_layer(net, layer);
  EXPECT_EQ(net.graph.nodes[0].inputs.size(), 2u);
  layer.bias = {1, 2, 3, 4};
  write_linear_layer(net, layer);
  ASSERT_EQ(net.graph.nodes[0].inputs.size(), 3u);
  EXPECT_EQ(net.graph.initializers.find(net.graph.nodes[0].inputs[2])->to_floats(), layer.bias);
}

TEST(LinearLayer, SaysWhyItIsNone) {
  EXPECT_EQ(reason(random_net("g (float[N,4,8,8] x) => (float[N,4,8,8] y) { y = Conv<group = 2>(x, w) }",
                              {{"w", {4, 2, 1, 1}}})),
            "it has several groups");
  EXPECT_EQ(reason(random_net("g (float[N,4] x) => (float[N,4] z) { y = Gemm(x, w) z = Gemm(y, w) }", {{"w", {4, 4}}})),
            "other nodes read its weight too");
  EXPECT_EQ(reason(random_net("g (float[N,4] x) => (float[N,4] y) { y = Gemm<alpha = 2.0>(x, w) }", {{"w", {4, 4}}})),
            "it has transA, alpha or beta");
  EXPECT_EQ(reason(random_net("g (float[N,4] x) => (float[N,4] y) { y = Relu(x) }", {})), "Relu is not fitted");
  EXPECT_EQ(reason(random_net("g (float[N,4] x, float[4,4] w) => (float[N,4] y) { y = MatMul(x, w) }", {})),
            "its weight is no float32 constant");
}

/// Zeroed channels of the weight act as zeroed channels of the input.
void expect_blind(Model net, const Shape& shape, const std::vector<std::int64_t>& channels, std::int64_t axis) {
  const Tensor input = random_tensor(shape, 4);
  std::vector<float> values = input.to_floats();
  std::int64_t inner = 1;
  for (std::size_t a = static_cast<std::size_t>(axis) + 1; a < shape.size(); ++a) inner *= shape[a];
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::int64_t channel = static_cast<std::int64_t>(i) / inner % shape[static_cast<std::size_t>(axis)];
    if (std::find(channels.begin(), channels.end(), channel) != channels.end()) values[i] = 0;
  }
  const Tensor wanted = open_session(net, {})->run({{"x", Tensor::of(shape, values)}})[0];
  zero_input_channels(net, 0, channels);
  EXPECT_THAT(open_session(net, {})->run({{"x", input}})[0], AllClose(wanted, {.atol = 1e-5}));
}

TEST(ZeroInputChannels, OfEveryKindOfLayer) {
  expect_blind(
      random_net("g (float[N,6,4,4] x) => (float[N,4,A,B] y) { y = Conv<group = 2>(x, w) }", {{"w", {4, 3, 3, 3}}}),
      {2, 6, 4, 4}, {1, 4, 5}, 1);
  expect_blind(random_net("g (float[N,6,4,4] x) => (float[N,4,A,B] y) { y = ConvTranspose<group = 2>(x, w) }",
                          {{"w", {6, 2, 3, 3}}}),
               {2, 6, 4, 4}, {0, 5}, 1);
  expect_blind(random_net("g (float[N,6] x) => (float[N,4] y) { y = Gemm<transB = 1>(x, w) }", {{"w", {4, 6}}}), {3, 6},
               {2, 3}, 1);
  expect_blind(random_net("g (float[N,5,6] x) => (float[N,5,4] y) { y = MatMul(x, w) }", {{"w", {6, 4}}}), {3, 5, 6},
               {0}, 2);
}

TEST(ZeroInputChannels, LeavesASharedWeightToItsOtherReader) {
  Model net = random_net("g (float[N,4] x) => (float[N,4] z) { y = Gemm(x, w) z = Gemm(y, w) }", {{"w", {4, 4}}});
  const Tensor before = *net.graph.initializers.find("w");
  zero_input_channels(net, 0, {1});
  EXPECT_NE(net.graph.nodes[0].input(1), net.graph.nodes[1].input(1));
  EXPECT_TRUE(net.graph.initializers.find("w")->same_as(before));
}

TEST(LinearLayer, GroupsAndTransposedOnesAreReadByTheirWeightsAndWrittenBack) {
  Model model = random_net(
      "g (float[N,4,6,6] x) => (float[N,5,H,W] y) { g = Conv<group = 2>(x, wg) y = ConvTranspose<strides = [2, 2]>(g, "
      "wt, bt) }",
      {{"wg", {6, 2, 3, 3}}, {"wt", {6, 5, 2, 2}}, {"bt", {5}}});
  const std::string before = serialize_model(model);
  for (const std::int64_t node : {0, 1}) {
    const GraphIndex index(model.graph);
    EXPECT_FALSE(read_linear_layer(model.graph, index, node).layer);
    const ReadLayer read = read_weight_layer(model.graph, index, node);
    ASSERT_TRUE(read.layer) << read.reason;
    const LinearLayer& layer = *read.layer;
    EXPECT_EQ(layer.groups, node == 0 ? 2 : 1);
    EXPECT_EQ(layer.transposed, node == 1);
    EXPECT_EQ(layer.outputs, node == 0 ? 6 : 5);
    EXPECT_EQ(layer.inputs, node == 0 ? 2 : 6);
    if (node == 1) {
      // W[input 3, output 2, 1, 0] is the tap 2 of input 3 in row 2.
      const std::vector<float> stored = model.graph.constant("wt").to_floats();
      EXPECT_EQ(layer.weight[static_cast<std::size_t>(2 * 24 + 3 * 4 + 2)],
                stored[static_cast<std::size_t>((3 * 5 + 2) * 4 + 2)]);
    }
    write_linear_layer(model, layer);
  }
  EXPECT_EQ(serialize_model(model), before);
}

}  // namespace
}  // namespace pare::testing
