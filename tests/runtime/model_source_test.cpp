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
    PreparedModel prepared = prepare_model(small_model(), {"a"}, 7);
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

TEST(ModelSource, ListsMadeValuesOnceAndInOrder) {
  const Model model = model_from_text(R"(
<ir_version: 8, opset_import: ["" : 17]>
g (float[1, 1, 4, 4] x) => (float[1, 1, 2, 2] y) { p, i = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (x)
  y = Dropout(p) })");
  EXPECT_EQ(made_values(model.graph), (std::vector<std::string>{"p", "i", "y"}));
}

}  // namespace
}  // namespace pare::testing
