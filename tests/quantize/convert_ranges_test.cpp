// What float16 cannot hold, or not well enough: large and tiny numbers, long sums, positions.
#include <fmt/format.h>

#include "quantize/converted.h"
#include "support/support.h"

namespace pare::testing {
namespace {

using ::testing::HasSubstr;

TEST(Convert, WideIntegersStayFloat32UnlessSeenSmall) {  // D2, D14
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (int64[1,3,8,8] x) => (float[1,4,8,8] y) {
      f = Cast <to = 1> (x)
      s = Mul (f, scale)
      y = Conv <pads = [1,1,1,1]> (s, w1)
    })",
                                 {{"w1", {4, 3, 3, 3}}, {"scale", {1, 3, 1, 1}}});
  std::vector<std::int64_t> values(192, 100);
  const NamedTensors small = {{"x", Tensor::of<std::int64_t>({1, 3, 8, 8}, values)}};
  EXPECT_EQ(node_of(converted(model, {}, small).model, "Cast").int_or("to", 0), 10);
  values[5] = 4095;
  const NamedTensors large = {{"x", Tensor::of<std::int64_t>({1, 3, 8, 8}, values)}};
  const StepResult result = converted(model, {}, large);
  EXPECT_THAT(reason(result, "Cast"), HasSubstr("int64"));
  EXPECT_EQ(input_type(result.model, "Mul", 0), DType::kFloat32);
  EXPECT_EQ(input_type(result.model, "Conv", 0), DType::kFloat16);
  EXPECT_LT(difference(model, result.model, large), 4e-3);
}

TEST(Convert, MeansOverLargeOrUnknownAreasStayFloat32) {  // D5
  for (const char* shape : {"1,3,512,512", "1,3,H,W"})
    for (const char* mean : {"ReduceMean <axes = [2,3]>", "GlobalAveragePool", "ReduceL1 <axes = [-1,-2]>"}) {
      SCOPED_TRACE(fmt::format("{} of [{}]", mean, shape));
      const Model model = text_model(fmt::format(R"(<ir_version: 8, opset_import: ["" : 17]>
        net (float[{}] x) => (float[1,4,1,1] y) {{
          c = Conv (x, w1)
          m = {} (c)
          y = Conv (m, w2)
        }})",
                                                 shape, mean),
                                     {{"w1", {3, 3, 1, 1}}, {"w2", {4, 3, 1, 1}}});
      const NamedTensors inputs = {{"x", Tensor::of<float>({1, 3, 512, 512}, std::vector<float>(3 * 512 * 512, 0.5F))}};
      const StepResult result = converted(model, kKeepIo, inputs);
      EXPECT_THAT(reason(result, std::string(mean).substr(0, std::string(mean).find(' '))), HasSubstr("area"));
      EXPECT_LT(difference(model, result.model, inputs), 4e-3);
    }
}

TEST(Convert, SmallMeansBecomeFloat16UnlessTheirSumsGrow) {  // D5
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[1,3,8,8] x) => (float[1,4,1,1] y) {
      c = Conv (x, w1)
      m = GlobalAveragePool (c)
      y = Conv (m, w2)
    })",
                                 {{"w1", {3, 3, 1, 1}}, {"w2", {4, 3, 1, 1}}});
  const NamedTensors usual = {{"x", random_tensor({1, 3, 8, 8}, 1)}},
                     large = {{"x", random_tensor({1, 3, 8, 8}, 5000)}};
  EXPECT_TRUE(converted(model, {}, usual).skipped.empty());
  EXPECT_THAT(reason(converted(model, {}, large), "GlobalAveragePool"), HasSubstr("sums 64 elements"));
}

TEST(Convert, VariancesStayFloat32) {  // D6
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[1,4,8,8] x) => (float[1,4,8,8] y) {
      c = Conv (x, w)
      n = InstanceNormalization (c, one, zero)
      m = ReduceMean <axes = [1,2,3]> (n)
      d = Sub (n, m)
      q = Mul (d, d)
      v = ReduceMean <axes = [1,2,3]> (q)
      s = Sqrt (v)
      g = Div (d, s)
      y = Conv (g, w)
    })",
                                 {{"w", {4, 4, 1, 1}}, {"one", {4}}, {"zero", {4}}});
  const NamedTensors inputs = {{"x", random_tensor({1, 4, 8, 8}, 300)}};
  const StepResult result = converted(model, kKeepIo, inputs);
  EXPECT_THAT(reason(result, "InstanceNormalization"), HasSubstr("products"));
  EXPECT_THAT(reason(result, "Mul"), HasSubstr("squares"));
  EXPECT_EQ(type_of(result.model, "one"), DType::kFloat32);
  EXPECT_LT(difference(model, result.model, inputs), 1e-2);
}

TEST(Convert, ValuesSeenBeyondHalfTheRangeStayFloat32) {  // D7
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[1,3,8,8] x) => (float[1,4,8,8] y) {
      [big] c = Conv (x, w1)
      [relu] r = Relu (c)
      [scale] s = Mul (r, small)
      [last] y = Conv (s, w2)
    })",
                                 {{"w1", {4, 3, 1, 1}}, {"small", {1, 4, 1, 1}}, {"w2", {4, 4, 1, 1}}});
  Model scaled = model;
  scaled.graph.initializers.set("w1", random_tensor({4, 3, 1, 1}, 100));
  scaled.graph.initializers.set("small", random_tensor({1, 4, 1, 1}, 1e-3));
  const NamedTensors inputs = {{"x", random_tensor({1, 3, 8, 8}, 1000)}};
  const StepResult result = converted(scaled, kKeepIo, inputs);
  EXPECT_THAT(reason(result, "Conv"), HasSubstr("'c' reaches"));
  EXPECT_THAT(reason(result, "Relu"), HasSubstr("'c' reaches"));
  EXPECT_EQ(result.model.graph.initializers.find("w2")->dtype(), DType::kFloat16);
  EXPECT_LT(difference(scaled, result.model, inputs), 4e-3);
  // The same network on small inputs has nothing to fear.
  EXPECT_TRUE(converted(scaled, kKeepIo, {{"x", random_tensor({1, 3, 8, 8}, 1)}}).skipped.empty());
}

TEST(Convert, InputsBeyondTheRangeStayFloat32WithoutKeepIo) {  // D7
  const NamedTensors inputs = {{"x", random_tensor({1, 3, 8, 8}, 60000)}};
  const StepResult result = converted(text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[1,3,8,8] x) => (float[1,3,8,8] y, float[1,4,8,8] z) {
      n = Mul (x, small)
      y = Conv (n, w1)
      z = Conv (n, w2)
    })",
                                                 {{"small", {1}}, {"w1", {3, 3, 1, 1}}, {"w2", {4, 3, 1, 1}}}),
                                      {}, inputs);
  EXPECT_EQ(result.model.graph.inputs[0].dtype, DType::kFloat32);
}

TEST(Convert, TinyConstantsKeepTheirNodeInFloat32) {  // D9
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[2,8] x) => (float[2,8] y) {
      a = MatMul (x, w)
      s = ReduceSum <keepdims = 1> (a, axis)
      e = Add (s, epsilon)
      d = Div (a, e)
      y = MatMul (d, w)
    }
  )",
                                 {{"w", {8, 8}}});
  Model with = model;
  with.graph.initializers.set("axis", Tensor::of<std::int64_t>({1}, {1}));
  with.graph.initializers.set("epsilon", Tensor::of<float>({1}, {1e-12F}));
  const NamedTensors zero = {{"x", Tensor::of<float>({2, 8}, std::vector<float>(16, 0.0F))}};
  const StepResult result = converted(with, kKeepIo, zero);
  EXPECT_THAT(reason(result, "Add"), HasSubstr("'epsilon' holds 1e-12"));
  EXPECT_LT(difference(with, result.model, zero), 1e-6);
}

TEST(Convert, TinySumsAreNotHandedToADivisionInFloat16) {  // D9
  // The sum itself is 1e-12 on this data; a Cast to float16 before the division would make it 0.
  Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[2,8] x) => (float[2,8] y) {
      e = Add (x, epsilon)
      d = Div (x, e)
      y = MatMul (d, w)
    })",
                           {{"w", {8, 8}}});
  model.graph.initializers.set("epsilon", Tensor::of<float>({1}, {1e-12F}));
  const StepResult result =
      converted(model, kKeepIo, {{"x", Tensor::of<float>({2, 8}, std::vector<float>(16, 0.25F))}});
  EXPECT_LT(difference(model, result.model, {{"x", Tensor::of<float>({2, 8}, std::vector<float>(16, 0.0F))}}), 1e-6);
}

TEST(Convert, WhatLeadsFromATinyConstantToADivisionStaysFloat32) {  // D9
  // The usual export of "divide by the norm": norm -> Clip(1e-12) -> Expand -> Div.
  Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[2,8] x) => (float[2,8] y) {
      a = MatMul (x, w)
      n = ReduceMax <axes = [1]> (a)
      c = Clip (n, epsilon)
      e = Expand (c, shape)
      d = Div (a, e)
      y = MatMul (d, w)
    })",
                           {{"w", {8, 8}}});
  model.graph.initializers.set("epsilon", Tensor::of<float>({}, {1e-12F}));
  model.graph.initializers.set("shape", Tensor::of<std::int64_t>({2}, {2, 8}));
  const NamedTensors usual = {{"x", random_tensor({2, 8}, 1)}};
  const StepResult result = converted(model, kKeepIo, usual);
  for (const char* op : {"Clip", "Expand", "Div"}) EXPECT_NE(reason(result, op), "(none)") << op;
  EXPECT_EQ(result.model.graph.initializers.find("w")->dtype(), DType::kFloat16);
  const NamedTensors zero = {{"x", Tensor::of<float>({2, 8}, std::vector<float>(16, 0.0F))}};
  EXPECT_LT(difference(model, result.model, zero), 1e-6);
}

TEST(Convert, TinyBiasesAreRoundedAway) {
  Model model = two_convs();
  model.graph.initializers.set("b1", Tensor::of<float>({8}, std::vector<float>(8, 1e-6F)));
  EXPECT_TRUE(converted(model).skipped.empty());
}

TEST(Convert, SigmoidBeforeAFloat32OutputStaysFloat32) {
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[1,3,8,8] x) => (float[1,4,8,8] y, float[1,8,8,4] z) {
      a = Conv (x, w)
      g = Sigmoid (a)
      b = Mul (a, g)
      y = Sigmoid (b)
      s = Sigmoid (a)
      z = Transpose <perm = [0,2,3,1]> (s)
    })",
                                 {{"w", {4, 3, 1, 1}}});
  EXPECT_EQ(converted(model, kKeepIo).figures.at("nodes_float32"), 3);  // y, s and the Transpose behind it
  EXPECT_EQ(converted(model).figures.at("nodes_float32"), 0);
}

TEST(Convert, ClipWithATinyLowerBoundStaysFloat32) {  // D9, attribute form
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 10]>
    net (float[2,8] x) => (float[2,8] y) {
      a = MatMul (x, w)
      c = Clip <min = 1e-12, max = 6.0> (a)
      d = Div (a, c)
      y = MatMul (d, w)
    })",
                                 {{"w", {8, 8}}});
  EXPECT_THAT(reason(converted(model, kKeepIo), "Clip"), HasSubstr("attribute 'min'"));
}

TEST(Convert, LargeConstantsKeepTheirNodeInFloat32) {  // D10
  Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[1,3,8,8] x) => (float[1,4,8,8] y) {
      n = Div (x, full)
      y = Conv (n, w)
    })",
                           {{"w", {4, 3, 1, 1}}});
  model.graph.initializers.set("full", Tensor::of<float>({1}, {65535}));
  const NamedTensors inputs = {{"x", Tensor::of<float>({1, 3, 8, 8}, std::vector<float>(192, 65535.0F))}};
  for (const bool keep_io : {true, false}) {
    const StepResult result = converted(model, {{"keep-io", keep_io ? "true" : "false"}}, inputs);
    EXPECT_THAT(reason(result, "Div"), HasSubstr("65535"));
    EXPECT_EQ(result.model.graph.initializers.find("full")->dtype(), DType::kFloat32);
    EXPECT_EQ(result.model.graph.inputs[0].dtype, DType::kFloat32);
    EXPECT_LT(difference(model, result.model, inputs), 4e-3);
  }
}

TEST(Convert, SentinelsAreComparedInFloat32) {  // D10
  Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[1,3,8,8] x) => (float[1,4,8,8] y) {
      m = Equal (x, nodata)
      c = Where (m, zero, x)
      y = Conv (c, w)
    })",
                           {{"w", {4, 3, 1, 1}}});
  model.graph.initializers.set("nodata", Tensor::of<float>({}, {-9999}));
  model.graph.initializers.set("zero", Tensor::of<float>({}, {0}));
  std::vector<float> pixels(192, 0.5F);
  pixels[3] = -9999;
  const NamedTensors inputs = {{"x", Tensor::of<float>({1, 3, 8, 8}, pixels)}};
  for (const bool keep_io : {true, false}) {
    const StepResult result = converted(model, {{"keep-io", keep_io ? "true" : "false"}}, inputs);
    EXPECT_THAT(reason(result, "Equal"), HasSubstr("whole numbers"));
    EXPECT_EQ(input_type(result.model, "Equal", 0), DType::kFloat32);
    EXPECT_EQ(result.model.graph.inputs[0].dtype, DType::kFloat32);
    EXPECT_EQ(result.model.graph.outputs[0].dtype, keep_io ? DType::kFloat32 : DType::kFloat16);
    EXPECT_LT(difference(model, result.model, inputs), 4e-3);
  }
}

TEST(Convert, CoordinatesStayFloat32UntilAWeightedSum) {  // D14
  Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[1,4096] x) => (float[1,4096] boxes, float[1,8] y) {
      h = Sigmoid (x)
      p = Add (h, ramp)
      boxes = Mul (p, stride)
      y = MatMul (h, w)
    })",
                           {{"w", {4096, 8}}});
  std::vector<float> ramp(4096);
  for (std::size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<float>(i);
  model.graph.initializers.set("ramp", Tensor::of<float>({4096}, ramp));
  model.graph.initializers.set("stride", Tensor::of<float>({1}, {2}));
  const NamedTensors inputs = {{"x", random_tensor({1, 4096}, 1)}};
  const StepResult result = converted(model, {}, inputs);
  EXPECT_THAT(reason(result, "Add"), HasSubstr("'ramp'"));
  EXPECT_THAT(reason(result, "Mul"), HasSubstr("positions"));
  EXPECT_EQ(result.model.graph.outputs[0].dtype, DType::kFloat32);
  EXPECT_EQ(result.model.graph.outputs[1].dtype, DType::kFloat16);
  EXPECT_EQ(result.model.graph.initializers.find("ramp")->dtype(), DType::kFloat32);
  EXPECT_LT(difference(model, result.model, inputs), 4e-3);
}

TEST(Convert, SizesComputedInFloatsStayFloat32) {  // D14
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[1,3,H,W] x) => (float[1,4,h,w] y) {
      s = Shape (x)
      f = Cast <to = 1> (s)
      g = Mul (f, factor)
      i = Floor (g)
      sizes = Cast <to = 7> (i)
      c = Conv <pads = [1,1,1,1]> (x, w1)
      y = Resize <mode = "nearest"> (c, , , sizes)
    })",
                                 {{"w1", {4, 3, 3, 3}}});
  Model with = model;
  with.graph.initializers.set("factor", Tensor::of<float>({4}, {1, 4.0F / 3, 2, 2}));
  const NamedTensors inputs = {{"x", random_tensor({1, 3, 31, 33}, 1)}};
  const StepResult result = converted(with, {}, inputs);
  EXPECT_EQ(input_type(result.model, "Mul", 0), DType::kFloat32);
  EXPECT_LT(difference(with, result.model, inputs), 4e-3);
}

TEST(Convert, BatchNormalizationIsConvertedUnlessItsVarianceLosesDigits) {
  Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 15]>
    net (float[1,3,8,8] x) => (float[1,4,8,8] y) {
      c = Conv (x, w)
      y = BatchNormalization (c, s, b, m, v)
    })",
                           {{"w", {4, 3, 1, 1}}, {"s", {4}}, {"b", {4}}, {"m", {4}}});
  model.graph.initializers.set("v", Tensor::of<float>({4}, {0.5F, 1, 2, 3e-9F}));
  const NamedTensors inputs = {{"x", random_tensor({1, 3, 8, 8}, 1)}};
  const StepResult usual = converted(model, {}, inputs);
  EXPECT_TRUE(usual.skipped.empty());
  EXPECT_LT(difference(model, usual.model, inputs), 1e-2);
  for (Node& node : model.graph.nodes)
    if (node.is("BatchNormalization")) node.set_attribute("epsilon", 1e-9F);
  EXPECT_THAT(reason(converted(model, {}, inputs), "BatchNormalization"), HasSubstr("loses digits"));
}

}  // namespace
}  // namespace pare::testing
