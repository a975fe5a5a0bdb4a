// Training runs on small networks: what they learn, keep, and refuse.
#include <chrono>
#include <cmath>
#include <limits>

#include "pare/measure.h"
#include "pare/session.h"
#include "pare/train.h"
#include "train/small_data.h"

namespace pare::testing {
namespace {

constexpr std::uint64_t kSeed = 5;

TrainOptions quick(double epochs = 20) {
  return {.epochs = epochs,
          .batch = 64,
          .optimizer = Optimizer::kAdam,
          .learning_rate = 0.01,
          .precision = Precision::kFloat32,
          .seed = kSeed};
}

double top1(const Model& model, const Dataset& data) {
  const auto session = open_session(model);
  return evaluate(*session, data).value;
}

TEST(Finetune, LearnsFromLabels) {
  const Model start = perceptron(8, 32, 4, kSeed);
  const auto train = labelled_points(1024, 8, 4, 1), test = labelled_points(512, 8, 4, 2);
  const double before = top1(start, *test);
  const TrainResult result = train_model(start, nullptr, train, quick());
  EXPECT_LT(before, 0.6);
  EXPECT_GT(top1(result.model, *test), 0.9);
  EXPECT_LT(result.epochs.back().loss, 0.5 * result.epochs.front().loss);
  EXPECT_EQ(result.steps, 20 * 16);
  // Only the weights differ.
  Model same = result.model;
  for (const Initializers::Entry& entry : start.graph.initializers)
    same.graph.initializers.set(entry.name, entry.tensor);
  EXPECT_EQ(serialize_model(same), serialize_model(start));
}

TEST(Finetune, TheSameSeedGivesTheSameWeights) {
  const Model start = perceptron(8, 16, 4, kSeed);
  const auto data = labelled_points(256, 8, 4, 1);
  const std::string one = serialize_model(train_model(start, nullptr, data, quick(2)).model);
  EXPECT_EQ(one, serialize_model(train_model(start, nullptr, data, quick(2)).model));
  TrainOptions other = quick(2);
  other.seed = kSeed + 1;
  EXPECT_NE(one, serialize_model(train_model(start, nullptr, data, other).model));
}

TEST(Finetune, ZerosOfPruningStayZeros) {  // B23
  Model start = perceptron(8, 32, 4, kSeed);
  std::vector<float> weights = start.graph.initializers.find("w1")->to_floats();
  for (std::size_t i = 0; i < weights.size(); i += 2) weights[i] = 0;
  start.graph.initializers.set("w1", Tensor::of<float>({32, 8}, weights));
  TrainOptions options = quick(3);
  options.ema = 0.9;
  const TrainResult result = train_model(start, nullptr, labelled_points(256, 8, 4, 1), options);
  const std::vector<float> after = result.model.graph.initializers.find("w1")->to_floats();
  int zeros = 0, moved = 0;
  for (std::size_t i = 0; i < after.size(); ++i) {
    if (i % 2 == 0) {
      EXPECT_EQ(after[i], 0) << i;
    }
    zeros += after[i] == 0 ? 1 : 0;
    moved += after[i] != weights[i] ? 1 : 0;
  }
  EXPECT_EQ(zeros, 128);
  EXPECT_EQ(moved, 128);
  EXPECT_EQ(result.kept_zeros, 128);
}

TEST(Finetune, WeightsComeOutWithoutSubnormals) {  // A35
  Model start = perceptron(8, 16, 4, kSeed);
  std::vector<float> weights = start.graph.initializers.find("w1")->to_floats();
  weights[3] = 1e-40F;
  start.graph.initializers.set("w1", Tensor::of<float>({16, 8}, weights));
  TrainOptions options = quick(0.5);
  options.learning_rate = 1e-12;  // the weight stays what it is
  options.weight_decay = 0;
  const TrainResult result = train_model(start, nullptr, labelled_points(128, 8, 4, 1), options);
  for (const Initializers::Entry& entry : result.model.graph.initializers)
    for (const float value : entry.tensor.data<float>())
      EXPECT_TRUE(value == 0 || std::abs(value) >= std::numeric_limits<float>::min()) << entry.name;
}

TEST(Finetune, StopsAtTheFirstLossThatIsNoNumber) {
  TrainOptions options = quick(5);
  options.optimizer = Optimizer::kSgd;
  options.learning_rate = 1e3;
  options.clip_norm = 0;
  options.hard = HardLoss::kMse;
  const std::vector<float> values = normal_values(256 * 8, 1), targets = normal_values(256 * 4, 2);
  const auto data = std::make_shared<SmallDataset>(Shape{8}, values, std::vector<std::int64_t>{}, Shape{4}, targets);
  expect_error([&] { (void)train_model(perceptron(8, 16, 4, kSeed), nullptr, data, options); }, ErrorCode::kNumeric,
               {"step", "learning rate", "remedy"});
}

TEST(Finetune, RegressionIsChosenForNumbersAndSkipsMissingOnes) {  // G6
  std::vector<float> values = normal_values(512 * 8, 1), targets;
  for (std::size_t i = 0; i < 512; ++i)
    targets.push_back(i % 3 == 0 ? std::nanf("") : values[i * 8] - 2 * values[i * 8 + 1]);
  const auto data = std::make_shared<SmallDataset>(Shape{8}, values, std::vector<std::int64_t>{}, Shape{1}, targets);
  const TrainResult result = train_model(perceptron(8, 32, 1, kSeed), nullptr, data, quick(30));
  EXPECT_THAT(result.notes.front(), ::testing::HasSubstr("Huber"));
  const auto session = open_session(result.model);
  EXPECT_LT(evaluate(*session, *data).regression.rmse, 0.7);
  TrainOptions wrong = quick(1);
  wrong.hard = HardLoss::kCrossEntropy;
  expect_error([&] { (void)train_model(perceptron(8, 32, 1, kSeed), nullptr, data, wrong); },
               ErrorCode::kInvalidArgument, {"cross entropy", "regression", "remedy"});
}

TEST(Finetune, AResumedRunEndsLikeOneThatWasNotStopped) {
  /// Cancels after some steps.
  class Stop final : public ProgressSink {
   public:
    explicit Stop(std::int64_t at) : at_(at) {}
    void begin(std::string_view, std::int64_t, std::string_view) override {}
    void advance(std::int64_t done) override { done_ = done; }
    void end() override {}
    void note(std::string_view) override {}
    void warning(std::string_view) override {}
    bool cancelled() const override { return done_ >= at_; }

   private:
    std::int64_t at_, done_ = 0;
  };
  const Model start = perceptron(8, 16, 4, kSeed);
  const auto data = labelled_points(256, 8, 4, 1);
  for (const Optimizer optimizer : {Optimizer::kSgd, Optimizer::kAdamW}) {
    TempDir folder;
    TrainOptions options = quick(4);
    options.optimizer = optimizer;
    options.ema = 0.9;
    const std::string whole = serialize_model(train_model(start, nullptr, data, options).model);
    options.checkpoint = folder / "state.onnx";
    options.resume = true;
    Stop stop(7);
    expect_error([&] { (void)train_model(start, nullptr, data, options, stop); }, ErrorCode::kInterrupted, {});
    const TrainResult rest = train_model(start, nullptr, data, options);
    EXPECT_EQ(serialize_model(rest.model), whole);
    EXPECT_THAT(rest.notes, ::testing::Contains(::testing::HasSubstr("went on from step 7 of 16")));
    TrainOptions other = options;
    other.batch = 32;
    expect_error([&] { (void)train_model(start, nullptr, data, other); }, ErrorCode::kInvalidArgument,
                 {"another run", "remedy"});
  }
}

TEST(Finetune, EndsWithinTheTimeThatItIsGiven) {
  TrainOptions options = quick(100'000);
  options.time_limit_s = 1;
  const auto start = std::chrono::steady_clock::now();
  const TrainResult result = train_model(perceptron(8, 16, 4, kSeed), nullptr, labelled_points(256, 8, 4, 1), options);
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 10);
  EXPECT_GT(result.steps, 25);
  EXPECT_LT(result.epochs.back().learning_rate, 0.5 * result.learning_rate);  // the schedule came to its end
}

TEST(Finetune, KeepsTheBestEpochAndStopsEarly) {
  TrainOptions options = quick(40);
  options.learning_rate = 0.03;
  options.validation = 0.25;
  options.patience = 3;
  const TrainResult result = train_model(perceptron(8, 32, 4, kSeed), nullptr, labelled_points(256, 8, 4, 1), options);
  ASSERT_GE(result.best_epoch, 0);
  double best = 0;
  for (const EpochFigures& epoch : result.epochs) best = std::max(best, epoch.validation.value());
  EXPECT_EQ(result.epochs[static_cast<std::size_t>(result.best_epoch)].validation.value(), best);
  EXPECT_EQ(result.epochs.front().images, 192);
}

TEST(Finetune, RunningStatisticsFollowOrStayAsAsked) {
  Model model = model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[N, 3, 6, 6] x) => (float[N, 4] y)
    <float[4] g = {1, 1, 1, 1}, float[4] b = {0, 0, 0, 0}, float[4] m = {0, 0, 0, 0}, float[4] v = {1, 1, 1, 1}>
    { c = Conv(x, w) n = BatchNormalization(c, g, b, m, v) r = Relu(n) p = GlobalAveragePool(r) y = Flatten(p) })");
  model.graph.initializers.set("w", Tensor::of<float>({4, 3, 3, 3}, normal_values(108, 1)));
  std::vector<std::int64_t> labels;
  for (int i = 0; i < 128; ++i) labels.push_back(i % 4);
  const auto data = std::make_shared<SmallDataset>(Shape{3, 6, 6}, normal_values(128 * 108, 2), labels);
  const auto variance_after = [&](NormTraining norm) {
    TrainOptions options = quick(1);
    options.norm = norm;
    options.learning_rate = 1e-12;
    options.weight_decay = 0;
    return train_model(model, nullptr, data, options).model.graph.initializers.find("v")->to_floats()[0];
  };
  EXPECT_EQ(variance_after(NormTraining::kFrozen), 1);
  const float followed = variance_after(NormTraining::kBatch), anew = variance_after(NormTraining::kReestimated);
  EXPECT_GT(followed, 1.5F);  // the convolution of 27 normal numbers by normal weights has a variance near 27
  EXPECT_GT(anew, 2 * followed);
}

TEST(Finetune, WhatCannotBeTrainedIsRefusedBeforeAnythingRuns) {
  const Model model = model_from_text(R"(<ir_version: 8, opset_import: ["" : 17, "their.domain" : 1]>
    net (float[N, 8] x) => (float[N, 8] y) { y = their.domain.Mystery(x) })");
  expect_error([&] { (void)train_model(model, nullptr, labelled_points(64, 8, 4, 1), quick(1)); },
               ErrorCode::kUnsupported, {"cannot be trained", "Mystery"});
  ASSERT_EQ(training_refusals(model).size(), 1U);
}

TEST(Finetune, OptionsOfATeacherAreRefusedWithoutOne) {
  const StepInfo& step = find_step("finetune");
  Context context;
  context.data = labelled_points(64, 8, 4, 1);
  for (const char* name : {"temperature", "hard-weight"})
    expect_error(
        [&] { (void)step.run(perceptron(8, 16, 4, kSeed), StepOptions(step.options, {{name, "0.5"}}), context); },
        ErrorCode::kInvalidArgument, {name, "--teacher"});
}

TEST(Finetune, ABatchLargerThanTheDataIsSaid) {
  TrainOptions options = quick(1);
  options.batch = 1000;
  EXPECT_THAT(train_model(perceptron(8, 16, 4, kSeed), nullptr, labelled_points(64, 8, 4, 1), options).notes,
              ::testing::Contains(::testing::HasSubstr("only 64 samples")));
}

TEST(Finetune, NeedsLabelsOrATeacher) {
  const auto data = std::make_shared<SmallDataset>(Shape{8}, normal_values(64 * 8, 1));
  expect_error([&] { (void)train_model(perceptron(8, 16, 4, kSeed), nullptr, data, quick(1)); },
               ErrorCode::kInvalidArgument, {"nothing to learn from", "--teacher"});
}

}  // namespace
}  // namespace pare::testing
