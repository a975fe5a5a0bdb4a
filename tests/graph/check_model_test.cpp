#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

/// A model around `body`, with inputs x: float[1, 6, 8, 8] and m: float[2, 6], and one output y of unknown shape.
Model around(const std::string& body, const std::string& weights = "", int opset = 13) {
  return model_from_text("<ir_version: 8, opset_import: [\"\" : " + std::to_string(opset) +
                         ", \"com.acme\" : 1]> g (float[1, 6, 8, 8] x, float[2, 6] m) => (float[] y) " +
                         (weights.empty() ? "" : "<" + weights + ">") + " { " + body + " }");
}
/// A float weight of that shape, in the text form: zeros.
std::string weight(const std::string& name, const Shape& shape) {
  std::string text = "float" + shape_text(shape) + " " + name + " = {";
  for (std::int64_t i = 0; i < element_count(shape); ++i) text += i ? ", 0" : "0";
  return text + "}";
}
void refuse(const Model& model, std::initializer_list<const char*> parts) {
  expect_error([&] { check_model(model); }, ErrorCode::kMalformedModel, parts);
}

TEST(CheckModel, TakesWhatIsRight) {
  check_model(around("y = Relu(x)"));
  check_model(around("y = Conv <strides = [2, 2], pads = [1, 1, 1, 1], group = 2> (x, w, b)",
                     weight("w", {4, 3, 3, 3}) + ", " + weight("b", {4})));
  check_model(around("y = ConvTranspose <group = 2> (x, w, b)", weight("w", {6, 2, 2, 2}) + ", " + weight("b", {4})));
  check_model(around("y = Gemm <transB = 1> (m, w, b)", weight("w", {5, 6}) + ", " + weight("b", {1, 5})));
  check_model(around("y = Gemm (m, w, b)", weight("w", {6, 5}) + ", " + weight("b", {1})));
  check_model(around("y = com.acme.Secret (x)"));
}

TEST(CheckModel, RefusesStridesOfTheWrongLength) {
  // onnx/onnx issue 4705: the checker gives up on such a node, and wrong channels behind it go unseen.
  refuse(around("[c1] y = Conv <strides = [1]> (x, w)", weight("w", {4, 6, 3, 3})), {"c1", "strides"});
  refuse(around("[c1] y = Conv <dilations = [1, 1, 1]> (x, w)", weight("w", {4, 6, 3, 3})), {"c1", "dilations"});
  refuse(around("[c1] y = Conv <pads = [1, 1]> (x, w)", weight("w", {4, 6, 3, 3})), {"c1", "pads"});
}

TEST(CheckModel, RefusesUnevenSplit) {
  // onnx/onnx issue 3642.
  refuse(around("[s] y, z = Split <axis = 1> (x, sizes)", "int64[2] sizes = {2, 3}"), {"'s'", "split dimension", "6"});
  refuse(around("sizes = Constant <value = int64[2] {2, 3}> () [s] y, z = Split <axis = 1> (x, sizes)"), {"'s'"});
  refuse(around("[s] y, z = Split <axis = -3, split = [2, 3]> (x)", "", 11), {"'s'"});
  refuse(around("[s] y, z = Split <axis = 1> (x, sizes)", "int64[3] sizes = {2, 2, 2}"), {"'s'"});
}

TEST(CheckModel, RefusesConvolutionsThatDoNotFitTheirInput) {
  refuse(around("[c1] y = Conv (x, w)", weight("w", {4, 5, 3, 3})), {"c1", "input channels / group", "is 5", "be 6"});
  refuse(around("[c1] y = Conv <group = 3> (x, w)", weight("w", {4, 2, 3, 3})),
         {"c1", "4 output channels", "3 groups"});
  refuse(around("[c1] y = Conv <group = 4> (x, w)", weight("w", {4, 1, 3, 3})), {"c1", "6 input channels", "4 groups"});
  refuse(around("[c1] y = Conv (x, w, b)", weight("w", {4, 6, 3, 3}) + ", " + weight("b", {5})),
         {"c1", "bias is 5", "be 4"});
  refuse(around("[c1] y = Conv <kernel_shape = [1, 1]> (x, w)", weight("w", {4, 6, 3, 3})), {"c1", "kernel_shape"});
  refuse(around("[c1] y = Conv (x, w)", weight("w", {4, 6, 3})), {"c1"});
  refuse(around("[t1] y = ConvTranspose (x, w)", weight("w", {5, 4, 2, 2})), {"t1", "input channels", "is 5"});
  refuse(around("[t1] y = ConvTranspose <group = 2> (x, w, b)", weight("w", {6, 2, 2, 2}) + ", " + weight("b", {2})),
         {"t1", "bias is 2", "be 4"});
}

TEST(CheckModel, RefusesMatricesThatDoNotFit) {
  refuse(around("[g1] y = Gemm (m, w)", weight("w", {5, 6})), {"g1", "inner dimension", "is 5", "be 6"});
  refuse(around("[g1] y = Gemm <transA = 1> (m, w)", weight("w", {6, 5})), {"g1", "inner dimension"});
  refuse(around("[g1] y = Gemm (m, w, b)", weight("w", {6, 5}) + ", " + weight("b", {4})), {"g1", "bias is 4", "be 5"});
  refuse(around("[m1] y = MatMul (m, w)", weight("w", {5, 6})), {"m1"});
}

TEST(CheckModel, RefusesBatchNormalizationOfTheWrongLength) {
  const std::string vectors = weight("s", {6}) + ", " + weight("b", {6}) + ", " + weight("u", {6});
  check_model(around("y = BatchNormalization (x, s, b, u, v)", vectors + ", " + weight("v", {6})));
  refuse(around("[n] y = BatchNormalization (x, s, b, u, v)", vectors + ", " + weight("v", {5})),
         {"'n'", "is 5", "be 6"});
}

TEST(CheckModel, NamesDanglingInputsAndDoubleNames) {
  Model model = around("[first] a = Relu(x)  [second] y = Neg(a)");
  Model dangling = model;
  dangling.graph.nodes[1].inputs[0] = "aa";
  refuse(dangling, {"Neg 'second'", "'aa' is made by no node", "nearest: 'a'"});
  Model twice = model;
  twice.graph.nodes[1].outputs[0] = "a";
  refuse(twice, {"Neg 'second'", "'a' is defined twice"});
  Model lost = model;
  lost.graph.outputs[0].name = "yy";
  refuse(lost, {"graph output 'yy'", "nearest: 'y'"});
  Model unsorted = model;
  std::swap(unsorted.graph.nodes[0], unsorted.graph.nodes[1]);
  refuse(unsorted, {"Neg 'second'", "'a'"});
  Model clash = model;
  clash.graph.initializers.set("x", Tensor::scalar(1.0F));
  refuse(clash, {"'x' is defined twice"});
}

TEST(CheckModel, LooksIntoSubgraphs) {
  Model model = model_from_text(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[N] x, bool cond) => (float[N] y) {
      y = If(cond) < then_branch = t () => (float[N] p) { p = Relu(x) }, else_branch = e () => (float[N] q) { q = Neg(x) } >
    })");
  check_model(model);
  auto branch =
      std::make_shared<Graph>(*std::get<std::shared_ptr<const Graph>>(model.graph.nodes[0].attributes[0].value));
  branch->nodes[0].inputs[0] = "nowhere";
  model.graph.nodes[0].attributes[0].value = std::shared_ptr<const Graph>(branch);
  refuse(model, {"Relu", "'nowhere'"});
}

TEST(CheckModel, KnowsWhichOperatorsAnOpsetHas) {
  check_model(around("y = HardSwish(x)", "", 14));
  refuse(around("y = HardSwish(x)", "", 13), {"HardSwish"});
  refuse(around("y = NoSuchThing(x)"), {"NoSuchThing"});
  refuse(around("y = Relu <slope = 0.5> (x)"), {"slope"});
}

TEST(CheckModel, RefusesVersionsThatItCannotKnow) {
  Model model = around("y = Relu(x)");
  model.ir_version = 99;
  expect_error([&] { check_model(model); }, ErrorCode::kUnsupported, {"IR version 99", "remedy"});
  model.ir_version = 8;
  model.opset_imports.clear();
  refuse(model, {"imports no operator set"});
}

TEST(CheckModel, RefusesTypesThatDoNotFitTogether) {
  refuse(model_from_text(R"(<ir_version: 8, opset_import: ["" : 13]>
    g (float[2] x, int64[2] i) => (float[2] y) { y = Add(x, i) })"),
         {"types or shapes"});
  refuse(model_from_text(R"(<ir_version: 8, opset_import: ["" : 13]>
    g (float[2] x, float[3] z) => (float[2] y) { y = Add(x, z) })"),
         {"types or shapes"});
}

TEST(CheckModel, TakesZeroSizedTensors) {
  check_model(model_from_text(R"(<ir_version: 8, opset_import: ["" : 13]>
    g (float[2] x) => (float[2] y) <float[0] none = {}> { y = Concat <axis = 0> (x, none) })"));
}

TEST(CheckModel, TakesLargeWeightsInConstantNodes) {
  Model model = around("w = Constant <value = float[1] {0}> () y = Conv (x, w)");
  model.graph.nodes[0].set_attribute("value", Tensor::zeros(DType::kFloat32, {64, 6, 3, 3}));
  check_model(model);
  model.graph.nodes[0].set_attribute("value", Tensor::zeros(DType::kFloat32, {64, 7, 3, 3}));
  refuse(model, {"input channels"});
}

}  // namespace
}  // namespace pare::testing
