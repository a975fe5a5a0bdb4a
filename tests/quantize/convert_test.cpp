#include "quantize/convert.h"

#include "quantize/converted.h"
#include "support/support.h"

namespace pare::testing {
namespace {

using ::testing::HasSubstr;

TEST(Convert, WeightsAndActivationsBecomeFloat16) {
  const Model model = two_convs();
  const StepResult result = converted(model);
  EXPECT_EQ(result.model.graph.inputs[0].dtype, DType::kFloat16);
  EXPECT_EQ(result.model.graph.outputs[0].dtype, DType::kFloat16);
  EXPECT_EQ(count(result.model, "Cast"), 0);
  for (const auto& entry : result.model.graph.initializers) EXPECT_EQ(entry.tensor.dtype(), DType::kFloat16);
  EXPECT_EQ(result.figures.at("weight_bytes_after") * 2, result.figures.at("weight_bytes_before"));
  EXPECT_EQ(result.done.size(), 3U);
  EXPECT_TRUE(result.skipped.empty());
  EXPECT_LT(difference(model, result.model, {{"x", random_tensor({2, 3, 8, 8}, 1)}}), 4e-3);
}

TEST(Convert, KeepIoLeavesTheInterfaceAndAddsOneCastAtEachBorder) {
  const Model model = two_convs();
  const StepResult result = converted(model, kKeepIo);
  EXPECT_EQ(result.model.graph.inputs[0].dtype, DType::kFloat32);
  EXPECT_EQ(result.model.graph.outputs[0].dtype, DType::kFloat32);
  EXPECT_EQ(result.model.graph.outputs[0].name, "y");
  EXPECT_EQ(count(result.model, "Cast"), 2);
  EXPECT_EQ(result.figures.at("casts_added"), 2);
  EXPECT_LT(difference(model, result.model, {{"x", random_tensor({2, 3, 8, 8}, 1)}}), 4e-3);
}

TEST(Convert, RunsInOpenVino) {
  std::string why;
  if (!runtime_available(Runtime::kOpenVino, &why)) GTEST_SKIP() << why;
  const Model model = two_convs();
  SessionOptions options;
  options.runtime = Runtime::kOpenVino;
  const NamedTensors inputs = {{"x", random_tensor({2, 3, 8, 8}, 1)}};
  const auto wanted = open_session(model)->run(inputs),
             got = open_session(converted(model, kKeepIo).model, options)->run(inputs);
  EXPECT_THAT(got[0].to_floats(), AllClose(wanted[0].to_floats(), {.atol = 0.05}));
}

TEST(Convert, ExcludedNodesKeepTheirWeightsAndWhatTheyCompute) {
  const Model model = two_convs();
  const StepResult result = converted(model, {{"exclude", "conv1"}, {"keep-io", "true"}});
  EXPECT_TRUE(result.model.graph.initializers.find("w1")->same_as(*model.graph.initializers.find("w1")));
  EXPECT_EQ(result.model.graph.initializers.find("w2")->dtype(), DType::kFloat16);
  EXPECT_THAT(reason(result, "Conv"), HasSubstr("excluded by 'conv1'"));
}

TEST(Convert, OnlyTheNamedNodes) {
  const StepResult result = converted(two_convs(), {{"only", "conv2"}, {"keep-io", "true"}});
  EXPECT_EQ(result.done.size(), 1U);
  EXPECT_EQ(result.model.graph.initializers.find("w1")->dtype(), DType::kFloat32);
  EXPECT_EQ(result.model.graph.initializers.find("w2")->dtype(), DType::kFloat16);
}

TEST(Convert, UnknownNamesAreErrorsWithTheNearest) {
  expect_error([] { converted(two_convs(), {{"exclude", "conv3"}}); }, ErrorCode::kInvalidArgument,
               {"exclude", "conv3", "'conv1'"});
  expect_error([] { converted(two_convs(), {{"only", "Covn"}}); }, ErrorCode::kInvalidArgument, {"only", "'Conv'"});
}

TEST(Convert, EverythingExcludedIsTheSameModel) {  // D8
  const Model model = two_convs();
  for (const char* words : {"*", "Conv,Relu"}) {
    const StepResult result = converted(model, {{"exclude", words}});
    EXPECT_EQ(serialize_model(result.model), serialize_model(model));
    EXPECT_EQ(result.changes, 0);
  }
}

TEST(Convert, SaysThatFloat16IsNoSpeedOnX86) {  // D12
  const StepResult result = converted(two_convs());
  EXPECT_THAT(result.notes, ::testing::Contains(HasSubstr("time it before")));
}

TEST(Convert, CountsWeightsThatVanish) {  // D13
  Model model = two_convs();
  std::vector<float> weights = model.graph.initializers.find("w1")->to_floats();
  weights[0] = 1e-9F;
  weights[7] = -2e-8F;
  model.graph.initializers.set("w1", Tensor::of<float>({8, 3, 3, 3}, weights));
  const StepResult result = converted(model);
  EXPECT_EQ(result.figures.at("weights_to_zero"), 2);
  EXPECT_THAT(result.notes, ::testing::Contains(HasSubstr("2 of 512 weights")));
}

TEST(Convert, OldOperatorSetsAreRefusedWithTheRemedy) {
  Model model = two_convs();
  model.set_opset(5);
  expect_error([&] { converted(model); }, ErrorCode::kUnsupported, {"operator set 5", "raise_opset"});
}

TEST(Convert, SaysWhatTheRangesWereMeasuredOn) {
  EXPECT_THAT(converted(two_convs()).notes, ::testing::Contains(HasSubstr("one made-up input")));
  EXPECT_THAT(converted(two_convs(), {{"allow-random", "true"}}).notes, ::testing::Contains(HasSubstr("8 random")));
  EXPECT_THAT(converted(two_convs(), {}, {{"x", random_tensor({1, 3, 8, 8}, 1)}}).notes,
              ::testing::Contains(HasSubstr("8 samples of given inputs")));
}

TEST(Convert, TheSameModelGivesTheSameFile) {
  EXPECT_EQ(serialize_model(converted(two_convs(), kKeepIo).model),
            serialize_model(converted(two_convs(), kKeepIo).model));
}

}  // namespace
}  // namespace pare::testing
