#include "ops/macs.h"

#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

/// MACs of the one node of a graph, with shapes by name.
std::optional<std::int64_t> macs(const std::string& node, const std::map<std::string, Shape>& shapes) {
  const Model model = model_from_text(
      "<ir_version: 8, opset_import: [\"\" : 17, \"com.microsoft\" : 1]> g (float[] x, float[] w, float[] r, float[] "
      "s) "
      "=> (float[] y) { " +
      node + " }");
  return node_macs(model.graph.nodes[0], [&](std::string_view name) -> std::optional<Shape> {
    const auto found = shapes.find(std::string(name));
    return found == shapes.end() ? std::nullopt : std::optional(found->second);
  });
}

TEST(NodeMacs, CountsConvolutions) {
  EXPECT_EQ(macs("y = Conv(x, w)", {{"x", {2, 3, 8, 8}}, {"w", {16, 3, 3, 3}}, {"y", {2, 16, 6, 6}}}),
            2 * 16 * 36 * 27);
  EXPECT_EQ(macs("y = Conv <group = 8> (x, w)", {{"w", {8, 1, 3, 3}}, {"y", {1, 8, 4, 4}}}), 8 * 16 * 9);
  EXPECT_EQ(macs("y = Conv <group = 2> (x, w)", {{"w", {6, 4, 5}}, {"y", {1, 6, 10}}}), 60 * 4 * 5);
  EXPECT_EQ(macs("y = com.microsoft.FusedConv(x, w)", {{"w", {4, 3, 1, 1}}, {"y", {1, 4, 2, 2}}}), 16 * 3);
  EXPECT_EQ(macs("y = ConvInteger(x, w)", {{"w", {4, 3, 1, 1}}, {"y", {1, 4, 2, 2}}}), 16 * 3);
  EXPECT_EQ(macs("y = QLinearConv(x, s, s, w, s, s, s, s)", {{"w", {4, 3, 1, 1}}, {"y", {1, 4, 2, 2}}}), 16 * 3);
}

TEST(NodeMacs, CountsTransposedConvolutionsByTheirInput) {
  EXPECT_EQ(macs("y = ConvTranspose <strides = [2, 2]> (x, w)",
                 {{"x", {1, 8, 5, 5}}, {"w", {8, 4, 2, 2}}, {"y", {1, 4, 10, 10}}}),
            200 * 4 * 4);
  EXPECT_EQ(macs("y = ConvTranspose <group = 4> (x, w)", {{"x", {1, 8, 5, 5}}, {"w", {8, 3, 2, 2}}}), 200 * 3 * 4);
}

TEST(NodeMacs, CountsMatrixProducts) {
  EXPECT_EQ(macs("y = Gemm(x, w)", {{"x", {2, 10}}, {"w", {10, 7}}}), 140);
  EXPECT_EQ(macs("y = Gemm <transB = 1> (x, w)", {{"x", {2, 10}}, {"w", {7, 10}}}), 140);
  EXPECT_EQ(macs("y = Gemm <transA = 1> (x, w)", {{"x", {10, 2}}, {"w", {10, 7}}}), 140);
  EXPECT_EQ(macs("y = MatMul(x, w)", {{"x", {4, 2, 10}}, {"w", {10, 7}}, {"y", {4, 2, 7}}}), 560);
  EXPECT_EQ(macs("y = MatMul(x, w)", {{"x", {10}}, {"w", {10, 7}}, {"y", {7}}}), 70);
  EXPECT_EQ(macs("y = MatMulInteger(x, w)", {{"x", {2, 10}}, {"w", {10, 7}}, {"y", {2, 7}}}), 140);
  EXPECT_EQ(macs("y = QLinearMatMul(x, s, s, w, s, s, s, s)", {{"x", {2, 10}}, {"w", {10, 7}}, {"y", {2, 7}}}), 140);
  EXPECT_EQ(macs("y = com.microsoft.FusedMatMul <transA = 1> (x, w)", {{"x", {10, 2}}, {"w", {10, 7}}, {"y", {2, 7}}}),
            140);
  EXPECT_EQ(macs("y = Einsum <equation = \"bij, jk -> bik\"> (x, w)", {{"x", {4, 2, 10}}, {"w", {10, 7}}}), 560);
}

TEST(NodeMacs, CountsRecurrentLayers) {
  // 5 steps, batch 2, 2 directions, 3 inputs, 4 units: LSTM has four gates, GRU three.
  const std::map<std::string, Shape> lstm = {{"x", {5, 2, 3}}, {"w", {2, 16, 3}}, {"r", {2, 16, 4}}};
  EXPECT_EQ(macs("y = LSTM <hidden_size = 4> (x, w, r)", lstm), 5 * 2 * 2 * 16 * (3 + 4));
  const std::map<std::string, Shape> gru = {{"x", {5, 2, 3}}, {"w", {1, 12, 3}}, {"r", {1, 12, 4}}};
  EXPECT_EQ(macs("y = GRU <hidden_size = 4> (x, w, r)", gru), 5 * 2 * 12 * 7);
}

TEST(NodeMacs, CountsNothingElse) {
  EXPECT_EQ(macs("y = Relu(x)", {}), 0);
  EXPECT_EQ(macs("y = BatchNormalization(x, w, w, w, w)", {}), 0);
  EXPECT_EQ(macs("y = com.microsoft.Conv(x, w)", {}), 0);  // another domain's operator
}

TEST(NodeMacs, SaysWhenShapesAreMissing) {
  EXPECT_EQ(macs("y = Conv(x, w)", {{"w", {4, 3, 1, 1}}}), std::nullopt);
  EXPECT_EQ(macs("y = Gemm(x, w)", {{"x", {1, 2}}}), std::nullopt);
  EXPECT_EQ(macs("y = Einsum <equation = \"...ij,jk->...ik\"> (x, w)", {{"x", {4, 2, 10}}, {"w", {10, 7}}}),
            std::nullopt);
}

TEST(ProductInputs, FindTheWeight) {
  Node node;
  node.op_type = "QLinearConv";
  EXPECT_EQ(product_inputs(node)->weight, 3U);
  node.op_type = "Gemm";
  EXPECT_EQ(product_inputs(node)->weight, 1U);
  node.op_type = "LSTM";
  EXPECT_FALSE(product_inputs(node).has_value());
  EXPECT_TRUE(has_macs(node));
  node.op_type = "Relu";
  EXPECT_FALSE(product_inputs(node).has_value());
}

}  // namespace
}  // namespace pare::testing
