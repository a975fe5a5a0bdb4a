// Measuring with real sessions and real data.
#include "pare/measure.h"

#include <cmath>
#include <iostream>
#include <limits>

#include "measure/layer_error.h"
#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

DatasetOptions cifar_options(const Session& session, std::int64_t limit) {
  DatasetOptions options;
  options.preprocess = parse_preprocess(
      R"({"scale": 0.00392156862745098, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]})");
  options.inputs = session.inputs();
  options.limit = limit;
  return options;
}

TEST(TimedMeasure, ARealModelAgainstItselfIsNoDifferenceInNineteenOfTwenty) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  int same = 0;
  for (std::uint64_t trial = 0; trial < 20; ++trial) {
    // Opened anew each time: where the memory lies is part of what must not matter.
    const auto a = open_session(shared / "models" / "cifar10_resnet20.onnx");
    const auto b = open_session(shared / "models" / "cifar10_resnet20.onnx");
    const NamedTensors inputs = random_inputs(a->inputs(), {});
    a->bind(inputs);
    b->bind(inputs);
    BenchmarkOptions options;
    options.budget_s = 1;
    options.seed = trial;
    const SpeedComparison result = compare_speed(*a, *b, options);
    same += result.verdict == Verdict::kNoDifference;
    if (result.verdict != Verdict::kNoDifference)
      std::cout << "trial " << trial << ": " << result.ratio << " (" << result.interval.low << " to "
                << result.interval.high << ")\n";
  }
  EXPECT_GE(same, 19);
}

TEST(TimedMeasure, ResNet56IsSlowerThanResNet20) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  const auto small = open_session(shared / "models" / "cifar10_resnet20.onnx");
  const auto large = open_session(shared / "models" / "cifar10_resnet56.onnx");
  small->bind(random_inputs(small->inputs(), {}));
  large->bind(random_inputs(large->inputs(), {}));
  const SpeedComparison result = compare_speed(*large, *small);
  EXPECT_EQ(result.verdict, Verdict::kFaster);
  EXPECT_GT(result.ratio, 2);  // three times the multiplications
  EXPECT_LT(result.ratio, 4);
  EXPECT_GT(result.baseline.median_ms, result.other.median_ms);
}

TEST(TimedMeasure, ResNet20HasItsKnownAccuracyAndResNet56IsBetterByThePairedTest) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  const auto small = open_session(shared / "models" / "cifar10_resnet20.onnx");
  const auto large = open_session(shared / "models" / "cifar10_resnet56.onnx");
  const auto data = open_dataset(shared / "data" / "cifar10" / "test.bin.xz", cifar_options(*small, 4000));
  const Evaluation first = evaluate(*small, *data), second = evaluate(*large, *data);
  EXPECT_EQ(first.samples, 4000);
  EXPECT_LE(first.interval.low, 0.9173);  // 91.73 % on all 10,000
  EXPECT_GE(first.interval.high, 0.9173);
  EXPECT_LE(second.interval.low, 0.9339);
  EXPECT_GE(second.interval.high, 0.9339);
  EXPECT_GT(first.top5, 0.98);
  const PairedTest test = compare(first, second);
  EXPECT_GT(test.difference, 0);
  EXPECT_LT(test.p_value, 0.05);
  EXPECT_GT(test.interval.low, 0);
  // Without pairing, the variances of the two shares would add up.
  EXPECT_LT(test.interval.high - test.interval.low,
            std::hypot(first.interval.high - first.interval.low, second.interval.high - second.interval.low));
  EXPECT_GT(evaluate_agreement(*large, *small, *data).value, 0.9);
}

TEST(TimedMeasure, LayersOfAModelWithFoldedBatchNormalizationAgreeWithTheOriginal) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  const Model original = load_model(shared / "models" / "cifar10_resnet20_bn.onnx");
  const Model folded = load_model(shared / "models" / "cifar10_resnet20.onnx");
  const auto session = open_session(folded);
  const auto data = open_dataset(shared / "data" / "cifar10" / "test.bin.xz", cifar_options(*session, 64));
  LayerErrorOptions options;
  options.samples = 16;
  const Model& reference = original;
  const auto same = layer_errors(reference, reference, match_values(reference, reference), *data, options);
  ASSERT_GT(same.size(), 20U);
  for (const LayerError& error : same) EXPECT_EQ(error.snr_db, std::numeric_limits<double>::infinity());
  const std::vector<ValuePair> outputs = {{original.graph.outputs[0].name, folded.graph.outputs[0].name}};
  const auto errors = layer_errors(original, folded, outputs, *data, options);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_GT(errors[0].snr_db, 80);
}

}  // namespace
}  // namespace pare::testing
