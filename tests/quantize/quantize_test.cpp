#include "pare/model_io.h"
#include "pare/session.h"
#include "quantize/samples.h"
#include "support/support.h"

namespace pare::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

Model classifier(int opset = 17) {
  Model model = model_from_text(fmt::format(R"(<ir_version: 8, opset_import: ["": {}]>
  g (float[N,3,8,8] x) => (float[N,5] y) {{
    [one] a = Conv<pads = [1,1,1,1]>(x, w0, b0)
    b = Relu(a)
    [two] c = Conv<pads = [1,1,1,1]>(b, w1)
    d = Add(c, b)
    e = Relu(d)
    p = GlobalAveragePool(e)
    q = Flatten(p)
    [three] y = Gemm(q, w2, b2)
  }})",
                                            opset));
  add_weights(model, {{"w0", {8, 3, 3, 3}}, {"b0", {8}}, {"w1", {8, 8, 3, 3}}, {"w2", {8, 5}}, {"b2", {5}}});
  return model;
}

std::shared_ptr<const Dataset> samples(Task task = Task::kClassification) {
  return std::make_shared<ListDataset>("x", random_samples({1, 3, 8, 8}, 24, 1), task);
}

double relative_error(const Model& a, const Model& b) {
  const auto one = open_session(a), two = open_session(b);
  double signal = 0, noise = 0;
  for (const Tensor& x : random_samples({1, 3, 8, 8}, 10, 99)) {
    const Tensor p = one->run({{"x", x}})[0], q = two->run({{"x", x}})[0];
    for (std::size_t i = 0; i < p.data<float>().size(); ++i) {
      signal += p.data<float>()[i] * p.data<float>()[i];
      noise += (p.data<float>()[i] - q.data<float>()[i]) * (p.data<float>()[i] - q.data<float>()[i]);
    }
  }
  return std::sqrt(noise / signal);
}

TEST(Quantize, IsRightForEveryMethodAndTarget) {
  const Model model = classifier();
  for (const char* method : {"minmax", "percentile", "mse", "entropy", "auto"})
    for (const char* target : {"onnxruntime", "openvino"}) {
      const StepResult result = run_quantize(model, samples(), {{"calibrate", method}, {"target", target}});
      check_model(result.model);
      EXPECT_LT(relative_error(model, result.model), 0.03) << method << " for " << target;
      EXPECT_THAT(result.notes, Contains("2 of 2 convolutions are int8"));
    }
}

TEST(Quantize, RunsAsOneIntegerRegionInOnnxRuntime) {
  const StepResult result = run_quantize(classifier(), samples());
  SessionOptions options;
  options.profile = true;
  const auto session = open_session(result.model, options);
  (void)session->run({{"x", random_samples({1, 3, 8, 8}, 1, 2)[0]}});
  std::map<std::string, int> kernels;
  for (const NodeTime& node : session->profile()) ++kernels[node.op_type];
  EXPECT_EQ(kernels["QLinearConv"], 2);
  EXPECT_EQ(kernels["QLinearAdd"], 1);
  EXPECT_EQ(kernels["QGemm"], 1);
  EXPECT_EQ(kernels["QuantizeLinear"], 1);
  EXPECT_EQ(kernels["DequantizeLinear"], 0);
  EXPECT_EQ(kernels["Conv"] + kernels["FusedConv"] + kernels["Relu"], 0);
  EXPECT_EQ(result.figures.at("islands"), 0);
}

TEST(Quantize, LeavesExcludedNodesFloat) {
  const StepResult result = run_quantize(classifier(), samples(), {{"exclude", "one,Gemm"}});
  EXPECT_EQ(result.figures.at("quantized_ops"), 3);  // two, Add, GlobalAveragePool
  int excluded = 0;
  for (const NodeReason& skipped : result.skipped) excluded += skipped.reason.starts_with("excluded by") ? 1 : 0;
  EXPECT_EQ(excluded, 2);
  EXPECT_TRUE(result.model.graph.initializers.contains("w0"));
  expect_error([] { (void)run_quantize(classifier(), samples(), {{"exclude", "onee"}}); }, ErrorCode::kInvalidArgument,
               {"onee", "one"});
}

TEST(Quantize, ExcludingEverythingGivesTheModelBack) {
  const Model model = classifier();
  const StepResult result = run_quantize(model, samples(), {{"exclude", "*"}});
  EXPECT_EQ(result.changes, 0);
  EXPECT_EQ(serialize_model(result.model), serialize_model(model));
}

TEST(Quantize, RefusesWhatItCannotDo) {
  expect_error([] { (void)run_quantize(classifier(), nullptr); }, ErrorCode::kInvalidArgument,
               {"calibration samples", "remedy", "dynamic"});
  expect_error([] { (void)run_quantize(classifier(11), samples()); }, ErrorCode::kInvalidArgument,
               {"opset 11", "remedy", "rewrite"});
  const Model once = run_quantize(classifier(), samples()).model;
  expect_error([&] { (void)run_quantize(once, samples()); }, ErrorCode::kInvalidArgument,
               {"quantized already", "float model"});
}

TEST(Quantize, RandomSamplesNeedAFlagAndAreMarked) {
  const StepResult result = run_quantize(classifier(), nullptr, {{"allow-random", "on"}, {"samples", "8"}});
  EXPECT_THAT(result.notes, Contains(HasSubstr("timing only")));
  check_model(result.model);
}

TEST(Quantize, IsTheSameFileForTheSameSamples) {
  const auto first = run_quantize(classifier(), samples(), {{"calibrate", "mse"}});
  const auto second = run_quantize(classifier(), samples(), {{"calibrate", "mse"}});
  EXPECT_EQ(serialize_model(first.model), serialize_model(second.model));
}

TEST(Quantize, ADenseOutputKeepsMoreThan256Values) {
  Model model = model_from_text(R"(<ir_version: 8, opset_import: ["": 17]>
  g (float[N,3,8,8] x) => (float[N,1,8,8] y) {
    a = Conv<pads = [1,1,1,1]>(x, w0)
    b = Relu(a)
    c = Conv<pads = [1,1,1,1]>(b, w1)
    d = Relu(c)
    y = Conv(d, w2)
  })");
  add_weights(model, {{"w0", {8, 3, 3, 3}}, {"w1", {8, 8, 3, 3}}, {"w2", {1, 8, 1, 1}}});
  const auto distinct = [&](const StepResult& result) {
    std::set<float> values;
    const auto session = open_session(result.model);
    for (const Tensor& x : random_samples({1, 3, 8, 8}, 12, 5)) {
      const Tensor y = session->run({{"x", x}})[0];
      values.insert(y.data<float>().begin(), y.data<float>().end());
    }
    return values.size();
  };
  for (const Task task : {Task::kRegression, Task::kNone}) {
    const StepResult result = run_quantize(model, samples(task));
    EXPECT_GT(distinct(result), 256u);
    EXPECT_THAT(result.notes, Contains(HasSubstr("last layers stay float")));
  }
  EXPECT_LE(distinct(run_quantize(model, samples(Task::kRegression), {{"last-float", "off"}})), 256u);
}

TEST(Quantize, SubgraphsAreLeftAloneAndStayValid) {
  Model model = model_from_text(R"(<ir_version: 8, opset_import: ["": 17]>
  g (float[1,3,8,8] x, bool c) => (float[1,8,8,8] y) {
    a = Conv<pads = [1,1,1,1]>(x, w0, b0)
    r = Relu(a)
    y = If(c) <
      then_branch = t () => (float[1,8,8,8] u) { u = Conv<pads = [1,1,1,1]>(r, w1) },
      else_branch = e () => (float[1,8,8,8] v) { v = Neg(r) }
    >
  })");
  add_weights(model, {{"w0", {8, 3, 3, 3}}, {"b0", {8}}, {"w1", {8, 8, 3, 3}}});
  class WithFlag : public ListDataset {
   public:
    using ListDataset::ListDataset;
    [[nodiscard]] Batch batch(std::span<const std::int64_t> indices) const override {
      Batch batch = ListDataset::batch(indices);
      batch.inputs.emplace("c", Tensor::scalar(true));
      return batch;
    }
  };
  const auto data = std::make_shared<WithFlag>("x", random_samples({1, 3, 8, 8}, 4, 1), Task::kClassification);
  const StepResult result = run_quantize(model, data);
  check_model(result.model);
  EXPECT_EQ(result.done.size(), 1u);
  const NamedTensors inputs = data->batch(std::vector<std::int64_t>{0}).inputs;
  EXPECT_THAT(open_session(result.model)->run(inputs)[0], AllClose(open_session(model)->run(inputs)[0], {.atol = 0.3}));
}

}  // namespace
}  // namespace pare::testing
