#include "runtime/model_source.h"

#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

Model small_model() {
  return model_from_text(R"(
<ir_version: 8, opset_import: ["" : 17]>
g (float[2] x) => (float[2] y) <float[2] w = {3, 4}> { a = Mul(x, w)  y = Neg(a) })");
}

TEST(ModelSource, LeavesTheModelAlone) {
  const Model model = small_model();
  const std::string before = serialize_model(model);
  const PreparedModel prepared = prepare_model(model, {"a"});
  EXPECT_EQ(serialize_model(model), before);
  EXPECT_EQ(prepared.source.output_names, (std::vector<std::string>{"y", "a"}));
  EXPECT_EQ(prepared.folder, nullptr);
  EXPECT_EQ(parse_model(std::as_bytes(std::span(prepared.source.bytes))).graph.outputs.size(), 2U);
}

TEST(ModelSource, SavesLargeModelsWithExternalData) {
  for (const Runtime runtime : {Runtime::kOnnxRuntime, Runtime::kOpenVino}) {
    if (!runtime_available(runtime)) continue;
    PreparedModel prepared = prepare_model(small_model(), {"a"}, {.limit_bytes = 7});
    ASSERT_NE(prepared.folder, nullptr);
    EXPECT_TRUE(prepared.source.bytes.empty());
    const SessionOptions options = {.runtime = runtime, .force_float32 = true};
    const auto session = open_source(prepared.source, options);
    const std::filesystem::path folder = prepared.folder->path();
    prepared.folder.reset();
    EXPECT_FALSE(std::filesystem::exists(folder));
    const std::vector<Tensor> results = session->run({{"x", Tensor::of<float>({2}, {1, 2})}});
    EXPECT_THAT(results[0], AllClose(Tensor::of<float>({2}, {-3, -8})));
    EXPECT_THAT(results[1], AllClose(Tensor::of<float>({2}, {3, 8})));
  }
}

TEST(ModelSource, WeightsApartAreHandedOverWhereTheyLie) {
  std::vector<float> values(1024);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  Model model = model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]>
g (float[1, 32] x) => (float[1, 32] y) <float[1, 1] w = {0}> { y = MatMul(x, w) })");
  model.graph.initializers.set("w", Tensor::of<float>({32, 32}, values));
  model.graph.initializers.set("read_by_none", Tensor::of<float>({32, 32}, values));  // ONNX Runtime drops it
  const PreparedModel prepared = prepare_model(model, {}, {.weights_apart = true});
  EXPECT_LT(prepared.source.bytes.size(), 5000U);
  ASSERT_EQ(prepared.source.weights.size(), 1U);
  EXPECT_EQ(prepared.source.weights[0].second.bytes().data(), model.graph.initializers.find("w")->bytes().data());

  const auto session = open_source(prepared.source, {});
  std::vector<float> one(32, 0);
  one[3] = 1;
  const std::vector<Tensor> results = session->run({{"x", Tensor::of<float>({1, 32}, one)}});
  EXPECT_THAT(results[0],
              AllClose(Tensor::of<float>({1, 32}, std::vector<float>(values.begin() + 96, values.begin() + 128))));
}

TEST(ModelSource, ListsMadeValuesOnceAndInOrder) {
  const Model model = model_from_text(R"(
<ir_version: 8, opset_import: ["" : 17]>
g (float[1, 1, 4, 4] x) => (float[1, 1, 2, 2] y) { p, i = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (x)
  y = Dropout(p) })");
  EXPECT_EQ(made_values(model.graph), (std::vector<std::string>{"p", "i", "y"}));
}

}  // namespace
}  // namespace pare::testing
