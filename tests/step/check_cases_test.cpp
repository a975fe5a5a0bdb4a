#include "step/check_cases.h"

#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

Model from_text(const std::string& graph) {
  return model_from_text("<ir_version: 8, opset_import: [\"\" : 17]> " + graph);
}

std::vector<std::string> names(const std::vector<CheckCase>& cases) {
  std::vector<std::string> all;
  for (const CheckCase& one : cases) all.push_back(one.name);
  return all;
}

TEST(CheckCases, GrowsBatchAndImageOnlyWhereTheyAreOpen) {
  const std::vector<CheckCase> open =
      check_cases(from_text("g (float[N, 3, H, W] x) => (float[N, 3, H, W] y) { y = Relu(x) }"), {});
  EXPECT_EQ(names(open), (std::vector<std::string>{"random input, seed 0", "random input, seed 1", "batch of 2",
                                                   "second image size"}));
  const Shape first = open[0].inputs.at("x").shape();
  EXPECT_EQ(open[2].inputs.at("x").shape(), (Shape{2, 3, first[2], first[3]}));
  EXPECT_EQ(open[3].inputs.at("x").shape(), (Shape{1, 3, first[2] + 32, first[3] + 32}));
  EXPECT_EQ(check_cases(from_text("g (float[1, 3, 8, 8] x) => (float[1, 3, 8, 8] y) { y = Relu(x) }"), {}).size(), 2U);
}

TEST(CheckCases, KeepsOneSymbolOneNumber) {
  const std::vector<CheckCase> cases =
      check_cases(from_text("g (float[N, 3] x, float[2, N] z) => (float[N, 3] y, float[2, N] w) "
                            "{ y = Relu(x) w = Relu(z) }"),
                  {});
  ASSERT_EQ(cases.size(), 3U);
  EXPECT_EQ(cases[2].inputs.at("z").shape(), (Shape{2, 2}));
}

TEST(CheckCases, TakesRealSamplesInTheBatchTheModelWants) {
  const NamedTensors like = {{"x", Tensor::zeros(DType::kFloat32, {1, 3})}};
  Context context;
  context.data = random_dataset(like, 20, 1);
  const auto free = check_cases(from_text("g (float[N, 3] x) => (float[N, 3] y) { y = Relu(x) }"), context);
  EXPECT_EQ(free.back().inputs.at("x").shape(), (Shape{1, 3}));
  const auto fixed = check_cases(from_text("g (float[1, 3] x) => (float[1, 3] y) { y = Relu(x) }"), context);
  EXPECT_EQ(fixed.size(), 2U + 8U);
  EXPECT_EQ(fixed.back().inputs.at("x").shape(), (Shape{1, 3}));
  const auto large = check_cases(from_text("g (float[12, 3] x) => (float[12, 3] y) { y = Relu(x) }"), context);
  EXPECT_EQ(large.back().inputs.at("x").shape(), (Shape{12, 3}));
}

TEST(CheckCases, ConvertsInputsToTheTypeThatTheModelDeclares) {
  const Model half = from_text("g (float16[2] x) => (float16[2] y) { y = Relu(x) }");
  const NamedTensors converted = as_declared({{"x", Tensor::of<float>({2}, {1.5F, -2})}}, half);
  EXPECT_EQ(converted.at("x").dtype(), DType::kFloat16);
  EXPECT_EQ(converted.at("x").to_floats(), (std::vector<float>{1.5F, -2}));
}

}  // namespace
}  // namespace pare::testing
