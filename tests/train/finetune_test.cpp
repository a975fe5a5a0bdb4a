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

TEST(Finetune, AResumedRunEndsLikeOneThatWasNotStopped) {
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
  // The convolution of 27 normal numbers by normal weights has a variance near 27, the sum of their squares. Two steps
  // leave running statistics a fifth of the way: after a short run they are taken anew.
  EXPECT_GT(variance_after(NormTraining::kReestimated), 10);
  EXPECT_NEAR(variance_after(NormTraining::kBatch), variance_after(NormTraining::kReestimated), 1e-3);
}

/// Conv, BatchNormalization, Relu, Conv on 8 x 8 pixels of two bands; 0.5 of band 1 times band 2 is to be predicted.
Model small_regressor(std::int64_t outputs = 1) {
  Model model = model_from_text(fmt::format(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[N, 2, 8, 8] x) => (float[N, {0}, 8, 8] y)
    <float[16] g = {{{1}}}, float[16] b = {{{2}}}, float[16] m = {{{2}}}, float[16] v = {{{1}}}>
    {{ c = Conv(x, w) n = BatchNormalization(c, g, b, m, v) r = Relu(n) y = Conv(r, h, hb) }})",
                                            outputs, fmt::join(std::vector<int>(16, 1), ", "),
                                            fmt::join(std::vector<int>(16, 0), ", ")));
  model.graph.initializers.set("w", Tensor::of<float>({16, 2, 1, 1}, normal_values(32, 1)));
  model.graph.initializers.set("h", Tensor::of<float>({outputs, 16, 1, 1}, normal_values(outputs * 16, 2, 0.25)));
  model.graph.initializers.set("hb", Tensor::zeros(DType::kFloat32, {outputs}));
  return model;
}

/// Bands are normal numbers times `contrast`; channel k of the target is means[k] + deviations[k] * |band 1 - band 2|.
std::shared_ptr<const Dataset> small_maps(std::int64_t count, double contrast, const std::vector<double>& means,
                                          const std::vector<double>& deviations, bool with_gaps = false) {
  const std::vector<float> values = normal_values(count * 128, 3, contrast);
  std::vector<float> targets;
  for (std::int64_t i = 0; i < count; ++i)
    for (std::size_t k = 0; k < means.size(); ++k)
      for (std::int64_t pixel = 0; pixel < 64; ++pixel) {
        const auto at = static_cast<std::size_t>(i * 128 + pixel);
        const double seen = std::abs(static_cast<double>(values[at]) - static_cast<double>(values[at + 64])) / contrast;
        targets.push_back(with_gaps && (i + pixel) % 3 == 0 ? std::nanf("")
                                                            : static_cast<float>(means[k] + deviations[k] * seen));
      }
  return std::make_shared<SmallDataset>(Shape{2, 8, 8}, values, std::vector<std::int64_t>{},
                                        Shape{static_cast<std::int64_t>(means.size()), 8, 8}, targets);
}

Evaluation evaluated(const Model& model, const Dataset& data) {
  const auto session = open_session(model);
  return evaluate(*session, data);
}

TEST(Finetune, TargetsInAnyUnitAreLearnedAlike) {
  TrainOptions options = quick(20);
  options.optimizer = Optimizer::kSgd;
  options.learning_rate = 0.05;
  options.batch = 16;
  const auto plain = small_maps(64, 1, {0}, {1}), large = small_maps(64, 1, {3000}, {250}, true);
  const TrainResult one = train_model(small_regressor(), nullptr, plain, options);
  EXPECT_GT(evaluated(one.model, *plain).regression.r2, 0.9);
  const TrainResult other = train_model(small_regressor(), nullptr, large, options);
  EXPECT_GT(evaluated(other.model, *large).regression.r2, 0.9);
  EXPECT_NEAR(other.epochs.front().loss, one.epochs.front().loss, 0.3 * one.epochs.front().loss);
  EXPECT_THAT(other.notes, ::testing::Contains(::testing::HasSubstr("no better than the mean of the targets")));
}

TEST(Finetune, ChannelsCountInTheirOwnUnits) {
  TrainOptions options = quick(40);
  options.batch = 16;
  const auto data = small_maps(64, 1, {0, -5000}, {0.001, 1000});
  const TrainResult result = train_model(small_regressor(2), nullptr, data, options);
  const auto session = open_session(result.model);
  std::vector<std::int64_t> all(64);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
  const Batch batch = data->batch(all);
  const std::vector<float> given = session->run(batch.inputs).front().to_floats(), wanted = batch.target.to_floats();
  double small = 0;
  for (std::size_t i = 0; i < given.size(); ++i)
    if (i / 64 % 2 == 0) small += std::abs(static_cast<double>(given[i]) - static_cast<double>(wanted[i]));
  EXPECT_LT(small / static_cast<double>(given.size() / 2), 0.0003);  // deviation of the target: 0.00085
}

TEST(Finetune, ATrainedNetworkBeginsAsItIs) {
  TrainOptions options = quick(20);
  const auto data = small_maps(64, 1, {3000}, {250});
  const Model trained = train_model(small_regressor(), nullptr, data, options).model;
  options.epochs = 1;
  options.learning_rate = 1e-12;
  options.weight_decay = 0;
  options.norm = NormTraining::kFrozen;
  const TrainResult again = train_model(trained, nullptr, data, options);
  EXPECT_NEAR(evaluated(again.model, *data).value, evaluated(trained, *data).value, 0.01);
  EXPECT_THAT(again.notes, ::testing::Not(::testing::Contains(::testing::HasSubstr("no better than"))));
}

TEST(Finetune, WhatComesOutOfSmallBatchesIsWhatWasTrained) {
  // Bands as they are stored, far from the running statistics of the untrained network.
  const auto data = small_maps(64, 100, {60}, {30});
  for (const auto& [norm, batch] : {std::pair{NormTraining::kAuto, 8}, std::pair{NormTraining::kReestimated, 32},
                                    std::pair{NormTraining::kBatch, 32}}) {
    TrainOptions options = quick(100);
    options.batch = batch;
    options.norm = norm;
    options.hard = HardLoss::kMse;
    const TrainResult result = train_model(small_regressor(), nullptr, data, options);
    const double trained = result.epochs.back().loss, given = 1 - evaluated(result.model, *data).regression.r2;
    EXPECT_LT(trained, 0.1);
    EXPECT_NEAR(given, trained, 0.3 * trained);  // both: squared error in units of the variance
  }
}

TEST(Finetune, AResumedRunKeepsItsUnits) {
  const TempDir folder;
  const auto data = small_maps(64, 1, {3000}, {250});
  TrainOptions options = quick(4);
  options.batch = 16;
  options.validation = 0.25;  // the network is written in between
  const std::string whole = serialize_model(train_model(small_regressor(), nullptr, data, options).model);
  options.checkpoint = folder / "state.onnx";
  options.resume = true;
  Stop stop(7);
  expect_error([&] { (void)train_model(small_regressor(), nullptr, data, options, stop); }, ErrorCode::kInterrupted,
               {});
  EXPECT_EQ(serialize_model(train_model(small_regressor(), nullptr, data, options).model), whole);
}

TEST(Finetune, ATeacherAloneGivesTheUnits) {
  const auto data = small_maps(64, 1, {3000}, {250});
  TrainOptions options = quick(40);
  options.batch = 16;
  const Model teacher = train_model(small_regressor(), nullptr, data, options).model;
  const auto unlabelled = std::make_shared<SmallDataset>(Shape{2, 8, 8}, normal_values(64 * 128, 3));
  for (const std::shared_ptr<const Dataset>& images : {std::shared_ptr<const Dataset>(unlabelled), data}) {
    options.use_labels = false;
    const TrainResult taught = train_model(small_regressor(), &teacher, images, options);
    EXPECT_GT(evaluated(taught.model, *data).regression.r2, 0.9);
    EXPECT_LT(taught.epochs.front().loss, 2);
  }
}

TEST(Finetune, FewSamplesMakeSmallBatches) {
  TrainOptions options = quick(1);
  options.batch = 0;
  EXPECT_EQ(train_model(small_regressor(), nullptr, small_maps(80, 1, {0}, {1}), options).steps, 5);  // 16 each
  EXPECT_EQ(train_model(perceptron(8, 16, 4, kSeed), nullptr, labelled_points(640, 8, 4, 1), options).steps, 10);
  EXPECT_EQ(train_model(perceptron(8, 16, 4, kSeed), nullptr, labelled_points(2560, 8, 4, 1), options).steps, 20);
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
