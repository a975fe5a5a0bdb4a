#include "quantize/plan.h"

#include "pare/model_io.h"
#include "quantize/samples.h"
#include "support/support.h"

namespace pare::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

Plan plan_for(const Graph& graph, const Target& target = onnxruntime_target(), bool float_outputs = false,
              const Ranges* ranges = nullptr, std::vector<std::string> reasons = {}) {
  return plan_quantization(
      graph, {.target = &target, .user_reasons = std::move(reasons), .float_outputs = float_outputs, .ranges = ranges});
}

std::vector<std::string> integer_ops(const Graph& graph, const Plan& plan) {
  std::vector<std::string> ops;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    if (plan.states[i] == NodeState::kInteger) ops.push_back(graph.nodes[i].op_type);
  return ops;
}

std::string reason_of(const Plan& plan, const std::string& op) {
  for (const NodeReason& skipped : plan.skipped)
    if (skipped.op_type == op) return skipped.reason;
  return "";
}

Graph with_weights(const std::string& text, const std::vector<std::pair<std::string, Shape>>& weights) {
  Model model = model_from_text("<ir_version: 8, opset_import: [\"\": 17]> " + text);
  add_weights(model, weights);
  return model.graph;
}

/// Conv -> Add(residual) -> Relu -> MaxPool -> Conv -> GlobalAveragePool -> Flatten -> Gemm.
Graph residual() {
  return with_weights(R"(g (float[N,4,8,8] x) => (float[N,3] y) {
    a = Conv<pads = [1,1,1,1]>(x, w0, b0)
    b = Relu(a)
    c = Conv<pads = [1,1,1,1]>(b, w1, b1)
    d = Add(c, b)
    e = Relu(d)
    f = MaxPool<kernel_shape = [2,2], strides = [2,2]>(e)
    h = Conv(f, w2)
    p = GlobalAveragePool(h)
    q = Flatten(p)
    y = Gemm(q, w3, b3)
  })",
                      {{"w0", {4, 4, 3, 3}},
                       {"b0", {4}},
                       {"w1", {4, 4, 3, 3}},
                       {"b1", {4}},
                       {"w2", {8, 4, 1, 1}},
                       {"w3", {8, 3}},
                       {"b3", {3}}});
}

TEST(Plan, OneIntegerRegionFromInputToLastProduct) {
  const Graph graph = residual();
  const Plan plan = plan_for(graph);
  EXPECT_THAT(integer_ops(graph, plan),
              ElementsAre("Conv", "Conv", "Add", "MaxPool", "Conv", "GlobalAveragePool", "Flatten", "Gemm"));
  EXPECT_EQ(plan.states[1], NodeState::kVanished);
  EXPECT_EQ(plan.states[4], NodeState::kVanished);
  // No Q before a Relu, none behind the last product, one for each value in between.
  EXPECT_THAT(plan.quantized, ElementsAre("x", "b", "c", "e", "f", "h", "p", "q"));
  // What only moves values shares the scale of what it moves.
  EXPECT_THAT(plan.observed(), ElementsAre("x", "b", "c", "e", "h", "p"));
  EXPECT_EQ(plan.range_of.at("f"), "e");
  EXPECT_TRUE(plan.skipped.empty());
}

TEST(Plan, OpenVinoKeepsClampsAndAsksForInputsOnly) {
  const Graph graph = residual();
  const Plan plan = plan_for(graph, openvino_target());
  EXPECT_EQ(plan.states[1], NodeState::kFloat);
  EXPECT_TRUE(plan.quantizes("b"));
  EXPECT_FALSE(plan.quantizes("a"));
  EXPECT_FALSE(plan.quantizes("y"));
}

TEST(Plan, LastLayerStaysFloatBeforeADenseOutput) {
  const Graph graph = with_weights(R"(g (float[N,4,8,8] x) => (float[N,1,8,8] y) {
    a = Conv(x, w0)
    b = Relu(a)
    c = Conv(b, w1)
    y = Sigmoid(c)
  })",
                                   {{"w0", {4, 4, 1, 1}}, {"w1", {1, 4, 1, 1}}});
  const Plan plan = plan_for(graph, onnxruntime_target(), true);
  EXPECT_THAT(integer_ops(graph, plan), ElementsAre("Conv"));
  EXPECT_THAT(reason_of(plan, "Conv"), HasSubstr("last layer"));
  EXPECT_THAT(plan.quantized, ElementsAre("x", "b"));
}

TEST(Plan, FollowersNeedIntegerNeighboursOnBothSides) {
  const Graph graph = with_weights(R"(g (float[N,4,8,8] x, float[N,4,8,8] z) => (float[N,4,8,8] y, float[N,4,8,8] u) {
    a = Conv(x, w0)
    u = Add(a, z)
    y = Mul(a, a)
  })",
                                   {{"w0", {4, 4, 1, 1}}});
  const Plan plan = plan_for(graph);
  EXPECT_THAT(integer_ops(graph, plan), ElementsAre("Conv"));
  EXPECT_EQ(reason_of(plan, "Add"), "not all of its inputs come from integer nodes");
  EXPECT_EQ(reason_of(plan, "Mul"), "no integer node follows it");
}

TEST(Plan, ASharedValueBeforeAReluIsQuantizedTwice) {
  const Graph graph = with_weights(R"(g (float[N,4,8,8] x) => (float[N,4,8,8] y) {
    a = Conv(x, w0)
    b = Relu(a)
    c = Conv(b, w1)
    d = Add(c, a)
    y = Conv(d, w2)
  })",
                                   {{"w0", {4, 4, 1, 1}}, {"w1", {4, 4, 1, 1}}, {"w2", {4, 4, 1, 1}}});
  const Plan plan = plan_for(graph);
  EXPECT_EQ(plan.states[1], NodeState::kFloat);
  EXPECT_THAT(plan.quantized, ElementsAre("x", "a", "b", "c", "d", "y"));
}

TEST(Plan, ClampThatExcludesZeroStays) {
  Graph graph = with_weights(R"(g (float[N,4,8,8] x) => (float[N,4,8,8] y) {
    a = Conv(x, w0)
    b = Clip(a, low, high)
    y = Conv(b, w1)
  })",
                             {{"w0", {4, 4, 1, 1}}, {"w1", {4, 4, 1, 1}}});
  graph.initializers.set("high", Tensor::scalar(6.0f));
  graph.initializers.set("low", Tensor::scalar(0.0f));
  EXPECT_EQ(plan_for(graph).states[1], NodeState::kVanished);
  graph.initializers.set("low", Tensor::scalar(1.0f));
  EXPECT_EQ(plan_for(graph).states[1], NodeState::kFloat);
}

TEST(Plan, ReasonsNameWhatIsMissing) {
  const Graph graph = with_weights(R"(g (float[N,4,8,8] x, float[4,4,1,1] v) => (float[M,K,H,W] y) {
    a = Conv(x, v)
    b = ConvTranspose(a, w0)
    y = BatchNormalization(b, s, s, s, s)
  })",
                                   {{"w0", {4, 4, 2, 2}}, {"s", {4}}});
  const Plan plan = plan_for(graph);
  EXPECT_EQ(reason_of(plan, "Conv"), "its weights are not constant");
  EXPECT_THAT(reason_of(plan, "ConvTranspose"), HasSubstr("no integer ConvTranspose"));
  EXPECT_THAT(reason_of(plan, "BatchNormalization"), HasSubstr("not folded"));
  EXPECT_TRUE(plan.quantized.empty());
}

TEST(Plan, WeightsSharedWithAFloatNodeStayFloat) {
  const std::string text = R"(g (float[N,4,4,4] x) => (float[N,4,4,4] y, float[N,4,4,4] z) {
    [one] y = Conv(x, w0)
    [two] z = Conv(y, w0)
  })";
  const Graph graph = with_weights(text, {{"w0", {4, 4, 1, 1}}});
  EXPECT_THAT(integer_ops(graph, plan_for(graph)), ElementsAre("Conv", "Conv"));
  const Plan plan = plan_for(graph, onnxruntime_target(), false, nullptr, {"", "excluded by 'two'"});
  EXPECT_TRUE(integer_ops(graph, plan).empty());
  EXPECT_THAT(plan.skipped[0].reason, HasSubstr("'w0' are also read by Conv 'two'"));
}

TEST(Plan, ConcatOfUnlikeRangesStaysFloat) {
  const Graph graph = with_weights(R"(g (float[N,4,4,4] x) => (float[N,4,4,4] y) {
    a = Conv(x, w0)
    b = Conv(x, w1)
    c = Concat<axis = 1>(a, b)
    y = Conv(c, w2)
  })",
                                   {{"w0", {4, 4, 1, 1}}, {"w1", {4, 4, 1, 1}}, {"w2", {4, 8, 1, 1}}});
  Ranges ranges = {{"a", {0, 640}}, {"b", {-20, 64}}};
  EXPECT_THAT(integer_ops(graph, plan_for(graph, onnxruntime_target(), false, &ranges)),
              ElementsAre("Conv", "Conv", "Concat", "Conv"));
  ranges["b"] = {0, 1};
  const Plan plan = plan_for(graph, onnxruntime_target(), false, &ranges);
  EXPECT_THAT(integer_ops(graph, plan), ElementsAre("Conv", "Conv"));
  EXPECT_THAT(reason_of(plan, "Concat"), HasSubstr("640 times apart"));
}

TEST(Plan, TheInputIsQuantizedBeforeWhatOnlyMovesIt) {
  const Graph graph = with_weights(R"(g (float[N,8,8,4] x) => (float[N,4,8,8] y) {
    a = Transpose<perm = [0,3,1,2]>(x)
    y = Conv(a, w0)
  })",
                                   {{"w0", {4, 4, 1, 1}}});
  const Plan plan = plan_for(graph);
  EXPECT_THAT(integer_ops(graph, plan), ElementsAre("Transpose", "Conv"));
  EXPECT_THAT(plan.observed(), ElementsAre("x", "y"));
}

TEST(Plan, BiasOfOddShapeIsTakenOrRefused) {
  Graph graph =
      with_weights("g (float[N,4] x) => (float[N,3] y) { y = Gemm(x, w, b) }", {{"w", {4, 3}}, {"b", {1, 3}}});
  EXPECT_EQ(channel_bias(graph.nodes[0], graph, 3).size(), 3u);
  graph.initializers.set("b", Tensor::scalar(2.0f));
  EXPECT_EQ(channel_bias(graph.nodes[0], graph, 3), (std::vector<float>{2, 2, 2}));
  graph.initializers.set("b", Tensor::of<float>({1}, {2}));
  EXPECT_EQ(channel_bias(graph.nodes[0], graph, 3), (std::vector<float>{2, 2, 2}));
  graph.initializers.set("b", Tensor::zeros(DType::kFloat32, {5, 3}));
  EXPECT_THAT(reason_of(plan_for(graph), "Gemm"), HasSubstr("[5, 3]"));
}

}  // namespace
}  // namespace pare::testing
