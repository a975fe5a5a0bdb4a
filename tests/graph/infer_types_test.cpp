#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

Model net() {
  Model model = model_from_text(R"(
    <ir_version: 8, opset_import: ["" : 13, "com.acme" : 1]>
    g (float[N, 3, H, W] x) => (float[N, K] y) {
      c = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (x, w)
      p = GlobalAveragePool(c)
      v = Flatten(p)
      y = Gemm <transB = 1> (v, f)
    })");
  model.graph.initializers.set("w", Tensor::zeros(DType::kFloat32, {8, 3, 3, 3}));
  model.graph.initializers.set("f", Tensor::zeros(DType::kFloat32, {10, 8}));
  return model;
}

TEST(InferTypes, KeepsSymbolsWithoutSizes) {
  const ValueTypes types = infer_types(net());
  ASSERT_TRUE(types.at("c").shape.has_value());
  EXPECT_EQ((*types.at("c").shape)[0].symbol, "N");
  EXPECT_EQ((*types.at("c").shape)[1].value, 8);
  EXPECT_FALSE(types.at("c").static_shape().has_value());
  EXPECT_EQ(types.at("w").static_shape(), (Shape{8, 3, 3, 3}));
  EXPECT_EQ(types.at("c").dtype, DType::kFloat32);
}

TEST(InferTypes, FollowsGivenInputShapes) {
  const ValueTypes types = infer_types(net(), {{"x", {2, 3, 32, 30}}});
  EXPECT_EQ(types.at("x").static_shape(), (Shape{2, 3, 32, 30}));
  EXPECT_EQ(types.at("c").static_shape(), (Shape{2, 8, 16, 15}));
  EXPECT_EQ(types.at("v").static_shape(), (Shape{2, 8}));
  EXPECT_EQ(types.at("y").static_shape(), (Shape{2, 10}));  // not the declared [N, K]
}

TEST(InferTypes, SeesThroughShapeArithmetic) {
  Model model = model_from_text(R"(
    <ir_version: 8, opset_import: ["" : 13]>
    g (float[N, 4, 6] x) => (float[] y)
    <int64[1] zero = {0}, int64[1] minus = {-1}> {
      s = Shape(x)
      n = Gather <axis = 0> (s, zero)
      t = Concat <axis = 0> (n, minus)
      y = Reshape(x, t)
    })");
  const ValueTypes types = infer_types(model, {{"x", {5, 4, 6}}});
  EXPECT_EQ(types.at("y").static_shape(), (Shape{5, 24}));
}

TEST(InferTypes, DoesNotBelieveStaleDeclarations) {
  Model model = net();
  model.graph.value_info.push_back({.name = "c",
                                    .dtype = DType::kFloat32,
                                    .shape = std::vector<Dim>{{.value = 99, .symbol = {}, .denotation = {}}},
                                    .doc = {},
                                    .opaque_type = {},
                                    .metadata = {}});
  EXPECT_EQ(infer_types(model, {{"x", {1, 3, 8, 8}}}).at("c").static_shape(), (Shape{1, 8, 4, 4}));
}

TEST(InferTypes, StopsBehindUnknownOperatorsOnly) {
  Model model = model_from_text(R"(
    <ir_version: 8, opset_import: ["" : 13, "com.acme" : 1]>
    g (float[2, 3] x) => (float[] a, float[] b) {
      s = com.acme.Secret(x)
      a = Relu(s)
      b = Transpose(x)
    })");
  const ValueTypes types = infer_types(model);
  EXPECT_EQ(types.at("b").static_shape(), (Shape{3, 2}));
  EXPECT_FALSE(types.at("a").static_shape().has_value());
}

TEST(InferTypes, SurvivesContradictions) {
  Model model = model_from_text(R"(
    <ir_version: 8, opset_import: ["" : 13]>
    g (float[2, 3] x, float[4, 5] z) => (float[] y, float[] r) { y = MatMul(x, z)  r = Relu(x) })");
  EXPECT_EQ(infer_types(model).at("x").static_shape(), (Shape{2, 3}));
}

}  // namespace
}  // namespace pare::testing
