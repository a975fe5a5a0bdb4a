#include "quantize/place_qdq.h"

#include "pare/model_io.h"
#include "pare/session.h"
#include "quantize/reference.h"
#include "quantize/samples.h"
#include "support/support.h"

namespace pare::testing {
namespace {

Model model_of(const std::string& body, const std::vector<std::pair<std::string, Shape>>& weights, int opset = 17) {
  Model model = model_from_text(fmt::format("<ir_version: 8, opset_import: [\"\": {}]> {}", opset, body));
  add_weights(model, weights);
  return model;
}

/// Quantizes with the same range everywhere unless another is given.
Placed placed(const Model& model, Ranges ranges = {}, const PlaceOptions& options = {}) {
  const Plan plan = plan_quantization(
      model.graph, {.target = &onnxruntime_target(), .user_reasons = {}, .float_outputs = false, .ranges = nullptr});
  for (const std::string& value : plan.observed()) ranges.emplace(value, Range{-1, 3});
  Placed result = place_qdq(model, plan, ranges, options);
  check_model(result.model);
  return result;
}

std::vector<Tensor> run(const Model& model, const NamedTensors& inputs, bool optimize) {
  SessionOptions options;
  options.optimize = optimize;
  return open_session(model, options)->run(inputs);
}

TEST(PlaceQdq, RuntimeAgreesWithTheScalarReferenceWithinOneStep) {
  const Model model = model_of(R"(g (float[1,3,6,5] x) => (float[1,4,6,5] y) {
    a = Conv<pads = [1,1,1,1]>(x, w, b)
    y = Relu(a)
  })",
                               {{"w", {4, 3, 3, 3}}, {"b", {4}}});
  const Ranges ranges = {{"x", {-1.5, 2}}, {"y", {0, 5}}};
  const Placed result = placed(model, ranges);
  Rng rng(7);
  const Tensor x = random_tensor({1, 3, 6, 5}, rng, -2, 2.5);
  const Initializers& stored = result.model.graph.initializers;
  const QuantParams px = params_of(ranges.at("x")), py = params_of(ranges.at("y"));
  std::vector<std::uint8_t> xq;
  for (const float value : x.data<float>()) xq.push_back(reference_quantize(value, px.scale, px.zero_point));
  const auto w = stored.find("w_q")->data<std::int8_t>();
  const auto b = stored.find("b_q")->data<std::int32_t>();
  const auto scales = stored.find("w_scale")->data<float>();
  ReferenceConv conv{.channels_in = 3,
                     .channels_out = 4,
                     .height = 6,
                     .width = 5,
                     .kernel = 3,
                     .pad = 1,
                     .x_scale = px.scale,
                     .y_scale = py.scale,
                     .x_zero = px.zero_point,
                     .y_zero = py.zero_point,
                     .w_scales = {scales.begin(), scales.end()}};
  const auto expected = conv.run(xq, {w.begin(), w.end()}, {b.begin(), b.end()});
  for (const bool optimize : {true, false}) {
    const Tensor y = run(result.model, {{"x", x}}, optimize)[0];
    ASSERT_EQ(y.element_count(), static_cast<std::int64_t>(expected.size()));
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(y.data<float>()[i], reference_dequantize(expected[i], py.scale, py.zero_point), py.scale * 1.001)
          << "element " << i << ", optimizations " << optimize;
  }
}

TEST(PlaceQdq, TiesRoundToEven) {
  const Model model = model_of("g (float[1,1,1,9] x) => (float[1,1,1,9] y) { y = Conv(x, w) }", {{"w", {1, 1, 1, 1}}});
  const float scale = params_of({-2, 2}).scale;
  const int zero = params_of({-2, 2}).zero_point;
  std::vector<float> ties;
  for (int k = -4; k <= 4; ++k) ties.push_back(scale * (static_cast<float>(k) + 0.5f));
  SessionOptions options;
  const Placed result = placed(model, {{"x", {-2, 2}}, {"y", {-2, 2}}});
  options.extra_outputs = {"x_dq"};
  const auto got = open_session(result.model, options)->run({{"x", Tensor::of({1, 1, 1, 9}, ties)}});
  for (std::size_t i = 0; i < ties.size(); ++i)
    EXPECT_EQ(got[1].data<float>()[i], reference_dequantize(reference_quantize(ties[i], scale, zero), scale, zero));
}

TEST(PlaceQdq, KeepsOutputNamesOrderAndTypes) {
  const Model model = model_of(R"(g (float[1,2,4,4] x) => (float[1,2,4,4] a, float[1,2,4,4] b, float[1,2,4,4] i) {
    a = Conv(x, w0)
    b = Relu(a)
    c = Conv(b, w1)
    i = Identity(x)
  })",
                               {{"w0", {2, 2, 1, 1}}, {"w1", {2, 2, 1, 1}}});
  const Placed result = placed(model);
  ASSERT_EQ(result.model.graph.outputs.size(), 3u);
  EXPECT_EQ(result.model.graph.outputs[0].name, "a");
  Rng rng(1);
  const Tensor x = random_tensor({1, 2, 4, 4}, rng);
  const auto before = run(model, {{"x", x}}, true), after = run(result.model, {{"x", x}}, true);
  for (std::size_t k = 0; k < 3; ++k) EXPECT_THAT(after[k], AllClose(before[k], {.atol = 0.05}));
  // The float reader of the input does not see the quantized one.
  EXPECT_THAT(after[2], AllClose(x));
}

TEST(PlaceQdq, OneBiasForEachReaderThoughWeightsAreShared) {
  const Model model = model_of(R"(g (float[1,2,4,4] x, float[1,2,4,4] z) => (float[1,2,4,4] y, float[1,2,4,4] u) {
    y = Conv(x, w, b)
    u = Conv(z, w, b)
  })",
                               {{"w", {2, 2, 1, 1}}, {"b", {2}}});
  const Placed result = placed(model, {{"x", {-1, 1}}, {"z", {-100, 100}}, {"y", {-4, 4}}, {"u", {-300, 300}}});
  Rng rng(2);
  const Tensor x = random_tensor({1, 2, 4, 4}, rng), z = random_tensor({1, 2, 4, 4}, rng, -100, 100);
  const auto before = run(model, {{"x", x}, {"z", z}}, true), after = run(result.model, {{"x", x}, {"z", z}}, true);
  EXPECT_THAT(after[0], AllClose(before[0], {.atol = 0.06}));
  EXPECT_THAT(after[1], AllClose(before[1], {.atol = 4}));
  int weights = 0, biases = 0;
  for (const auto& entry : result.model.graph.initializers) {
    weights += entry.tensor.dtype() == DType::kInt8 && entry.tensor.rank() == 4 ? 1 : 0;
    biases += entry.tensor.dtype() == DType::kInt32 ? 1 : 0;
  }
  EXPECT_EQ(weights, 1);
  EXPECT_EQ(biases, 2);
}

TEST(PlaceQdq, NamesThatAreTakenAreLeftAlone) {
  const Model model =
      model_of(R"(g (float[1,2,4,4] x) => (float[1,2,4,4] y, float[1,2,4,4] x_dq, float[1,2,4,4] w_scale) {
    y = Conv(x, w, b0)
    x_dq = Neg(x)
    w_scale = Abs(x)
    b0_q = Abs(x)
  })",
               {{"w", {2, 2, 1, 1}}, {"b0", {2}}, {"x_scale", {1}}});
  Rng rng(3);
  const Tensor x = random_tensor({1, 2, 4, 4}, rng);
  const Placed result = placed(model, {{"x", {-1, 1}}, {"y", {-4, 4}}});
  const auto before = run(model, {{"x", x}}, true), after = run(result.model, {{"x", x}}, true);
  EXPECT_THAT(after[0], AllClose(before[0], {.atol = 0.05}));
  EXPECT_THAT(after[1], AllClose(before[1]));
}

TEST(PlaceQdq, EveryScalePerChannelHasItsAxis) {
  const Placed result = placed(model_of(R"(g (float[N,2,4,4] x) => (float[N,3] y) {
    a = Conv(x, w0, b0)
    b = GlobalAveragePool(a)
    c = Flatten(b)
    y = Gemm(c, w1)
  })",
                                        {{"w0", {4, 2, 1, 1}}, {"b0", {4}}, {"w1", {4, 3}}}));
  int seen = 0;
  for (const Node& node : result.model.graph.nodes) {
    if (!node.is("DequantizeLinear")) continue;
    const Tensor* scale = result.model.graph.initializers.find(node.input(1));
    const Tensor* stored = result.model.graph.initializers.find(node.input(0));
    if (scale == nullptr || scale->rank() == 0 || stored == nullptr) continue;
    ++seen;
    ASSERT_NE(node.find_attribute("axis"), nullptr) << node.name;
    const auto axis = static_cast<std::size_t>(node.int_or("axis", -1));
    EXPECT_EQ(stored->shape()[axis], scale->element_count()) << node.name;
  }
  EXPECT_EQ(seen, 3);
}

TEST(PlaceQdq, WeightsGivenByConstantNodesAreStoredOnceAsInt8) {
  Model model = model_of("g (float[1,2,4,4] x) => (float[1,2,4,4] y) { y = Conv(x, w) }", {{"w", {2, 2, 1, 1}}});
  Node constant;
  constant.op_type = "Constant";
  constant.outputs = {"w"};
  constant.set_attribute("value", *model.graph.initializers.find("w"));
  model.graph.initializers.remove("w");
  model.graph.nodes.insert(model.graph.nodes.begin(), constant);
  const Placed result = placed(model);
  EXPECT_EQ(count_ops(result.model.graph)["Constant"], 0);
  for (const auto& entry : result.model.graph.initializers)
    EXPECT_FALSE(entry.tensor.dtype() == DType::kFloat32 && entry.tensor.rank() == 4) << entry.name;
}

TEST(PlaceQdq, PaddingIsTheStoredZero) {
  Model model = model_of(R"(g (float[1,2,4,4] x) => (float[1,2,4,4] y) {
    a = Conv(x, w0)
    b = Pad(a, p)
    y = Conv(b, w1)
  })",
                         {{"w0", {2, 2, 1, 1}}, {"w1", {2, 2, 3, 3}}});
  model.graph.initializers.set("p", Tensor::of<std::int64_t>({8}, {0, 0, 1, 1, 0, 0, 1, 1}));
  const Placed result = placed(model, {{"a", {-3, 1}}, {"y", {-20, 20}}});
  Rng rng(4);
  const Tensor x = random_tensor({1, 2, 4, 4}, rng);
  for (const bool optimize : {true, false})
    EXPECT_THAT(run(result.model, {{"x", x}}, optimize)[0], AllClose(run(model, {{"x", x}}, true)[0], {.atol = 0.3}));
  EXPECT_EQ(producer_of(result.model.graph, producer_of(result.model.graph, "b")->input(0))->op_type, "Pad");
}

TEST(PlaceQdq, ConstantOperandsAreQuantizedToo) {
  const Model model = model_of(R"(g (float[1,2,4,4] x) => (float[1,2,4,4] y) {
    a = Conv(x, w0)
    b = Mul(a, m)
    c = Add(s, b)
    y = Conv(c, w1)
  })",
                               {{"w0", {2, 2, 1, 1}}, {"m", {2, 1, 1}}, {"s", {1, 2, 1, 1}}, {"w1", {2, 2, 1, 1}}});
  Rng rng(5);
  const Tensor x = random_tensor({1, 2, 4, 4}, rng);
  const Placed result = placed(model, {{"a", {-3, 3}}, {"b", {-3, 3}}, {"c", {-3, 3}}, {"y", {-4, 4}}});
  EXPECT_THAT(run(result.model, {{"x", x}}, true)[0], AllClose(run(model, {{"x", x}}, true)[0], {.atol = 0.12}));
  EXPECT_FALSE(result.model.graph.initializers.contains("m"));
}

TEST(PlaceQdq, ShiftedBiasesAreAddedEvenWhereThereWasNone) {
  const Model model = model_of("g (float[1,2,4,4] x) => (float[1,2,4,4] y) { y = Conv(x, w) }", {{"w", {2, 2, 1, 1}}});
  const Ranges ranges = {{"x", {-1, 1}}, {"y", {-4, 4}}};
  PlaceOptions options;
  options.bias_shift[0] = {0.5, -0.25};
  Rng rng(6);
  const Tensor x = random_tensor({1, 2, 4, 4}, rng);
  const Tensor plain = run(placed(model, ranges).model, {{"x", x}}, true)[0];
  const Tensor shifted = run(placed(model, ranges, options).model, {{"x", x}}, true)[0];
  for (std::size_t i = 0; i < 32; ++i)
    EXPECT_NEAR(shifted.data<float>()[i] - plain.data<float>()[i], i < 16 ? 0.5 : -0.25, 0.04);
}

}  // namespace
}  // namespace pare::testing
