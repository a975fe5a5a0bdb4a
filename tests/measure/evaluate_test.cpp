#include "pare/measure.h"

#include <cmath>

#include "core/random.h"
#include "measure/fakes.h"
#include "support/support.h"

namespace pare::testing {
namespace {

/// Gives sample i the i-th row.
FakeSession from_rows(std::vector<std::vector<float>> rows, Shape row_shape, std::int64_t batch = -1,
                      std::vector<std::int64_t>* batches = nullptr) {
  return FakeSession::on_index(
      [=](const std::vector<float>& indices) {
        std::vector<float> out;
        for (const float index : indices) {
          const auto& row = rows.at(static_cast<std::size_t>(index));
          out.insert(out.end(), row.begin(), row.end());
        }
        if (batches != nullptr) batches->push_back(static_cast<std::int64_t>(indices.size()));
        Shape shape = {static_cast<std::int64_t>(indices.size())};
        shape.insert(shape.end(), row_shape.begin(), row_shape.end());
        return Tensor::of<float>(shape, out);
      },
      batch);
}

TEST(Classification, CountsTop1AndGivesWilsonsInterval) {
  FakeSession session = from_rows({{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 0, 0}}, {3});
  const Evaluation result = evaluate(session, FakeDataset::labelled({0, 1, 2, 1}));
  EXPECT_EQ(result.metric, Metric::kTop1);
  EXPECT_DOUBLE_EQ(result.value, 0.75);
  EXPECT_NEAR(result.interval.low, 0.3006, 1e-4);
  EXPECT_NEAR(result.interval.high, 0.9544, 1e-4);
  EXPECT_EQ(result.samples, 4);
  EXPECT_EQ(result.top5, -1);
  EXPECT_EQ(result.scores, (std::vector<float>{1, 1, 1, 0}));
  EXPECT_EQ(result.score_width, 1);
}

TEST(Classification, TiesGoToTheLowestIndex) {
  FakeSession session = from_rows({{5, 5, 0}, {5, 5, 0}, {0, 0, 0}}, {3, 1, 1});
  EXPECT_EQ(evaluate(session, FakeDataset::labelled({0, 1, 2})).scores, (std::vector<float>{1, 0, 0}));
}

TEST(Classification, CountsTop5WithMoreThanFiveClasses) {
  const std::vector<float> row = {7, 6, 5, 4, 3, 2, 1};
  FakeSession session = from_rows({row, row, row, row}, {7});
  const Evaluation result = evaluate(session, FakeDataset::labelled({0, 4, 5, 6}));
  EXPECT_DOUBLE_EQ(result.value, 0.25);
  EXPECT_DOUBLE_EQ(result.top5, 0.5);
}

TEST(Classification, FeedsNetworksOfFixedBatchExactlyThatManySamples) {
  std::vector<std::int64_t> batches;
  FakeSession session = from_rows({{1, 0}, {0, 1}, {1, 0}, {0, 1}, {1, 0}, {0, 1}, {1, 0}}, {2}, 3, &batches);
  const Evaluation result = evaluate(session, FakeDataset::labelled({0, 1, 0, 1, 0, 1, 1}), {.batch_size = 32});
  EXPECT_EQ(batches, (std::vector<std::int64_t>{3, 3, 3}));
  EXPECT_EQ(result.scores, (std::vector<float>{1, 1, 1, 1, 1, 1, 0}));
}

TEST(Classification, TakesTheLastSmallerBatchOfAFreeNetworkAsItIs) {
  std::vector<std::int64_t> batches;
  FakeSession session = from_rows({{1, 0}, {0, 1}, {1, 0}}, {2}, -1, &batches);
  EXPECT_EQ(evaluate(session, FakeDataset::labelled({0, 1, 0}), {.batch_size = 2}).value, 1);
  EXPECT_EQ(batches, (std::vector<std::int64_t>{2, 1}));
}

TEST(Classification, OneOutputIsAProbabilityIfAllAreWithinZeroAndOne) {
  Notes notes;
  FakeSession session = from_rows({{0.1F}, {0.4F}, {0.6F}, {0.9F}}, {1});
  const Evaluation result = evaluate(session, FakeDataset::labelled({0, 0, 1, 1}, {"no", "yes"}), {}, notes);
  EXPECT_EQ(result.value, 1);
  EXPECT_THAT(notes.notes, ::testing::ElementsAre(::testing::HasSubstr("above 0.5")));
}

TEST(Classification, OneOutputIsALogitIfAnyIsOutside) {
  Notes notes;
  FakeSession session = from_rows({{-0.1F}, {0.4F}, {0.3F}, {2.0F}}, {1});
  EXPECT_EQ(evaluate(session, FakeDataset::labelled({0, 1, 1, 1}), {}, notes).value, 1);
  EXPECT_THAT(notes.notes, ::testing::ElementsAre(::testing::HasSubstr("above 0")));
}

TEST(Classification, AWholeNumberIsTheClassItself) {
  FakeSession session = FakeSession::on_index([](const std::vector<float>& indices) {
    std::vector<std::int64_t> classes;
    for (const float index : indices) classes.push_back(static_cast<std::int64_t>(index) % 3);
    return Tensor::of<std::int64_t>({static_cast<std::int64_t>(indices.size())}, classes);
  });
  EXPECT_EQ(evaluate(session, FakeDataset::labelled({0, 1, 2, 1}, {"a", "b", "c"})).scores,
            (std::vector<float>{1, 1, 1, 0}));
}

TEST(Classification, SaysWhichFolderIsExtra) {
  FakeSession session = from_rows({{1, 0}}, {2});
  expect_error([&] { (void)evaluate(session, FakeDataset::labelled({0}, {".cache", "cat", "dog"})); },
               ErrorCode::kInvalidArgument,
               {"the network has 2 outputs, the data 3 classes", "extra: .cache", "remedy: remove it"});
  expect_error([&] { (void)evaluate(session, FakeDataset::labelled({0}, {"cat", "cow", "dog"})); },
               ErrorCode::kInvalidArgument, {"the data 3 classes", "classes: cat, cow, dog", "remedy: "});
  expect_error([&] { (void)evaluate(session, FakeDataset::labelled({0}, {"cat"})); }, ErrorCode::kInvalidArgument,
               {"the network has 2 outputs, the data 1 class\n", "in its order"});
}

TEST(Classification, RefusesALabelThatTheNetworkDoesNotKnow) {
  FakeSession session = from_rows({{1, 0}, {1, 0}}, {2});
  expect_error([&] { (void)evaluate(session, FakeDataset::labelled({0, 2})); }, ErrorCode::kInvalidArgument,
               {"sample 1 has label 2", "2 classes"});
}

TEST(Evaluate, NamesTheSampleWhoseOutputIsNan) {
  FakeSession session = from_rows({{1, 0}, {1, 0}, {0, NAN}, {1, 0}}, {2});
  expect_error([&] { (void)evaluate(session, FakeDataset::labelled({0, 0, 0, 0}), {.batch_size = 2}); },
               ErrorCode::kNumeric, {"output 'y'", "NaN for sample 2", "remedy"});
}

TEST(Evaluate, SaysHowToDoWithoutLabels) {
  FakeSession session = from_rows({{1, 0}, {1, 0}}, {2});
  for (const Task task : {Task::kNone, Task::kClassification, Task::kSegmentation, Task::kRegression})
    expect_error([&] { (void)evaluate(session, FakeDataset::unlabelled(2, task)); }, ErrorCode::kInvalidArgument,
                 {"no labels: made-up data", "agreement with a reference model"});
}

TEST(Evaluate, RefusesEmptyDataUnknownOutputsAndRowsThatCannotBeToldApart) {
  FakeSession session = from_rows({{1, 0}, {1, 0}}, {2});
  expect_error([&] { (void)evaluate(session, FakeDataset::labelled({})); }, ErrorCode::kInvalidArgument,
               {"no samples: made-up data"});
  expect_error([&] { (void)evaluate(session, FakeDataset::labelled({0, 0}), {.output = "yy"}); },
               ErrorCode::kInvalidArgument, {"no output 'yy'", "'y'"});
  FakeSession flat =
      FakeSession::on_index([](const std::vector<float>&) { return Tensor::of<float>({4}, {1, 0, 1, 0}); });
  expect_error([&] { (void)evaluate(flat, FakeDataset::labelled({0, 0})); }, ErrorCode::kUnsupported,
               {"output 'y' has shape [4] for 2 samples", "remedy: use batch size 1"});
}

TEST(Evaluate, TellsProgressAndStopsWhenAsked) {
  Notes notes;
  FakeSession session = from_rows({{1, 0}, {1, 0}, {1, 0}}, {2});
  (void)evaluate(session, FakeDataset::labelled({0, 0, 0}), {.batch_size = 2}, notes);
  EXPECT_EQ(notes.last, 3);
  EXPECT_EQ(notes.ended, 1);
  notes.cancel = true;
  expect_error([&] { (void)evaluate(session, FakeDataset::labelled({0, 0, 0}), {.batch_size = 2}, notes); },
               ErrorCode::kInterrupted, {});
}

TEST(Segmentation, GivesIoUByClassAndLeavesUnlabelledPixelsOut) {
  // Four pixels: output classes 0 1 1 2, truth 0 1 2 unlabelled; class 3 occurs nowhere.
  FakeSession session = from_rows({{1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0}}, {4, 2, 2});
  const FakeDataset data =
      FakeDataset::with_target(Task::kSegmentation, Tensor::of<std::int64_t>({1, 2, 2}, {0, 1, 2, -1}));
  const Evaluation result = evaluate(session, data);
  EXPECT_EQ(result.metric, Metric::kMeanIou);
  ASSERT_EQ(result.per_class.size(), 4U);
  EXPECT_DOUBLE_EQ(result.per_class[0], 1);
  EXPECT_DOUBLE_EQ(result.per_class[1], 0.5);
  EXPECT_DOUBLE_EQ(result.per_class[2], 0);
  EXPECT_TRUE(std::isnan(result.per_class[3]));
  EXPECT_DOUBLE_EQ(result.value, 0.5);
  EXPECT_EQ(result.interval.low, 0);
  EXPECT_EQ(result.interval.high, 1);
}

TEST(Segmentation, UnderstandsChannelsLast) {
  // 2 x 3 pixels and two classes: [H, W, C] = [2, 3, 2].
  FakeSession session = from_rows({{1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1}}, {2, 3, 2});
  const FakeDataset data =
      FakeDataset::with_target(Task::kSegmentation, Tensor::of<std::int64_t>({1, 2, 3}, {0, 1, 0, 1, 0, 1}));
  EXPECT_EQ(evaluate(session, data).value, 1);
}

TEST(Segmentation, ResizesTheClassesToTheMaskAndSaysSo) {
  Notes notes;
  FakeSession session = from_rows({{1, 0, 0, 1, 0, 1, 1, 0}}, {2, 2, 2});
  const FakeDataset data = FakeDataset::with_target(
      Task::kSegmentation, Tensor::of<std::int64_t>({1, 4, 4}, {0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0}),
      {"land", "water"});
  EXPECT_EQ(evaluate(session, data, {}, notes).value, 1);
  EXPECT_THAT(notes.notes, ::testing::ElementsAre(::testing::HasSubstr("2 x 2, the masks 4 x 4")));
}

TEST(Segmentation, OneChannelIsCutWhereItsRangeSays) {
  const FakeDataset data =
      FakeDataset::with_target(Task::kSegmentation, Tensor::of<std::int64_t>({2, 1, 2}, {0, 1, 0, 1}));
  FakeSession probabilities = from_rows({{0.2F, 0.8F}, {0.3F, 0.9F}}, {1, 1, 2});
  FakeSession logits = from_rows({{-2, 0.2F}, {-0.1F, 3}}, {1, 1, 2});
  EXPECT_EQ(evaluate(probabilities, data).value, 1);
  EXPECT_EQ(evaluate(logits, data, {.batch_size = 1}).value, 1);
}

TEST(Segmentation, UnderstandsAMapOfClasses) {
  FakeSession session = FakeSession::on_index([](const std::vector<float>& indices) {
    std::vector<std::int64_t> out;
    for (const float index : indices) out.insert(out.end(), {0, index > 0 ? 2 : 1});
    return Tensor::of<std::int64_t>({static_cast<std::int64_t>(indices.size()), 1, 2}, out);
  });
  const FakeDataset data =
      FakeDataset::with_target(Task::kSegmentation, Tensor::of<std::int64_t>({2, 1, 2}, {0, 1, 0, 1}));
  const Evaluation result = evaluate(session, data, {.batch_size = 1});
  ASSERT_EQ(result.per_class.size(), 3U);
  EXPECT_DOUBLE_EQ(result.per_class[0], 1);
  EXPECT_DOUBLE_EQ(result.per_class[1], 0.5);
  EXPECT_DOUBLE_EQ(result.per_class[2], 0);
}

TEST(Segmentation, RefusesClassesThatTheNetworkDoesNotKnow) {
  FakeSession session = from_rows({{1, 0, 0, 1}}, {2, 1, 2});
  const FakeDataset data = FakeDataset::with_target(Task::kSegmentation, Tensor::of<std::int64_t>({1, 1, 2}, {0, 255}));
  expect_error([&] { (void)evaluate(session, data); }, ErrorCode::kInvalidArgument,
               {"mask of sample 0 has class 255", "2 classes", "-1"});
  const FakeDataset named =
      FakeDataset::with_target(Task::kSegmentation, Tensor::of<std::int64_t>({1, 1, 2}, {0, 1}), {"a", "b", "c"});
  expect_error([&] { (void)evaluate(session, named); }, ErrorCode::kInvalidArgument,
               {"the network has 2 outputs, the data 3 classes"});
}

TEST(Regression, GivesAllErrorsAndLeavesMissingTargetsOut) {
  FakeSession session = from_rows({{1, 2}, {3, 5}}, {2});
  const FakeDataset data = FakeDataset::with_target(Task::kRegression, Tensor::of<float>({2, 2, 1}, {1, 1, NAN, 7}));
  const Evaluation result = evaluate(session, data);
  EXPECT_EQ(result.metric, Metric::kRmse);
  EXPECT_NEAR(result.value, std::sqrt(5.0 / 3), 1e-12);
  EXPECT_NEAR(result.regression.mae, 1, 1e-12);
  EXPECT_NEAR(result.regression.bias, -1.0 / 3, 1e-12);
  EXPECT_NEAR(result.regression.r2, 1 - 5.0 / 24, 1e-12);  // targets 1, 1, 7 about 3
  EXPECT_EQ(result.regression.distinct_outputs, 4);
  EXPECT_EQ(result.scores, (std::vector<float>{1, 2, 4, 1}));
}

TEST(Regression, IntervalHoldsTheTrueError) {
  int covered = 0;
  for (int trial = 0; trial < 100; ++trial) {
    Rng rng(static_cast<std::uint64_t>(trial));
    std::vector<std::vector<float>> rows;
    for (int i = 0; i < 60; ++i) rows.push_back({static_cast<float>(2 * rng.normal())});
    FakeSession session = from_rows(rows, {1});
    const Evaluation result =
        evaluate(session, FakeDataset::with_target(Task::kRegression, Tensor::zeros(DType::kFloat32, {60, 1})));
    covered += result.interval.low <= 2 && 2 <= result.interval.high;
    EXPECT_TRUE(std::isnan(result.regression.r2));
  }
  EXPECT_GE(covered, 89);
}

TEST(Regression, RefusesOtherShapes) {
  FakeSession session = from_rows({{1, 2, 3}}, {3});
  expect_error(
      [&] { (void)evaluate(session, FakeDataset::with_target(Task::kRegression, Tensor::of<float>({1, 2}, {1, 2}))); },
      ErrorCode::kInvalidArgument, {"the network gives [3] for each sample, the data has [2]"});
}

TEST(EvaluateAgreement, CountsFlipsAndNamesTheWorstSample) {
  FakeSession reference = from_rows({{1, 0}, {0, 1}, {1, 0}, {0, 1}}, {2});
  FakeSession session = from_rows({{1, 0}, {0, 1}, {0.25F, 0.5F}, {0, 1}}, {2}, 3);
  const Evaluation result = evaluate_agreement(session, reference, FakeDataset::unlabelled(4), {.batch_size = 2});
  EXPECT_EQ(result.metric, Metric::kAgreement);
  EXPECT_DOUBLE_EQ(result.value, 0.75);
  EXPECT_DOUBLE_EQ(result.agreement.argmax_flips, 0.25);
  EXPECT_DOUBLE_EQ(result.agreement.max_abs, 0.75);
  EXPECT_EQ(result.agreement.worst_sample, 2);
  EXPECT_NEAR(result.agreement.cosine, (3 + 0.25 / std::sqrt(0.3125)) / 4, 1e-12);
  EXPECT_NEAR(result.agreement.psnr_db, 10 * std::log10(8 / 0.8125), 1e-9);
  EXPECT_NEAR(result.interval.low, 0.3006, 1e-4);
}

TEST(EvaluateAgreement, OfAModelWithItselfIsPerfect) {
  FakeSession a = from_rows({{1, 0}, {0, 1}}, {2}), b = from_rows({{1, 0}, {0, 1}}, {2});
  const Evaluation result = evaluate_agreement(a, b, FakeDataset::unlabelled(2));
  EXPECT_EQ(result.value, 1);
  EXPECT_DOUBLE_EQ(result.agreement.cosine, 1);
  EXPECT_EQ(result.agreement.psnr_db, INFINITY);
  EXPECT_EQ(result.agreement.worst_sample, -1);
}

TEST(EvaluateAgreement, CountsPixelsOfMaps) {
  FakeSession reference = from_rows({{1, 1, 1, 1, 0, 0, 0, 0}, {1, 1, 1, 1, 0, 0, 0, 0}}, {2, 2, 2});
  FakeSession session = from_rows({{1, 1, 1, 0, 0, 0, 0, 1}, {1, 1, 1, 1, 0, 0, 0, 0}}, {2, 2, 2});
  const Evaluation result = evaluate_agreement(session, reference, FakeDataset::unlabelled(2));
  EXPECT_DOUBLE_EQ(result.value, 0.875);
  EXPECT_EQ(result.scores, (std::vector<float>{0.75F, 1}));
}

TEST(EvaluateAgreement, OfNumbersIsTheReproducedVariance) {
  FakeSession reference = from_rows({{1}, {2}, {3}, {4}}, {1}), session = from_rows({{1}, {2}, {3}, {4.5F}}, {1});
  const Evaluation result = evaluate_agreement(session, reference, FakeDataset::unlabelled(4));
  EXPECT_NEAR(result.value, 1 - 0.25 / 5, 1e-6);
  EXPECT_EQ(result.agreement.argmax_flips, 0);
  EXPECT_EQ(result.score_width, 2);
}

TEST(EvaluateAgreement, RefusesOutputsOfDifferentShapeAndNanOfTheReference) {
  FakeSession a = from_rows({{1, 0}}, {2}), b = from_rows({{1, 0, 0}}, {3}), nan = from_rows({{1, NAN}}, {2});
  expect_error([&] { (void)evaluate_agreement(a, b, FakeDataset::unlabelled(1)); }, ErrorCode::kInvalidArgument,
               {"gives [2] for each sample", "gives [3]"});
  expect_error([&] { (void)evaluate_agreement(a, nan, FakeDataset::unlabelled(1)); }, ErrorCode::kNumeric,
               {"of the reference is NaN for sample 0"});
}

TEST(RowsOfInputs, RefusesInputsFixedToDifferentBatches) {
  FakeSession session({value("x", {2, 1}), value("z", {3, 1})}, {value("y", {2, 1})}, {});
  expect_error([&] { (void)evaluate(session, FakeDataset::labelled({0})); }, ErrorCode::kUnsupported,
               {"'x'", "'z'", "2 and 3"});
}

}  // namespace
}  // namespace pare::testing
