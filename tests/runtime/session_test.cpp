// Everything that both runtimes must do alike, on small models and on a trained one.
#include "pare/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

/// y = Relu(Conv(x, w) + b), one inner value; w takes the sum of both channels, b subtracts one.
constexpr const char* kConvRelu = R"(
<ir_version: 8, opset_import: ["" : 17]>
conv_relu (float[N, 2, H, W] x) => (float[N, 1, H, W] y)
<float[1, 2, 1, 1] w = {1, 1}, float[1] b = {-1}>
{
  c = Conv(x, w, b)
  y = Relu(c)
}
)";

class BothRuntimes : public ::testing::TestWithParam<Runtime> {
 protected:
  void SetUp() override {
    std::string why;
    if (!runtime_available(GetParam(), &why)) GTEST_SKIP() << why;
  }
  static SessionOptions options() { return {.runtime = GetParam(), .force_float32 = true}; }
};

INSTANTIATE_TEST_SUITE_P(Session, BothRuntimes, ::testing::Values(Runtime::kOnnxRuntime, Runtime::kOpenVino),
                         [](const auto& instance) {
                           return std::string(instance.param == Runtime::kOpenVino ? "OpenVino" : "OnnxRuntime");
                         });

Tensor small_image() { return Tensor::of<float>({1, 2, 1, 3}, {1, 2, 0, 3, -4, 0.5F}); }

TEST_P(BothRuntimes, RunsASmallModel) {
  const auto session = open_session(model_from_text(kConvRelu), options());
  ASSERT_EQ(session->inputs().size(), 1U);
  EXPECT_EQ(session->inputs()[0].name, "x");
  ASSERT_EQ(session->outputs().size(), 1U);
  EXPECT_EQ(session->outputs()[0].name, "y");
  const std::vector<Tensor> results = session->run({{"x", small_image()}});
  ASSERT_EQ(results.size(), 1U);
  EXPECT_THAT(results[0], AllClose(Tensor::of<float>({1, 1, 1, 3}, {3, 0, 0})));
}

TEST_P(BothRuntimes, OpensAFileItself) {
  const TempDir folder;
  save_model(model_from_text(kConvRelu), folder / "model.onnx");
  const auto session = open_session(folder / "model.onnx", options());
  EXPECT_THAT(session->run({{"x", small_image()}})[0], AllClose(Tensor::of<float>({1, 1, 1, 3}, {3, 0, 0})));
}

TEST_P(BothRuntimes, OpensAFileWithExternalData) {
  const TempDir folder;
  Model model = model_from_text(kConvRelu);
  save_model(model, folder / "model.onnx", {.external_threshold_bytes = 0, .external_tensor_bytes = 0});
  ASSERT_TRUE(std::filesystem::exists(folder / "model.onnx.data"));
  const auto session = open_session(folder / "model.onnx", options());
  EXPECT_THAT(session->run({{"x", small_image()}})[0], AllClose(Tensor::of<float>({1, 1, 1, 3}, {3, 0, 0})));
}

TEST_P(BothRuntimes, GivesExtraOutputsInTheOrderAsked) {
  SessionOptions wanted = options();
  // An inner value, an input, an initializer, an output of the model, and one of them twice.
  wanted.extra_outputs = {"c", "x", "b", "y", "c"};
  const auto session = open_session(model_from_text(kConvRelu), wanted);
  std::vector<std::string> names;
  for (const ValueInfo& output : session->outputs()) {
    names.push_back(output.name);
    EXPECT_EQ(output.dtype, DType::kFloat32) << output.name;
  }
  EXPECT_THAT(names, ::testing::ElementsAre("y", "c", "x", "b", "y", "c"));
  const std::vector<Tensor> results = session->run({{"x", small_image()}});
  const Tensor inner = Tensor::of<float>({1, 1, 1, 3}, {3, -3, -0.5F});
  const Tensor outer = Tensor::of<float>({1, 1, 1, 3}, {3, 0, 0});
  ASSERT_EQ(results.size(), 6U);
  EXPECT_THAT(results[0], AllClose(outer));
  EXPECT_THAT(results[1], AllClose(inner));
  EXPECT_THAT(results[2], AllClose(small_image()));
  EXPECT_THAT(results[3], AllClose(Tensor::of<float>({1}, {-1})));
  EXPECT_THAT(results[4], AllClose(outer));
  EXPECT_THAT(results[5], AllClose(inner));
}

TEST_P(BothRuntimes, OpensAFileWithExtraOutputs) {
  const TempDir folder;
  save_model(model_from_text(kConvRelu), folder / "model.onnx");
  SessionOptions wanted = options();
  wanted.extra_outputs = {"c"};
  const auto session = open_session(folder / "model.onnx", wanted);
  EXPECT_THAT(session->run({{"x", small_image()}})[1], AllClose(Tensor::of<float>({1, 1, 1, 3}, {3, -3, -0.5F})));
}

TEST_P(BothRuntimes, NamesTheNearestForAnUnknownExtraOutput) {
  SessionOptions wanted = options();
  wanted.extra_outputs = {"layer1/conv_outptu"};
  const Model model = model_from_text(R"(
<ir_version: 8, opset_import: ["" : 17]>
g (float[2] x) => (float[2] y) { "layer1/conv_output" = Relu(x)  y = Neg("layer1/conv_output") })");
  expect_error([&] { (void)open_session(model, wanted); }, ErrorCode::kInvalidArgument,
               {"layer1/conv_outptu", "nearest", "'layer1/conv_output'"});
}

TEST_P(BothRuntimes, ResultsStayValidAfterTheNextRunAndTheSession) {
  // Large enough that no runtime would copy it by chance.
  const std::int64_t width = 5000;
  const auto image = [&](float value) {
    return Tensor::of<float>({1, 2, 1, width}, std::vector<float>(static_cast<std::size_t>(2 * width), value));
  };
  auto session = open_session(model_from_text(kConvRelu), options());
  const Tensor first = session->run({{"x", image(1)}})[0];
  const Tensor second = session->run({{"x", image(3)}})[0];
  session.reset();
  EXPECT_EQ(first.to_floats(), std::vector<float>(static_cast<std::size_t>(width), 1));
  EXPECT_EQ(second.to_floats(), std::vector<float>(static_cast<std::size_t>(width), 5));
}

TEST_P(BothRuntimes, RunsAgainOnWhatIsBound) {
  const auto session = open_session(model_from_text(kConvRelu), options());
  expect_error([&] { session->run_bound(); }, ErrorCode::kInvalidArgument, {"nothing is bound"});
  session->bind({{"x", small_image()}});  // the tensor given dies here: the session must keep it
  expect_error([&] { (void)session->results(); }, ErrorCode::kInvalidArgument, {"has not run"});
  for (int i = 0; i < 3; ++i) session->run_bound();
  EXPECT_THAT(session->results()[0], AllClose(Tensor::of<float>({1, 1, 1, 3}, {3, 0, 0})));
  EXPECT_THAT(session->results()[0], AllClose(Tensor::of<float>({1, 1, 1, 3}, {3, 0, 0})));
}

TEST_P(BothRuntimes, OpensAgainElsewhereWithWhatIsBound) {
  const TempDir folder;
  save_model(model_from_text(kConvRelu), folder / "model.onnx");
  for (const bool from_file : {false, true}) {
    auto session = from_file ? open_session(folder / "model.onnx", options())
                             : open_session(model_from_text(kConvRelu), options());
    session->bind({{"x", small_image()}});
    const auto again = session->reopen();
    ASSERT_NE(again, nullptr);
    const std::string description = session->description();
    session.reset();
    again->run_bound();
    EXPECT_THAT(again->results()[0], AllClose(Tensor::of<float>({1, 1, 1, 3}, {3, 0, 0})));
    EXPECT_EQ(again->description(), description);
    std::filesystem::remove(folder / "model.onnx");
    EXPECT_EQ(again->reopen() == nullptr, from_file);
    if (!from_file) save_model(model_from_text(kConvRelu), folder / "model.onnx");
  }
}

TEST_P(BothRuntimes, RunsNothingAfterARefusedBind) {
  const auto session = open_session(model_from_text(kConvRelu), options());
  session->bind({{"x", small_image()}});
  EXPECT_THROW(session->bind({{"x", Tensor::zeros(DType::kFloat32, {1, 7})}}), Error);
  expect_error([&] { session->run_bound(); }, ErrorCode::kInvalidArgument, {"nothing is bound"});
}

TEST_P(BothRuntimes, TakesAnotherShapeAtEveryRun) {
  const auto session = open_session(model_from_text(kConvRelu), options());
  for (std::int64_t size = 1; size < 40; ++size) {
    const auto count = static_cast<std::size_t>(2 * size * size);
    const std::vector<Tensor> results =
        session->run({{"x", Tensor::of<float>({1, 2, size, size}, std::vector<float>(count, 2))}});
    EXPECT_EQ(results[0].shape(), (Shape{1, 1, size, size}));
    EXPECT_EQ(results[0].to_floats(), std::vector<float>(count / 2, 3));
  }
}

TEST_P(BothRuntimes, RefusesWrongInputs) {
  const auto session = open_session(model_from_text(kConvRelu), options());
  const auto code = ErrorCode::kInvalidArgument;
  expect_error([&] { session->bind({}); }, code, {"input 'x' is missing", "[N, 2, H, W] float32"});
  expect_error([&] { session->bind({{"x", small_image()}, {"xx", small_image()}}); }, code,
               {"no input 'xx'", "nearest", "'x'"});
  expect_error([&] { session->bind({{"x", Tensor::zeros(DType::kInt64, {1, 2, 3, 3})}}); }, code,
               {"input 'x': expected [N, 2, H, W] float32, got [1, 2, 3, 3] int64"});
  expect_error([&] { session->bind({{"x", Tensor::zeros(DType::kFloat32, {1, 3, 3, 3})}}); }, code,
               {"expected [N, 2, H, W] float32, got [1, 3, 3, 3] float32"});
  expect_error([&] { session->bind({{"x", Tensor::zeros(DType::kFloat32, {1, 8, 9, 2})}}); }, code,
               {"got [1, 8, 9, 2] float32", "looks like NHWC"});
  expect_error([&] { session->bind({{"x", Tensor::zeros(DType::kFloat32, {2, 8, 9})}}); }, code,
               {"batch dimension is missing", "[1, 2, 8, 9]"});
}

TEST_P(BothRuntimes, SaysWhatTheRuntimeSaysWhenAModelDoesNotLoad) {
  const Model model = model_from_text(R"(
<ir_version: 8, opset_import: ["" : 17, "made.up" : 1]>
g (float[2] x) => (float[2] y) { y = made.up.Frobnicate(x) })");
  expect_error([&] { (void)open_session(model, options()); }, ErrorCode::kUnsupported,
               {"does not load the model", runtime_version(GetParam()).c_str(), "Frobnicate"});
}

TEST_P(BothRuntimes, SaysWhatTheRuntimeSaysWhenAModelDoesNotRun) {
  const Model model = model_from_text(R"(
<ir_version: 8, opset_import: ["" : 17]>
g (float[N, C] x) => (float[N, 2] y) <float[3, 2] w = {1, 2, 3, 4, 5, 6}> { r = Relu(x)  y = MatMul(r, w) })");
  const auto session = open_session(model, options());
  expect_error([&] { (void)session->run({{"x", Tensor::zeros(DType::kFloat32, {1, 5})}}); }, ErrorCode::kUnsupported,
               {"does not run the model on these inputs", "says: "});
  // The session is still good.
  EXPECT_EQ(session->run({{"x", Tensor::zeros(DType::kFloat32, {4, 3})}})[0].shape(), (Shape{4, 2}));
}

TEST_P(BothRuntimes, TakesAnInputThatNothingReads) {
  const Model model = model_from_text(R"(
<ir_version: 8, opset_import: ["" : 17]>
g (float[2] x, float[2] unused) => (float[2] y) { y = Neg(x) })");
  const auto session = open_session(model, options());
  const Tensor x = Tensor::of<float>({2}, {1, -2});
  EXPECT_THAT(session->run({{"x", x}, {"unused", x}})[0], AllClose(Tensor::of<float>({2}, {-1, 2})));
}

TEST_P(BothRuntimes, KeepsTheOrderOfSeveralOutputs) {
  const Model model = model_from_text(R"(
<ir_version: 8, opset_import: ["" : 17]>
g (float[2] x) => (float[2] z, float[2] a, float[2] same) { a = Neg(x)  z = Abs(x)  same = Identity(a) })");
  const std::vector<Tensor> results = open_session(model, options())->run({{"x", Tensor::of<float>({2}, {1, -2})}});
  EXPECT_THAT(results[0], AllClose(Tensor::of<float>({2}, {1, 2})));
  EXPECT_THAT(results[1], AllClose(Tensor::of<float>({2}, {-1, 2})));
  EXPECT_THAT(results[2], AllClose(Tensor::of<float>({2}, {-1, 2})));
}

TEST_P(BothRuntimes, ProfilesEveryNode) {
  SessionOptions wanted = options();
  wanted.profile = true;
  const auto session = open_session(model_from_text(kConvRelu), wanted);
  session->bind({{"x", Tensor::zeros(DType::kFloat32, {1, 2, 64, 64})}});
  for (int i = 0; i < 5; ++i) session->run_bound();
  const std::vector<NodeTime> nodes = session->profile();
  ASSERT_FALSE(nodes.empty());
  const auto conv = std::find_if(nodes.begin(), nodes.end(),
                                 [](const NodeTime& node) { return node.op_type.find("Conv") != std::string::npos; });
  ASSERT_NE(conv, nodes.end());
  EXPECT_EQ(conv->calls, 5);
  EXPECT_GT(conv->total_ms, 0);
  EXPECT_FALSE(conv->name.empty());
  EXPECT_EQ(session->profile().size(), nodes.size());
}

TEST_P(BothRuntimes, RefusesAProfileThatWasNotAskedFor) {
  const auto session = open_session(model_from_text(kConvRelu), options());
  expect_error([&] { (void)session->profile(); }, ErrorCode::kInvalidArgument, {"SessionOptions::profile"});
}

TEST_P(BothRuntimes, DescribesItself) {
  SessionOptions wanted = options();
  const std::string start = fmt::format("{} {}, ", runtime_name(GetParam()), runtime_version(GetParam()));
  EXPECT_TRUE(open_session(model_from_text(kConvRelu), wanted)->description().starts_with(start + "1 thread"));
  wanted.threads = 2;
  wanted.optimize = false;
  const std::string two = open_session(model_from_text(kConvRelu), wanted)->description();
  EXPECT_TRUE(two.starts_with(start + "2 threads, ")) << two;
  EXPECT_TRUE(two.find(" off") != std::string::npos) << two;
}

TEST_P(BothRuntimes, RefusesNoThreads) {
  SessionOptions wanted = options();
  wanted.threads = 0;
  expect_error([&] { (void)open_session(model_from_text(kConvRelu), wanted); }, ErrorCode::kInvalidArgument,
               {"0 threads"});
}

TEST_P(BothRuntimes, GivesTheSameWithAndWithoutOptimizationAndThreads) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  const auto path = shared / "models" / "cifar10_resnet20.onnx";
  SessionOptions plain = options();
  plain.optimize = false;
  const auto reference = open_session(path, plain);
  const NamedTensors inputs = random_inputs(reference->inputs(), {.batch = 3, .seed = 5});
  const Tensor expected = reference->run(inputs)[0];
  EXPECT_EQ(expected.shape(), (Shape{3, 10}));
  SessionOptions two = options();
  two.threads = 2;
  EXPECT_THAT(open_session(path, options())->run(inputs)[0], AllClose(expected, {.atol = 1e-4, .rtol = 1e-4}));
  EXPECT_THAT(open_session(path, two)->run(inputs)[0], AllClose(expected, {.atol = 1e-4, .rtol = 1e-4}));
}

TEST(Session, BothRuntimesAgreeInOneProcess) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  if (!runtime_available(Runtime::kOpenVino)) GTEST_SKIP() << "no OpenVINO in this build";
  for (const char* name : {"cifar10_resnet20.onnx", "cifar10_mobilenet_v2_bn.onnx"}) {
    const Model model = load_model(shared / "models" / name);
    // Open at the same time, run in turns.
    const auto first = open_session(model);
    const auto second = open_session(model, {.runtime = Runtime::kOpenVino, .force_float32 = true});
    for (const std::uint64_t seed : {1, 2}) {
      const NamedTensors inputs = random_inputs(model.graph.inputs, {.batch = 2, .seed = seed});
      EXPECT_THAT(second->run(inputs)[0], AllClose(first->run(inputs)[0], {.atol = 1e-3, .rtol = 1e-3})) << name;
    }
  }
}

TEST(Session, ParsesTheNamesOfRuntimes) {
  EXPECT_EQ(parse_runtime("onnxruntime"), Runtime::kOnnxRuntime);
  EXPECT_EQ(parse_runtime("openvino"), Runtime::kOpenVino);
  expect_error([] { (void)parse_runtime("openvnio"); }, ErrorCode::kInvalidArgument, {"openvnio", "'openvino'"});
  EXPECT_EQ(runtime_name(Runtime::kOnnxRuntime), "ONNX Runtime");
  EXPECT_EQ(runtime_name(Runtime::kOpenVino), "OpenVINO");
}

TEST(Session, VersionsAreNumbers) {
  EXPECT_THAT(runtime_version(Runtime::kOnnxRuntime), ::testing::MatchesRegex("[0-9]+[.][0-9]+[.][0-9]+"));
  std::string why;
  if (runtime_available(Runtime::kOpenVino, &why)) {
    EXPECT_THAT(runtime_version(Runtime::kOpenVino), ::testing::MatchesRegex("[0-9]+[.][0-9]+[.][0-9]+"));
  } else {
    EXPECT_THAT(why, ::testing::HasSubstr("remedy: "));
  }
}

}  // namespace
}  // namespace pare::testing
