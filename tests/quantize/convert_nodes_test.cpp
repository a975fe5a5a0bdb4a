// Which nodes change their type and how: casts at borders, operators with inputs of both types, bodies, shared weights.
#include <fmt/format.h>

#include "quantize/converted.h"
#include "support/support.h"

namespace pare::testing {
namespace {

using ::testing::HasSubstr;

TEST(Convert, OneCastServesAllReaders) {
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[N,3,8,8] x) => (float[N,4,8,8] y, float[N,4,8,8] z, float[N,4,8,8] u) {
      [a] y = Conv <pads = [1,1,1,1]> (x, w1)
      [b] z = Conv <pads = [1,1,1,1]> (x, w2)
      s = Softmax (x)
      [c] u = Conv <pads = [1,1,1,1]> (s, w2)
    })",
                                 {{"w1", {4, 3, 3, 3}}, {"w2", {4, 3, 3, 3}}});
  const StepResult result = converted(model, kKeepIo);
  // x -> half, s -> half, y, z, u -> float.
  EXPECT_EQ(count(result.model, "Cast"), 5);
  EXPECT_EQ(node_of(result.model, "a").input(0), node_of(result.model, "b").input(0));
  EXPECT_EQ(node_of(result.model, "Softmax").input(0), "x");
}

TEST(Convert, ResizeKeepsRoiScalesAndSizes) {  // D1
  for (const int opset : {11, 13, 18, 19})
    for (const bool sizes : {false, true})
      for (const bool empty_roi : {false, true}) {
        SCOPED_TRACE(fmt::format("opset {}, sizes {}, roi constant {}", opset, sizes, empty_roi));
        Model model = text_model(fmt::format(R"(<ir_version: 8, opset_import: ["" : {}]>
          net (float[1,3,8,8] x) => (float[1,4,16,16] y) {{
            a = Conv <pads = [1,1,1,1]> (x, w1)
            r = Resize <mode = "linear"> (a, {}, {})
            y = Conv <pads = [1,1,1,1]> (r, w2)
          }})",
                                             opset, opset == 11 || empty_roi ? "roi" : "",
                                             sizes ? (opset == 11 ? "none, sizes" : ", sizes") : "scales"),
                                 {{"w1", {8, 3, 3, 3}}, {"w2", {4, 8, 3, 3}}});
        model.graph.initializers.set("roi", Tensor::of<float>({0}, {}));
        model.graph.initializers.set("none", Tensor::of<float>({0}, {}));
        model.graph.initializers.set("scales", Tensor::of<float>({4}, {1, 1, 2, 2}));
        model.graph.initializers.set("sizes", Tensor::of<std::int64_t>({4}, {1, 8, 16, 16}));
        const StepResult result = converted(model, kKeepIo);
        EXPECT_EQ(input_type(result.model, "Resize", 0), DType::kFloat16);
        for (const char* name : {"roi", "none", "scales"}) EXPECT_EQ(type_of(result.model, name), DType::kFloat32);
        EXPECT_EQ(type_of(result.model, "sizes"), DType::kInt64);
        EXPECT_LT(difference(model, result.model, {{"x", random_tensor({1, 3, 8, 8}, 1)}}), 4e-3);
      }
}

TEST(Convert, CastsToFloatAreRewrittenWhereAllReadersTakeFloat16) {  // D2
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (uint8[1,3,8,8] x) => (float[1,4,8,8] y) {
      f = Cast <to = 1> (x)
      s = Mul (f, scale)
      y = Conv <pads = [1,1,1,1]> (s, w1)
    })",
                                 {{"w1", {4, 3, 3, 3}}, {"scale", {1, 3, 1, 1}}});
  const StepResult result = converted(model);
  EXPECT_EQ(node_of(result.model, "Cast").int_or("to", 0), 10);
  EXPECT_EQ(count(result.model, "Cast"), 1);
  std::vector<std::uint8_t> pixels(192);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i);
  EXPECT_LT(difference(model, result.model, {{"x", Tensor::of<std::uint8_t>({1, 3, 8, 8}, pixels)}}), 4e-3);
}

TEST(Convert, GeneratorsStayFloat32AndConstantOfShapeIsRewritten) {  // D2
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[4,4] x) => (float[4,4] y, float[4,4] z) {
      e = EyeLike <dtype = 1> (x)
      n = RandomNormal <shape = [4,4], dtype = 1, seed = 1.0> ()
      shape = Constant <value = int64[2] {4, 4}> ()
      c = ConstantOfShape <value = float[1] {0.5}> (shape)
      a = MatMul (x, e)
      b = MatMul (a, c)
      y = MatMul (b, w)
      z = Identity (n)
    })",
                                 {{"w", {4, 4}}});
  const StepResult result = converted(model, kKeepIo);
  EXPECT_EQ(node_of(result.model, "EyeLike").int_or("dtype", 0), 1);
  EXPECT_EQ(node_of(result.model, "RandomNormal").int_or("dtype", 0), 1);
  EXPECT_EQ(std::get<Tensor>(node_of(result.model, "ConstantOfShape").find_attribute("value")->value).dtype(),
            DType::kFloat16);
  const Tensor x = random_tensor({4, 4}, 1);
  EXPECT_LT(difference(model, result.model, {{"x", x}}), 4e-3);
}

TEST(Convert, NodesAreInOrderEvenIfTheFileIsNot) {  // D3
  Model model = two_convs();
  std::rotate(model.graph.nodes.begin(), model.graph.nodes.begin() + 1, model.graph.nodes.end());
  sort_topologically(model.graph);
  const StepResult result = converted(model, kKeepIo);
  Graph graph = result.model.graph;
  EXPECT_FALSE(sort_topologically(graph));
  EXPECT_EQ(graph.nodes.front().op_type, "Cast");
  EXPECT_EQ(graph.nodes.back().op_type, "Cast");
}

TEST(Convert, NoCastsBetweenNodesThatStayFloat32) {  // D4
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[2,8] x) => (float[2,8] y) {
      a = MatMul (x, w)
      b = Softmax (a)
      r = Relu (b)
      c = Reshape (r, shape)
      d = LogSoftmax (c)
      y = MatMul (d, w)
    }
  )",
                                 {{"w", {8, 8}}});
  Model with_shape = model;
  with_shape.graph.initializers.set("shape", Tensor::of<std::int64_t>({2}, {2, 8}));
  const StepResult result = converted(with_shape, kKeepIo);
  EXPECT_EQ(count(result.model, "Cast"), 4);  // both borders, into b and out of d
  EXPECT_THAT(reason(result, "Relu"), HasSubstr("Casts"));
  EXPECT_THAT(reason(result, "Softmax"), HasSubstr("exponentials"));
}

TEST(Convert, CastsToFloat16AndBackVanish) {  // D4
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[2,8] x) => (float[2,8] y) {
      a = MatMul (x, w)
      h = Cast <to = 10> (a)
      f = Cast <to = 1> (h)
      y = MatMul (f, w)
    })",
                                 {{"w", {8, 8}}});
  const StepResult result = converted(model);
  EXPECT_EQ(count(result.model, "Cast"), 0);
  EXPECT_LT(difference(model, result.model, {{"x", random_tensor({2, 8}, 1)}}), 4e-3);
}

TEST(Convert, BodiesOfIfStayFloat32WithWhatTheyCapture) {  // D11
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[2,8] x, bool on) => (float[2,8] y) {
      a = MatMul (x, w)
      b = If (on) <
        then_branch = yes () => (float[2,8] t) { t = Add (a, w2) },
        else_branch = no () => (float[2,8] e) { e = Sub (a, x) }
      >
      c = MatMul (b, w)
      d = Add (c, a)
      y = Add (d, w2)
    })",
                                 {{"w", {8, 8}}, {"w2", {2, 8}}});
  for (const bool keep_io : {true, false}) {
    const StepResult result = converted(model, {{"keep-io", keep_io ? "true" : "false"}});
    EXPECT_THAT(reason(result, "If"), HasSubstr("body"));
    EXPECT_EQ(result.model.graph.initializers.find("w2")->dtype(), DType::kFloat32);
    EXPECT_EQ(result.model.graph.initializers.find("w2_fp16")->dtype(), DType::kFloat16);
    for (const bool on : {true, false})
      EXPECT_LT(difference(model, result.model, {{"x", random_tensor({2, 8}, 1)}, {"on", Tensor::scalar<bool>(on)}}),
                4e-3);
  }
}

TEST(Convert, OneWeightForBothTypesIsStoredTwice) {  // D11
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[2,8] x) => (float[2,8] y) {
      [first] a = MatMul (x, w)
      [second] y = MatMul (a, w)
    })",
                                 {{"w", {8, 8}}});
  const StepResult result = converted(model, {{"exclude", "first"}, {"keep-io", "true"}});
  EXPECT_TRUE(result.model.graph.initializers.find("w")->same_as(*model.graph.initializers.find("w")));
  EXPECT_EQ(node_of(result.model, "second").input(1), "w_fp16");
  EXPECT_LT(difference(model, result.model, {{"x", random_tensor({2, 8}, 1)}}), 4e-3);
}

TEST(Convert, AnOutputThatIsAWeightOrAnInputIsLeft) {  // D11
  Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[2,8] x) => (float[2,8] y, float[8,8] w, float[2,8] x) {
      y = MatMul (x, w)
    })",
                           {{"w", {8, 8}}});
  const StepResult result = converted(model, kKeepIo);
  EXPECT_EQ(result.model.graph.initializers.find("w")->dtype(), DType::kFloat32);
  EXPECT_EQ(result.model.graph.initializers.find("w_fp16")->dtype(), DType::kFloat16);
  EXPECT_LT(difference(model, result.model, {{"x", random_tensor({2, 8}, 1)}}), 4e-3);
}

TEST(Convert, UnknownDomainsStayFloat32WithCastsAround) {
  Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
    net (float[1,3,8,8] x) => (float[1,4,8,8] y) {
      a = Conv (x, w1)
      b = com.microsoft.FusedConv <activation = "Relu"> (a, w2)
      y = Conv (b, w2)
    })",
                           {{"w1", {4, 3, 1, 1}}, {"w2", {4, 4, 1, 1}}});
  const StepResult result = converted(model, kKeepIo, {{"x", random_tensor({1, 3, 8, 8}, 1)}});
  EXPECT_THAT(reason(result, "FusedConv"), HasSubstr("does not define com.microsoft.FusedConv"));
  EXPECT_EQ(result.done.size(), 2U);
  EXPECT_LT(difference(model, result.model, {{"x", random_tensor({1, 3, 8, 8}, 1)}}), 4e-3);
}

TEST(Convert, QuantizedArithmeticIsLeft) {
  Model model = text_model(R"(<ir_version: 10, opset_import: ["" : 21]>
    net (float[1,3,8,8] x) => (float[1,4,8,8] y) {
      q = QuantizeLinear (x, scale, zero)
      d = DequantizeLinear (q, scale, zero)
      y = Conv (d, w)
    })",
                           {{"w", {4, 3, 1, 1}}});
  model.graph.initializers.set("scale", Tensor::of<float>({}, {0.01F}));
  model.graph.initializers.set("zero", Tensor::of<std::uint8_t>({}, {128}));
  const StepResult result = converted(model, kKeepIo);
  EXPECT_THAT(reason(result, "DequantizeLinear"), HasSubstr("quantized already"));
  EXPECT_EQ(type_of(result.model, "scale"), DType::kFloat32);
  EXPECT_LT(difference(model, result.model, {{"x", random_tensor({1, 3, 8, 8}, 1)}}), 4e-3);
}

TEST(Convert, ConstantNodesAndWeightsListedAsInputsAreConverted) {
  Model model = text_model(R"(<ir_version: 3, opset_import: ["" : 9]>
    net (float[2,8] x) => (float[2,8] y) {
      k = Constant <value = float[1] {0.5}> ()
      a = MatMul (x, w)
      y = Mul (a, k)
    })",
                           {{"w", {8, 8}}});
  model.weights_as_inputs.push_back({.name = "w",
                                     .dtype = DType::kFloat32,
                                     .shape = std::vector<Dim>{{8, "", ""}, {8, "", ""}},
                                     .doc = {},
                                     .opaque_type = {},
                                     .metadata = {}});
  const StepResult result = converted(model);
  EXPECT_EQ(result.model.weights_as_inputs[0].dtype, DType::kFloat16);
  EXPECT_EQ(std::get<Tensor>(node_of(result.model, "Constant").find_attribute("value")->value).dtype(),
            DType::kFloat16);
  EXPECT_LT(difference(model, result.model, {{"x", random_tensor({2, 8}, 1)}}), 4e-3);
}

}  // namespace
}  // namespace pare::testing
