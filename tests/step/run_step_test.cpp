// Fault injection: steps that break a model in every way that run_step promises to notice.
#include <algorithm>
#include <functional>

#include "pare/model_io.h"
#include "pare/step.h"
#include "support/support.h"

namespace pare::testing {
namespace {

Model conv_model() {
  return model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N, 1, H, W] x) => (float[N, 2, H, W] y)
    <float[2, 1, 1, 1] w = {5, 7}, float[2] b = {1, 2}> { c = Conv(x, w, b) y = Relu(c) })");
}

StepInfo fake(std::function<void(Model&)> change, StepKind kind = StepKind::kRewrite) {
  StepInfo info;
  info.name = "break_something";
  info.kind = kind;
  info.run = [change](const Model& model, const StepOptions&, Context&) {
    StepResult result;
    result.model = model;
    change(result.model);
    result.changes = 1;
    return result;
  };
  return info;
}

CheckedResult run(const StepInfo& step, const Model& model = conv_model(), Context context = {}) {
  return run_step(step, model, StepOptions({}, {}), context);
}

void expect_caught(std::function<void(Model&)> change, std::initializer_list<const char*> parts,
                   StepKind kind = StepKind::kRewrite) {
  const Model before = conv_model();
  const std::string text = model_to_text(before);
  expect_error([&] { (void)run(fake(std::move(change), kind), before); }, ErrorCode::kInternal, parts);
  EXPECT_EQ(model_to_text(before), text);
}

const StepCheck& find_check(const CheckedResult& checked, const std::string& name) {
  const auto found = std::find_if(checked.checks.begin(), checked.checks.end(),
                                  [&](const StepCheck& check) { return check.name == name; });
  if (found == checked.checks.end()) throw std::runtime_error("no check " + name);
  return *found;
}

TEST(RunStep, PassesAStepThatChangesNothingThatMatters) {
  const CheckedResult checked = run(fake([](Model& model) { model.graph.nodes[0].name = "named"; }));
  EXPECT_EQ(checked.result.model.graph.nodes[0].name, "named");
  ASSERT_EQ(checked.checks.size(), 6U);
  for (const StepCheck& check : checked.checks) EXPECT_TRUE(check.passed) << check.name << ": " << check.detail;
  EXPECT_THAT(find_check(checked, "same outputs").detail, ::testing::HasSubstr("4 inputs"));
}

TEST(RunStep, CatchesOtherNumbersAndSaysHowFarAndWhere) {
  expect_caught(
      [](Model& model) { model.graph.initializers.set("b", Tensor::of<float>({2}, {1, 2.1F})); },
      {"step 'break_something'", "'same outputs'", "random input, seed 0", "output 'y'", "of the range", "remedy"});
}

TEST(RunStep, CatchesNan) {
  expect_caught([](Model& model) { model.graph.initializers.set("b", Tensor::of<float>({2}, {1, std::nanf("")})); },
                {"'same outputs'", "nan"});
}

TEST(RunStep, CatchesWhatShowsOnlyAtABatchOfTwo) {
  // Right for one sample, wrong for two: the mean over the batch.
  expect_caught(
      [](Model& model) {
        Node mean;
        mean.op_type = "ReduceMean";
        mean.inputs = {"x"};
        mean.outputs = {"m"};
        mean.set_attribute("axes", std::vector<std::int64_t>{0});
        model.graph.nodes.insert(model.graph.nodes.begin(), mean);
        model.graph.nodes[1].inputs[0] = "u";
        Node add = mean;
        add.op_type = "Add";
        add.attributes.clear();
        add.inputs = {"m", "zero"};
        add.outputs = {"u"};
        Node zero = add;
        zero.op_type = "Sub";
        zero.inputs = {"x", "x"};
        zero.outputs = {"zero"};
        model.graph.nodes.insert(model.graph.nodes.begin() + 1, {zero, add});
      },
      {"'same outputs'", "batch of 2"});
}

TEST(RunStep, CatchesWhatShowsOnlyOnRealData) {
  // Clips at 1: random inputs lie in [0, 1).
  const Model before = model_from_text(
      "<ir_version: 8, opset_import: [\"\" : 17]> g (float[N, 2] x) => (float[N, 2] y) { y = Relu(x) }");
  const StepInfo clip = fake([](Model& model) {
    model.graph.initializers.set("zero", Tensor::scalar(0.0F));
    model.graph.initializers.set("one", Tensor::scalar(1.0F));
    model.graph.nodes[0].op_type = "Clip";
    model.graph.nodes[0].inputs = {"x", "zero", "one"};
  });
  EXPECT_NO_THROW((void)run(clip, before));
  class Large : public Dataset {
   public:
    [[nodiscard]] Task task() const override { return Task::kNone; }
    [[nodiscard]] std::int64_t size() const override { return 4; }
    [[nodiscard]] std::vector<std::string> class_names() const override { return {}; }
    [[nodiscard]] std::string description() const override { return "large values"; }
    [[nodiscard]] std::string fingerprint() const override { return "large"; }
    [[nodiscard]] Batch batch(std::span<const std::int64_t> indices) const override {
      const auto count = static_cast<std::int64_t>(indices.size());
      Batch batch;
      batch.inputs.emplace("x", Tensor::of<float>({count, 2}, std::vector<float>(indices.size() * 2, 3.0F)));
      batch.size = count;
      return batch;
    }
  };
  Context context;
  context.data = std::make_shared<Large>();
  expect_error([&] { (void)run(clip, before, context); }, ErrorCode::kInternal, {"real sample 1"});
}

TEST(RunStep, CatchesBrokenStructure) {
  expect_caught([](Model& model) { model.graph.nodes[1].inputs[0] = "nowhere"; }, {"'structure'", "nowhere"});
  expect_caught([](Model& model) { std::swap(model.graph.nodes[0], model.graph.nodes[1]); }, {"'structure'"});
}

TEST(RunStep, CatchesAChangedInterface) {
  expect_caught([](Model& model) { model.graph.inputs[0].shape->front().symbol = "M"; },
                {"'same inputs and outputs'", "float32[N, 1, H, W]", "float32[M, 1, H, W]"});
}

TEST(RunStep, LetsATechniqueChangeNumbersButNotTheInterface) {
  const auto change = [](Model& model) { model.graph.initializers.set("b", Tensor::of<float>({2}, {3, 3})); };
  const CheckedResult checked = run(fake(change, StepKind::kTechnique));
  EXPECT_EQ(checked.checks.size(), 5U);
  expect_caught([](Model& model) { model.graph.outputs.push_back(model.graph.outputs[0]); }, {"step 'break_something'"},
                StepKind::kTechnique);
}

TEST(RunStep, SaysWhatCouldNotBeRun) {
  Model foreign = conv_model();
  foreign.opset_imports.push_back({"com.example", 1});
  foreign.graph.nodes[1].domain = "com.example";
  const CheckedResult checked = run(fake([](Model& model) { model.graph.nodes[0].name = "named"; }), foreign);
  EXPECT_TRUE(find_check(checked, "structure").passed);
  for (const char* name : {"loads with optimizations on", "loads with optimizations off", "same outputs"}) {
    EXPECT_FALSE(find_check(checked, name).passed);
    EXPECT_THAT(find_check(checked, name).detail, ::testing::StartsWith("not run: the model before does not run"));
  }
}

TEST(RunStep, DoesNotCompareRandomNumbers) {
  const Model random = model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y)
    { r = RandomUniform<shape = [2]>() y = Add(x, r) })");
  const CheckedResult checked = run(fake([](Model&) {}), random);
  EXPECT_THAT(find_check(checked, "same outputs").detail, ::testing::HasSubstr("draws random numbers"));
}

TEST(RunStep, NamesTheStepThatStopsByAForeignException) {
  StepInfo step = fake([](Model&) { throw std::out_of_range("vector"); });
  expect_error([&] { (void)run(step); }, ErrorCode::kInternal, {"step 'break_something' stopped with: vector"});
  step = fake([](Model&) { throw Error(ErrorCode::kUnsupported, "own words"); });
  expect_error([&] { (void)run(step); }, ErrorCode::kUnsupported, {"own words"});
}

}  // namespace
}  // namespace pare::testing
