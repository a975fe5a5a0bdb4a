#include "prune/unstructured.h"

#include <cmath>

#include "core/random.h"
#include "pare/model_io.h"
#include "pare/session.h"
#include "prune/zero_filters.h"
#include "step/select.h"
#include "support/support.h"

namespace pare::testing {
namespace {

Tensor random_tensor(const Shape& shape, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (float& value : values) value = static_cast<float>(rng.normal());
  return Tensor::of<float>(shape, values);
}

Model network(const std::string& nodes, const std::map<std::string, Tensor>& weights,
              const std::string& input = "float[N,3,8,8] x") {
  std::string declared;
  for (const auto& [name, tensor] : weights) {
    std::string dims;
    for (const std::int64_t dim : tensor.shape()) dims += (dims.empty() ? "" : ",") + std::to_string(dim);
    declared += (declared.empty() ? "float[" : ", float[") + dims + "] " + name;
  }
  Model model = model_from_text("<ir_version: 8, opset_import: [\"\" : 17]> net (" + input + ") => (float[] y) <" +
                                declared + "> { " + nodes + " }");
  for (const auto& [name, tensor] : weights) model.graph.initializers.set(name, tensor);
  return model;
}
Model lesson() {
  return network("[conv1] t = Conv <pads = [1,1,1,1]> (x, w, b)\n y = Relu(t)",
                 {{"w", random_tensor({16, 3, 3, 3}, 1)}, {"b", random_tensor({16}, 2)}});
}

StepResult prune(const Model& model, const UnstructuredOptions& options) {
  Context context;
  return prune_unstructured(model, options, context);
}
std::vector<float> values(const Model& model, const std::string& name) {
  return model.graph.constant(name).to_floats();
}
std::int64_t zeros(const Model& model, const std::string& name) {
  const std::vector<float> all = values(model, name);
  return std::count(all.begin(), all.end(), 0.F);
}

TEST(Unstructured, TheSmallestLesson) {
  // 3 to 16 channels, 3x3, the smallest 30 %: 130 of 432, for good.
  const Model model = lesson();
  const StepResult result = prune(model, {.amount = 0.3});
  ASSERT_EQ(result.done.size(), 1U);
  EXPECT_EQ(result.done[0].node, "Conv 'conv1'");
  EXPECT_EQ(result.done[0].reason, "130 of 432 weights zero");
  EXPECT_EQ(result.figures.at("zeros"), 130);
  EXPECT_EQ(result.figures.at("weights"), 432);
  EXPECT_NEAR(result.figures.at("zero_share"), 130.0 / 432, 1e-12);
  EXPECT_EQ(result.changes, 1);
  const TempDir folder;
  save_model(result.model, folder / "pruned.onnx");
  const Model loaded = load_model(folder / "pruned.onnx");
  check_model(loaded);
  EXPECT_EQ(zeros(loaded, "w"), 130);
  EXPECT_TRUE(loaded.graph.constant("b").same_as(model.graph.constant("b")));
  // The zeros are the smallest, the others are what they were.
  const std::vector<float> before = values(model, "w"), after = values(loaded, "w");
  float largest_gone = 0, smallest_left = 1e9F;
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (after[i] == 0)
      largest_gone = std::max(largest_gone, std::abs(before[i]));
    else
      EXPECT_EQ(after[i], before[i]), smallest_left = std::min(smallest_left, std::abs(after[i]));
  }
  EXPECT_LT(largest_gone, smallest_left);
}

TEST(Unstructured, SaysThatNothingGetsFasterAndWhatPackingBrings) {
  const StepResult result = prune(lesson(), {.amount = 0.9});
  EXPECT_THAT(result.notes.at(0), ::testing::HasSubstr("get no faster"));
  EXPECT_EQ(result.figures.at("file_bytes"), static_cast<double>(serialize_model(lesson()).size()));
  EXPECT_LT(result.figures.at("deflated_bytes"), 0.5 * result.figures.at("deflated_bytes_before"));
}

TEST(Unstructured, EqualWeightsGoInTheirOrder) {
  const Model model = network("y = Conv(x, w)", {{"w", Tensor::of<float>({2, 3, 1, 1}, {1, -1, 1, 1, -1, 1})}});
  EXPECT_EQ(values(prune(model, {.amount = 0.5}).model, "w"), (std::vector<float>{0, 0, 0, 1, -1, 1}));
  const Model two = network("t = Conv(x, w)\n y = Conv(t, v)", {{"w", Tensor::of<float>({1, 3, 1, 1}, {1, 1, 1})},
                                                                {"v", Tensor::of<float>({3, 1, 1, 1}, {1, 1, 1})}});
  const StepResult global = prune(two, {.amount = 0.5, .scope = ZeroScope::kGlobal});
  EXPECT_EQ(values(global.model, "w"), (std::vector<float>{0, 0, 1}));
  EXPECT_EQ(values(global.model, "v"), (std::vector<float>{0, 1, 1}));
}

TEST(Unstructured, ZerosThatWereThereCount) {
  const Model model = network("y = Conv(x, w)", {{"w", Tensor::of<float>({2, 3, 1, 1}, {0, 5, 0, 1, 0, 0})}});
  EXPECT_EQ(zeros(prune(model, {.amount = 0.5}).model, "w"), 4);
  const StepResult nothing = prune(model, {.amount = 0.5});
  EXPECT_EQ(nothing.changes, 0);
  EXPECT_EQ(zeros(prune(model, {.amount = 5.0 / 6}).model, "w"), 5);
}

TEST(Unstructured, GloballyTheSmallestGoButNoLayerIsEmptied) {
  std::map<std::string, Tensor> weights = {{"w", random_tensor({8, 3, 3, 3}, 1)},
                                           {"v", random_tensor({4, 8, 3, 3}, 2)}};
  std::vector<float> tiny = weights.at("v").to_floats();
  for (float& value : tiny) value *= 1e-6F;
  weights["v"] = Tensor::of<float>({4, 8, 3, 3}, tiny);
  const Model model = network("t = Conv(x, w)\n y = Conv(t, v)", weights);
  const std::int64_t all = 216 + 288;
  const StepResult plain = prune(model, {.amount = 0.6, .scope = ZeroScope::kGlobal});
  EXPECT_EQ(zeros(plain.model, "w") + zeros(plain.model, "v"), std::llround(0.6 * all));
  EXPECT_EQ(zeros(plain.model, "v"), 287);
  // LAMP does not care for the scale of a layer.
  const StepResult lamp = prune(model, {.amount = 0.6, .scope = ZeroScope::kGlobalLamp});
  EXPECT_EQ(zeros(lamp.model, "w") + zeros(lamp.model, "v"), std::llround(0.6 * all));
  EXPECT_NEAR(static_cast<double>(zeros(lamp.model, "v")) / 288, 0.6, 0.12);
  const StepResult everything = prune(model, {.amount = 1, .scope = ZeroScope::kGlobal});
  EXPECT_EQ(everything.figures.at("zero_share"), 1);
}

TEST(Unstructured, TakesWeightsBelowAThreshold) {
  const Model model =
      network("y = Conv(x, w)", {{"w", Tensor::of<float>({2, 3, 1, 1}, {0.1F, -0.2F, 0.3F, -2, 1, 0})}});
  EXPECT_EQ(values(prune(model, {.threshold = 0.3}).model, "w"), (std::vector<float>{0, 0, 0.3F, -2, 1, 0}));
}

TEST(Unstructured, KeepsTwoOfFourAlongTheInputs) {
  const auto check_runs = [](const std::string& node, const Shape& shape, std::int64_t axis, const std::string& input) {
    const Model model = network(node, {{"w", random_tensor(shape, 5)}}, input);
    const StepResult result = prune(model, {.pattern = parse_zero_pattern("2:4")});
    const std::vector<float> before = values(model, "w"), after = values(result.model, "w");
    std::int64_t inner = 1;
    for (std::size_t d = static_cast<std::size_t>(axis) + 1; d < shape.size(); ++d) inner *= shape[d];
    const std::int64_t length = shape[static_cast<std::size_t>(axis)];
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(after.size()); ++i) {
      const std::int64_t along = i / inner % length;
      if (along % 4 != 0) continue;
      int left = 0;
      float gone = 0, kept = 1e9F;
      for (std::int64_t k = 0; k < std::min<std::int64_t>(4, length - along); ++k) {
        const auto at = static_cast<std::size_t>(i + k * inner);
        if (after[at] != 0) ++left, kept = std::min(kept, std::abs(before[at]));
        if (after[at] == 0) gone = std::max(gone, std::abs(before[at]));
      }
      EXPECT_EQ(left, std::min<std::int64_t>(2, length - along));
      EXPECT_LT(gone, kept);
    }
  };
  const std::string image = "float[N,8,8,8] x", row = "float[N,8] x";
  check_runs("y = Conv(x, w)", {4, 8, 3, 3}, 1, image);
  check_runs("y = Conv(x, w)", {4, 6, 1, 1}, 1, "float[N,6,8,8] x");
  check_runs("y = ConvTranspose(x, w)", {8, 4, 2, 2}, 0, image);
  check_runs("y = Gemm(x, w)", {8, 5}, 0, row);
  check_runs("y = Gemm <transB = 1> (x, w)", {5, 8}, 1, row);
  check_runs("y = MatMul(x, w)", {8, 5}, 0, row);
}

TEST(Unstructured, SaysWhichLayersMakeNoPattern) {
  const StepResult result = prune(lesson(), {.pattern = ZeroPattern{2, 4}});
  EXPECT_EQ(result.changes, 0);
  EXPECT_EQ(result.skipped.at(0).reason, "3 weights along its inputs make no 4");
  expect_error([] { (void)parse_zero_pattern("4:2"); }, ErrorCode::kInvalidArgument, {"'4:2' is no pattern"});
  expect_error([] { (void)parse_zero_pattern("2of4"); }, ErrorCode::kInvalidArgument, {"like 2:4"});
}

TEST(Unstructured, SharedWeightsAreOneLayer) {
  const Model model =
      network("[one] t = Conv(x, w)\n [two] u = Conv(t, w)\n y = Relu(u)", {{"w", random_tensor({3, 3, 1, 1}, 1)}});
  const StepResult result = prune(model, {.amount = 4.0 / 9});
  EXPECT_EQ(result.figures.at("weights"), 9);
  EXPECT_EQ(zeros(result.model, "w"), 4);
  EXPECT_EQ(result.done.at(1).reason, "4 of 9 weights zero (shared)");
  // One excluded reader is enough.
  const StepResult kept = prune(model, {.amount = 0.5, .user_reasons = user_reasons(model.graph, {"two"}, {})});
  EXPECT_EQ(kept.changes, 0);
  EXPECT_THAT(kept.skipped.at(0).reason, ::testing::HasSubstr("shares its weights with Conv 'two': excluded by 'two'"));
}

TEST(Unstructured, LeavesWhatItMustNotTouch) {
  Model model = network("t = Conv(x, w)\n u = Add(t, w)\n y = Relu(u)", {{"w", random_tensor({3, 3, 1, 1}, 1)}});
  EXPECT_THAT(prune(model, {.amount = 0.5}).skipped.at(0).reason, ::testing::HasSubstr("reads its weights too"));
  model = network("t = Conv(x, x)\n y = Relu(t)", {{"w", random_tensor({1}, 1)}});
  const StepResult none = prune(model, {.amount = 0.5});
  EXPECT_EQ(none.skipped.at(0).reason, "its weights are no stored tensor");
  EXPECT_THAT(none.notes.at(0), ::testing::HasSubstr("no layer"));
  EXPECT_EQ(none.changes, 0);
}

TEST(Unstructured, WorksOnConstantNodesAndHalfFloats) {
  Model model = network("y = Conv(x, w)", {{"w", random_tensor({4, 3, 3, 3}, 1)}});
  Node constant;
  constant.op_type = "Constant";
  constant.outputs = {"w"};
  constant.set_attribute("value", *model.graph.initializers.find("w"));
  model.graph.initializers.remove("w");
  model.graph.nodes.insert(model.graph.nodes.begin(), constant);
  const StepResult result = prune(model, {.amount = 0.5});
  check_model(result.model);
  EXPECT_EQ(zeros(result.model, "w"), 54);
  std::vector<std::byte> halves;
  for (const float value : random_tensor({4, 3, 3, 3}, 1).to_floats()) {
    const std::uint16_t bits = float_to_half(value);
    halves.push_back(static_cast<std::byte>(bits & 0xFF));
    halves.push_back(static_cast<std::byte>(bits >> 8));
  }
  model = network("y = Conv(x, w)", {{"w", random_tensor({4, 3, 3, 3}, 1)}});
  model.graph.initializers.set("w", Tensor::from_bytes(DType::kFloat16, {4, 3, 3, 3}, halves));
  const StepResult half = prune(model, {.amount = 0.5});
  EXPECT_EQ(zeros(half.model, "w"), 54);
  EXPECT_EQ(half.model.graph.constant("w").dtype(), DType::kFloat16);
}

TEST(Unstructured, RefusesOptionsWithoutSense) {
  const Model model = lesson();
  expect_error([&] { (void)prune(model, {}); }, ErrorCode::kInvalidArgument, {"one of them"});
  expect_error([&] { (void)prune(model, {.amount = 0.5, .threshold = 1}); }, ErrorCode::kInvalidArgument, {"2 of"});
  expect_error([&] { (void)prune(model, {.amount = 1.5}); }, ErrorCode::kInvalidArgument, {"between 0 and 1"});
  expect_error([&] { (void)prune(model, {.threshold = -1}); }, ErrorCode::kInvalidArgument, {"from 0 on"});
  Model broken = lesson();
  broken.graph.initializers.set("w", Tensor::of<float>({1, 3, 1, 1}, {1, NAN, 2}));
  expect_error([&] { (void)prune(broken, {.amount = 0.5}); }, ErrorCode::kNumeric, {"Conv 'conv1'", "NaN"});
}

TEST(ZeroFilters, AreRemovableWhereZeroStaysZero) {
  // Three of eight filters are zero, and so are their biases.
  std::vector<float> weights = random_tensor({8, 3, 1, 1}, 1).to_floats(), biases(8, 1.F);
  for (const std::size_t channel : {1U, 4U, 6U}) {
    std::fill_n(weights.begin() + static_cast<std::ptrdiff_t>(3 * channel), 3, 0.F);
    biases[channel] = 0;
  }
  biases[6] = 0.5;  // this one lives on
  const auto found = [&](const std::string& between) {
    return find_zero_filters(network("t = Conv(x, w, b)\n " + between + "\n y = Conv(r, v)",
                                     {{"w", Tensor::of<float>({8, 3, 1, 1}, weights)},
                                      {"b", Tensor::of<float>({8}, biases)},
                                      {"v", random_tensor({2, 8, 1, 1}, 3)},
                                      {"s", random_tensor({8, 1, 1}, 3)}})
                                 .graph);
  };
  const std::vector<ZeroFilters> behind_relu = found("q = Relu(t)\n r = MaxPool <kernel_shape = [2,2]> (q)");
  ASSERT_EQ(behind_relu.size(), 1U);
  EXPECT_EQ(behind_relu[0].channels, (std::vector<std::int64_t>{1, 4}));
  EXPECT_EQ(behind_relu[0].kept, "");
  EXPECT_THAT(found("r = Sigmoid(t)").at(0).kept, ::testing::HasSubstr("does not pass zero on"));
  EXPECT_THAT(found("r = Add(t, s)").at(0).kept, ::testing::HasSubstr("Add"));
}

TEST(ZeroFilters, AreInTheReport) {
  const Model model =
      network("[conv1] t = Conv(x, w)\n r = Relu(t)\n y = Conv(r, v)",
              {{"w", Tensor::of<float>({2, 3, 1, 1}, {1, 2, 1, 9, 9, 9})}, {"v", random_tensor({2, 2, 1, 1}, 3)}});
  const StepResult result = prune(model, {.amount = 0.5});
  EXPECT_EQ(result.figures.at("removable_filters"), 1);
  EXPECT_THAT(result.notes.at(1), ::testing::HasSubstr("Conv 'conv1': 1 filter is all zero, taking it out is exact"));
}

}  // namespace
}  // namespace pare::testing
