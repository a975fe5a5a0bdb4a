#include "ops/opportunities.h"

#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// What `technique` says of the named node: "+ note" if it can act, "- note" if it cannot, "" if it has nothing to say.
std::string verdict(const Model& model, const std::string& technique, const std::string& node) {
  const Inspection seen = inspect_model(model);
  for (const Opportunity& found : seen.opportunities) {
    if (found.technique != technique) continue;
    for (const NodeNote& note : found.can)
      if (model.graph.nodes[static_cast<std::size_t>(note.node)].name == node) return "+ " + note.note;
    for (const NodeNote& note : found.cannot)
      if (model.graph.nodes[static_cast<std::size_t>(note.node)].name == node) return "- " + note.note;
  }
  return {};
}

/// x: float[1, 8, 6, 6]; weights of any shape are zeros, "name" -> shape.
Model net(const std::string& body, const std::map<std::string, Shape>& weights, int opset = 13) {
  Model model = model_from_text("<ir_version: 8, opset_import: [\"\" : " + std::to_string(opset) +
                                "]> g (float[1, 8, 6, 6] x, float[1, 8] m) => (float[] y) { " + body + " }");
  for (const auto& [name, shape] : weights) model.graph.initializers.set(name, Tensor::zeros(DType::kFloat32, shape));
  return model;
}

TEST(Opportunities, FoldBatchnormIntoWhatStandsBeside) {
  const std::map<std::string, Shape> weights = {{"w", {8, 8, 3, 3}}, {"b", {8}}};
  EXPECT_EQ(
      verdict(net("[c] c = Conv(x, w) [n] y = BatchNormalization(c, b, b, b, b)", weights), "fold_batchnorm", "n"),
      "+ into Conv 'c'");
  EXPECT_EQ(
      verdict(net("[n] n = BatchNormalization(x, b, b, b, b) [c] y = Conv(n, w)", weights), "fold_batchnorm", "n"),
      "+ into Conv 'c'");
  EXPECT_THAT(
      verdict(net("[n] n = BatchNormalization(x, b, b, b, b) [c] y = Conv <pads = [1, 1, 1, 1]> (n, w)", weights),
              "fold_batchnorm", "n"),
      HasSubstr("pads with zeros"));
  EXPECT_THAT(verdict(net("[c] c = Conv(x, w) [n] n = BatchNormalization(c, b, b, b, b) y = Add(c, n)", weights),
                      "fold_batchnorm", "n"),
              HasSubstr("- others read the output of Conv 'c' too"));
  EXPECT_THAT(verdict(net("r = Relu(x) [n] y = BatchNormalization(r, b, b, b, b)", weights), "fold_batchnorm", "n"),
              HasSubstr("- neither"));
}

TEST(Opportunities, Int8NeedsStoredFloatWeights) {
  const std::map<std::string, Shape> weights = {{"w", {8, 8, 3, 3}}, {"f", {8, 4}}};
  EXPECT_EQ(verdict(net("[c] y = Conv(x, w)", weights), "int8", "c"), "+ ");
  EXPECT_EQ(verdict(net("[g] y = Gemm(m, f)", weights), "int8", "g"), "+ ");
  EXPECT_THAT(verdict(net("[t] y = ConvTranspose(x, w)", weights), "int8", "t"),
              HasSubstr("- ONNX Runtime has no int8"));
  EXPECT_THAT(verdict(net("[p] y = MatMul(x, x)", {}), "int8", "p"), HasSubstr("- it multiplies two values"));
  EXPECT_EQ(verdict(net("[r] y = Relu(x)", {}), "int8", "r"), "");
  Model quantized = net("w = DequantizeLinear(q, s) [c] y = Conv(x, w)", {{"s", {}}});
  quantized.graph.initializers.set("q", Tensor::zeros(DType::kInt8, {8, 8, 3, 3}));
  EXPECT_EQ(verdict(quantized, "int8", "c"), "- it is quantized already");
  Model half = net("[c] y = Conv(x, w)", {});
  half.graph.initializers.set("w", Tensor::zeros(DType::kFloat16, {8, 8, 3, 3}));
  EXPECT_EQ(verdict(half, "int8", "c"), "- its weights are float16");
}

TEST(Opportunities, DynamicInt8TakesMatrices) {
  const std::map<std::string, Shape> weights = {{"w", {8, 8, 3, 3}}, {"f", {8, 4}}, {"t", {2, 8, 4}}};
  EXPECT_EQ(verdict(net("[g] y = Gemm(m, f)", weights), "int8 dynamic", "g"), "+ ");
  EXPECT_EQ(verdict(net("[p] y = MatMul(m, f)", weights), "int8 dynamic", "p"), "+ ");
  EXPECT_THAT(verdict(net("[g] y = Gemm <alpha = 0.5> (m, f)", weights), "int8 dynamic", "g"), HasSubstr("- transA"));
  EXPECT_THAT(verdict(net("[p] y = MatMul(m, t)", weights), "int8 dynamic", "p"),
              HasSubstr("- its weight is no matrix"));
  EXPECT_THAT(verdict(net("[c] y = Conv(x, w)", weights), "int8 dynamic", "c"),
              HasSubstr("- dynamic int8 convolutions"));
}

TEST(Opportunities, Fp16LeavesScalesOfResizeAlone) {
  EXPECT_EQ(verdict(net("[c] y = Conv(x, w)", {{"w", {8, 8, 3, 3}}}), "fp16", "c"), "+ ");
  EXPECT_THAT(verdict(net("[u] y = Resize(x, , s)", {{"s", {4}}}), "fp16", "u"), HasSubstr("- its scales"));
  EXPECT_EQ(verdict(net("[r] y = Relu(x)", {}), "fp16", "r"), "");
}

TEST(Opportunities, PruningStopsAtOutputsAndAtWhatIsNotFollowed) {
  const std::map<std::string, Shape> weights = {{"w", {8, 8, 3, 3}}, {"one", {1, 8, 1, 1}}, {"d", {8, 1, 1, 1}},
                                                {"h", {8, 4, 1, 1}}, {"f", {128, 2}},       {"s", {8}}};
  EXPECT_EQ(verdict(net("[a] a = Conv(x, w) r = Relu(a) [b] y = Conv(r, w)", weights), "prune", "a"), "+ 8 channels");
  EXPECT_EQ(verdict(net("[a] a = Conv(x, w) r = Relu(a) [b] y = Conv(r, w)", weights), "prune", "b"),
            "- its channels are those of the output 'y'");
  EXPECT_THAT(verdict(net("[a] a = Conv(x, w) y = Sigmoid(a)", weights), "prune", "a"), HasSubstr("output 'y'"));
  EXPECT_EQ(verdict(net("[a] a = Conv(x, w) k = Conv <group = 8> (a, d) y = Conv(k, w)", weights), "prune", "a"),
            "+ 8 channels");
  EXPECT_THAT(verdict(net("[a] y = Conv <group = 8> (x, d)", weights), "prune", "a"), HasSubstr("- depthwise"));
  EXPECT_THAT(verdict(net("[a] y = Conv <group = 2> (x, h)", weights), "prune", "a"),
              HasSubstr("- its channels are tied"));
  EXPECT_EQ(verdict(net("[a] a = Conv(x, one) y = Conv(a, w)", weights), "prune", "a"), "- it has one output channel");
  EXPECT_EQ(verdict(net("[a] a = Conv(x, w) r = Flatten(a) y = Gemm(r, f)", weights), "prune", "a"), "+ 8 channels");
  EXPECT_THAT(verdict(net("[a] a = Conv(x, w) [t] t = Transpose(a) y = Relu(t)", weights), "prune", "a"),
              HasSubstr("- it reaches Transpose 't'"));
  EXPECT_THAT(verdict(net("[a] a = Conv(x, w) p = GlobalAveragePool(a) [k] y = Conv(x, p)", weights), "prune", "a"),
              HasSubstr("- Conv 'k' multiplies it"));
}

TEST(Opportunities, LowRankNeedsSomethingToSave) {
  const std::map<std::string, Shape> weights = {{"w", {64, 8, 3, 3}}, {"p", {64, 8, 1, 1}},  {"d", {8, 1, 3, 3}},
                                                {"small", {8, 4}},    {"large", {8, 16384}}, {"rgb", {64, 3, 3, 3}}};
  EXPECT_EQ(verdict(net("[c] y = Conv(x, w)", weights), "low rank", "c"), "+ 64 x 8 x 9: smaller below rank 21");
  EXPECT_THAT(verdict(net("[c] y = Conv(x, p)", weights), "low rank", "c"), HasSubstr("- a 1 x 1 kernel"));
  EXPECT_THAT(verdict(net("[c] y = Conv <group = 8> (x, d)", weights), "low rank", "c"), HasSubstr("- grouped"));
  EXPECT_THAT(verdict(net("[c] y = Conv(x, rgb)", weights), "low rank", "c"), HasSubstr("- 3 input channels"));
  EXPECT_THAT(verdict(net("[g] y = Gemm(m, small)", weights), "low rank", "g"), HasSubstr("- 8 x 4 is too small"));
  EXPECT_EQ(verdict(net("[g] y = Gemm(m, large)", weights), "low rank", "g"), "+ 8 x 16384: smaller below rank 7");
}

TEST(Opportunities, SkipNodesThatNeverSeeData) {
  const Model model = net("[k] k = MatMul(a, b) y = Add(x, k)", {{"a", {6, 2}}, {"b", {2, 6}}});
  EXPECT_EQ(verdict(model, "int8", "k"), "");
}

TEST(Opportunities, AreSummedUp) {
  const Inspection seen = inspect_model(net("[a] a = Conv(x, w) [b] y = ConvTranspose(a, w)", {{"w", {8, 8, 1, 1}}}));
  for (const Opportunity& found : seen.opportunities) {
    if (found.technique == "int8") {
      EXPECT_EQ(found.summary, "1 of 2 nodes, 50.0 % of the MACs");
    }
    if (found.technique == "fold_batchnorm") {
      EXPECT_EQ(found.summary, "nothing to do here");
    }
  }
}

}  // namespace
}  // namespace pare::testing
