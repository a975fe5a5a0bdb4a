// Quantization-aware training: what is trained, what comes out, and that the runtime computes what was trained.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "pare/measure.h"
#include "pare/session.h"
#include "pare/step.h"
#include "pare/train.h"
#include "train/lower/torch_tensor.h"
#include "train/small_data.h"
#include "train/torch/executor.h"
#include "train/torch/optimizer.h"

namespace pare::testing {
namespace {

constexpr std::uint64_t kSeed = 7;

Model quantized(const Model& model, const std::shared_ptr<const Dataset>& data,
                const std::map<std::string, std::string>& options = {}) {
  Context context;
  context.data = data;
  const StepInfo& step = find_step("quantize");
  return run_step(step, model, StepOptions(step.options, options), context).result.model;
}

TrainOptions aware(double epochs, RangeTraining ranges = RangeTraining::kFrozen) {
  return {.epochs = epochs,
          .batch = 64,
          .optimizer = Optimizer::kAdam,
          .learning_rate = 2e-3,
          .precision = Precision::kFloat32,
          .quantization_aware = true,
          .ranges = ranges,
          .seed = kSeed};
}

/// Conv, Relu, Pad, Conv, MaxPool, Conv with Add, pooled and multiplied: all that stands between a Q and a DQ.
Model small_network() {
  Model model = model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[N, 3, 8, 8] x) => (float[N, 4] y)
    <int64[8] pads = {0, 0, 1, 1, 0, 0, 1, 1}, float zero = {0}> {
      a = Conv<pads = [1, 1, 1, 1]>(x, w1, b1)
      r = Relu(a)
      p = Pad(r, pads, zero)
      c = Conv(p, w2, b2)
      s = Relu(c)
      m = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(s)
      d = Conv<pads = [1, 1, 1, 1], group = 8>(m, w3, b3)
      e = Add(d, m)
      g = GlobalAveragePool(e)
      f = Flatten(g)
      y = Gemm<transB = 1>(f, w4, b4)
    })");
  const auto set = [&](const char* name, const Shape& shape, double scale) {
    model.graph.initializers.set(
        name, Tensor::of<float>(shape, normal_values(element_count(shape), kSeed + shape.size(), scale)));
  };
  set("w1", {8, 3, 3, 3}, 0.3);
  set("b1", {8}, 0.2);
  set("w2", {8, 8, 3, 3}, 0.2);
  set("b2", {8}, 0.2);
  set("w3", {8, 1, 3, 3}, 0.4);
  set("b3", {8}, 0.2);
  set("w4", {4, 8}, 0.5);
  set("b4", {4}, 0.2);
  return model;
}

std::shared_ptr<const SmallDataset> small_images(std::int64_t count = 128) {
  const std::vector<float> values = normal_values(count * 192, kSeed);
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < count; ++i) {
    double sum = 0;
    for (std::int64_t k = 0; k < 64; ++k) sum += static_cast<double>(values[static_cast<std::size_t>(i * 192 + k)]);
    labels.push_back(sum < -6 ? 0 : sum < 0 ? 1 : sum < 6 ? 2 : 3);
  }
  return std::make_shared<SmallDataset>(Shape{3, 8, 8}, values, labels);
}

Tensor all_inputs(const Dataset& data) {
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < data.size(); ++i) indices.push_back(i);
  return data.batch(indices).inputs.at("x");
}

std::vector<float> stored(const Model& model, const std::string& name) {
  const Tensor* tensor = model.graph.initializers.find(name);
  EXPECT_NE(tensor, nullptr) << name;
  return tensor == nullptr ? std::vector<float>{} : tensor->to_floats();
}

/// What one step of the values that the last layer reads can do to an output: the output itself stays float.
double output_step(const Model& model) {
  const double step = static_cast<double>(stored(model, "g_scale")[0]);
  const std::vector<float> levels = stored(model, "w4_q"), scales = stored(model, "w4_scale");
  double most = 0;
  for (std::size_t row = 0; row < 4; ++row) {
    double sum = 0;
    for (std::size_t i = row * 8; i < row * 8 + 8; ++i) sum += std::abs(static_cast<double>(levels[i] * scales[row]));
    most = std::max(most, sum * step);
  }
  return most;
}

/// The largest difference between the runtime on `model` and `wanted`.
double difference(const Model& model, const Tensor& x, const at::Tensor& wanted) {
  const auto session = open_session(model);
  const std::vector<float> given = session->run({{"x", x}})[0].to_floats();
  const std::vector<float> numbers = from_torch(wanted.to(at::kFloat)).to_floats();
  double most = 0;
  for (std::size_t i = 0; i < given.size(); ++i)
    most = std::max(most, std::abs(static_cast<double>(given[i]) - static_cast<double>(numbers[i])));
  return most;
}

TEST(Qat, BeforeAnyStepItComputesWhatTheRuntimeComputes) {
  const auto images = small_images();
  const Model model = quantized(small_network(), images);
  Executor executor(model, {.quantization_aware = true});
  EXPECT_EQ(executor.quantized().rounding.size(),
            std::count_if(model.graph.nodes.begin(), model.graph.nodes.end(),
                          [](const Node& node) { return node.is("QuantizeLinear"); }));
  EXPECT_EQ(executor.quantized().plain_pad.size(), 1U);
  EXPECT_EQ(executor.quantized().weights.size(), 8U);
  EXPECT_EQ(executor.parameters().size(), 8U);
  const Tensor x = all_inputs(*images);
  const at::Tensor y = executor.run({{"x", to_torch(x)}}, {})[0];
  EXPECT_LE(difference(model, x, y), 1.001 * output_step(model));
  EXPECT_EQ(serialize_model(executor.export_model()), serialize_model(model));  // nothing was trained
}

TEST(Qat, TheRuntimeGivesWhatTheLastPassGave) {  // B22
  const auto images = small_images();
  const Model model = quantized(small_network(), images);
  const Tensor x = all_inputs(*images);
  const at::Tensor labels = at::tensor(images->labels());
  for (const bool learn : {false, true}) {
    Executor executor(model, {.quantization_aware = true, .learn_ranges = learn, .learn_weight_ranges = learn});
    WeightOptimizer optimizer(Optimizer::kSgd, 0.9, 0, executor.parameters());
    const auto pass = [&] { return executor.run({{"x", to_torch(x)}}, {.training = true})[0]; };
    const at::Tensor before = pass().detach();
    for (int epoch = 0; epoch < 3; ++epoch)
      for (int step = 0; step < 4; ++step) {
        at::cross_entropy_loss(pass(), labels).backward();
        (void)optimizer.step(0.05, 5);
        executor.bound_scales();
      }
    const at::Tensor after = pass().detach();
    const Model trained = executor.export_model();
    EXPECT_LE(difference(trained, x, after), 1.001 * output_step(trained)) << learn;
    EXPECT_GT(difference(trained, x, before), 3 * output_step(trained)) << learn;  // it did move
    Executor again(trained, {.quantization_aware = true});
    EXPECT_TRUE(at::allclose(again.run({{"x", to_torch(x)}}, {})[0].detach(), after, 1e-4, 1e-4)) << learn;
  }
}

TEST(Qat, OnlyTheStoredNumbersChange) {
  const auto images = small_images();
  const Model start = quantized(small_network(), images);
  for (const RangeTraining ranges : {RangeTraining::kFrozen, RangeTraining::kActivations, RangeTraining::kAll}) {
    const TrainResult result = train_model(start, nullptr, images, aware(3, ranges));
    Model same = result.model;
    std::int64_t weights = 0, activations = 0, integers = 0;
    for (const Initializers::Entry& entry : start.graph.initializers) {
      const Tensor after = *result.model.graph.initializers.find(entry.name);
      EXPECT_EQ(after.dtype(), entry.tensor.dtype()) << entry.name;
      EXPECT_EQ(after.shape(), entry.tensor.shape()) << entry.name;
      same.graph.initializers.set(entry.name, entry.tensor);
      const bool changed = after.to_floats() != entry.tensor.to_floats();
      EXPECT_FALSE(changed && entry.name.ends_with("_zero_point")) << entry.name;
      const bool scale = entry.name.ends_with("_scale"), of_weight = entry.name[0] == 'w';
      if (scale && of_weight) weights += changed ? 1 : 0;
      if (scale && !of_weight && entry.name[0] != 'b') activations += changed ? 1 : 0;
      if (entry.name.ends_with("_q")) integers += changed ? 1 : 0;
      if (entry.name.starts_with("w") && entry.name.ends_with("_q")) {
        for (const float level : after.to_floats()) EXPECT_LE(std::abs(level), 127) << entry.name;
      }
    }
    EXPECT_EQ(serialize_model(same), serialize_model(start));
    EXPECT_EQ(integers, 8);
    EXPECT_EQ(weights, ranges == RangeTraining::kAll ? 4 : 0);
    EXPECT_EQ(activations > 0, ranges != RangeTraining::kFrozen);
  }
}

TEST(Qat, TheScaleOfABiasFollowsItsTwoFactors) {
  const auto images = small_images();
  const Model model =
      train_model(quantized(small_network(), images), nullptr, images, aware(2, RangeTraining::kAll)).model;
  const GraphIndex index(model.graph);
  int biases = 0;
  for (const Node& node : model.graph.nodes) {
    if (!node.is("Conv") && !node.is("Gemm")) continue;
    const auto scale = [&](std::size_t input) {
      return index.constant(model.graph.nodes[static_cast<std::size_t>(index.producer(node.input(input)))].input(1))
          .to_floats();
    };
    const std::vector<float> x = scale(0), w = scale(1), b = scale(2);
    for (std::size_t c = 0; c < b.size(); ++c) EXPECT_FLOAT_EQ(b[c], x[0] * w[c]);
    ++biases;
  }
  EXPECT_EQ(biases, 4);
}

TEST(Qat, LearnsAndStaysAsGoodInTheRuntime) {
  const auto train = labelled_points(1024, 8, 4, 1), test = labelled_points(512, 8, 4, 2);
  const Model start = quantized(perceptron(8, 32, 4, kSeed), train);
  const auto top1 = [&](const Model& model) { return evaluate(*open_session(model), *test).value; };
  EXPECT_LT(top1(start), 0.6);
  for (const RangeTraining ranges : {RangeTraining::kFrozen, RangeTraining::kActivations, RangeTraining::kAll}) {
    TrainOptions options = aware(20, ranges);
    options.learning_rate = 1e-2;
    const TrainResult result = train_model(start, nullptr, train, options);
    EXPECT_GT(top1(result.model), 0.85) << static_cast<int>(ranges);
    EXPECT_LT(result.epochs.back().loss, 0.6 * result.epochs.front().loss);
  }
}

TEST(Qat, BringsBackWhatFewBitsCost) {
  const auto train = labelled_points(1024, 8, 4, 1);
  TrainOptions plain = aware(15);
  plain.quantization_aware = false;
  plain.learning_rate = 1e-2;
  const Model original = train_model(perceptron(8, 32, 4, kSeed), nullptr, train, plain).model;
  // Ranges cut to a quarter: what calibration on other images would do.
  Model coarse = quantized(original, train);
  for (const Initializers::Entry& entry : Initializers(coarse.graph.initializers))
    if (entry.name == "h_scale")
      coarse.graph.initializers.set(entry.name, Tensor::scalar(entry.tensor.to_floats()[0] / 4));
  const std::vector<float> wide = stored(coarse, "b2_scale");
  std::vector<float> narrow, levels;
  for (const float scale : wide) narrow.push_back(scale / 4);
  coarse.graph.initializers.set("b2_scale", Tensor::of(Shape{4}, narrow));
  const auto distance = [&](const Model& model) {
    const Tensor x = all_inputs(*train);
    const std::vector<float> a = open_session(model)->run({{"x", x}})[0].to_floats();
    const std::vector<float> b = open_session(original)->run({{"x", x}})[0].to_floats();
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
      sum += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    return std::sqrt(sum / static_cast<double>(a.size()));
  };
  const auto after = [&](RangeTraining ranges) {
    TrainOptions options = aware(5, ranges);
    options.soft = SoftLoss::kMse;
    options.use_labels = false;
    return distance(train_model(coarse, &original, train, options).model);
  };
  const double before = distance(coarse), frozen = after(RangeTraining::kFrozen),
               learned = after(RangeTraining::kActivations);
  EXPECT_LT(frozen, 0.7 * before);
  EXPECT_LT(learned, 0.8 * frozen);
}

TEST(Qat, ZerosOfPruningStayZeros) {  // B23
  const auto data = labelled_points(256, 8, 4, 1);
  Model model = perceptron(8, 32, 4, kSeed);
  std::vector<float> weights = stored(model, "w1");
  for (std::size_t i = 0; i < weights.size(); i += 2) weights[i] = 0;
  model.graph.initializers.set("w1", Tensor::of<float>({32, 8}, weights));
  const Model start = quantized(model, data);
  TrainOptions options = aware(3, RangeTraining::kAll);
  options.ema = 0.9;
  const TrainResult result = train_model(start, nullptr, data, options);
  const std::vector<float> before = stored(start, "w1_q"), after = stored(result.model, "w1_q");
  int moved = 0;
  for (std::size_t i = 0; i < after.size(); ++i) {
    EXPECT_TRUE(before[i] != 0 || after[i] == 0) << i;
    moved += after[i] != before[i] ? 1 : 0;
  }
  EXPECT_GE(std::count(before.begin(), before.end(), 0.0F), 128);
  EXPECT_GT(moved, 40);
  EXPECT_GE(result.kept_zeros, 128);
  for (const float zero : stored(result.model, "w1_zero_point")) EXPECT_EQ(zero, 0);
}

TEST(Qat, PairsStaySmallOnProcessorsThatNeedIt) {
  const auto data = labelled_points(256, 8, 4, 1);
  const Model start = quantized(perceptron(8, 32, 4, kSeed), data, {{"reduce-range", "on"}});
  TrainOptions options = aware(10);
  options.learning_rate = 0.05;
  const Model model = train_model(start, nullptr, data, options).model;
  const std::vector<float> before = stored(start, "w1_q"), levels = stored(model, "w1_q");
  EXPECT_NE(before, levels);
  for (std::size_t row = 0; row < 32; ++row) {
    std::vector<float> channel(levels.begin() + static_cast<std::ptrdiff_t>(row * 8),
                               levels.begin() + static_cast<std::ptrdiff_t>(row * 8 + 8));
    std::sort(channel.begin(), channel.end());
    EXPECT_LE(channel[6] + channel[7], 128);
    EXPECT_GE(channel[0] + channel[1], -128);
  }
}

TEST(Qat, AResumedRunEndsLikeOneThatWasNotStopped) {
  const auto images = small_images();
  const Model start = quantized(small_network(), images);
  TempDir folder;
  TrainOptions options = aware(2, RangeTraining::kAll);
  const std::string whole = serialize_model(train_model(start, nullptr, images, options).model);
  options.checkpoint = folder / "state.onnx";
  options.checkpoint_every_s = 0;
  options.resume = true;
  EXPECT_EQ(serialize_model(train_model(start, nullptr, images, options).model), whole);
  const TrainResult again = train_model(start, nullptr, images, options);  // from its end
  EXPECT_EQ(serialize_model(again.model), whole);
  options.ranges = RangeTraining::kFrozen;
  expect_error([&] { (void)train_model(start, nullptr, images, options); }, ErrorCode::kInvalidArgument,
               {"another run"});
}

TEST(Qat, RefusesWhatIsNotQuantized) {
  const auto data = labelled_points(64, 8, 4, 1);
  expect_error([&] { (void)train_model(perceptron(8, 16, 4, kSeed), nullptr, data, aware(1)); },
               ErrorCode::kInvalidArgument, {"not quantized", "pare quantize", "rewrite; quantize int8; finetune qat"});
  TrainOptions plain = aware(1);
  plain.quantization_aware = false;
  const Model whole = quantized(perceptron(8, 16, 4, kSeed), data);
  expect_error([&] { (void)train_model(whole, nullptr, data, plain); }, ErrorCode::kInvalidArgument,
               {"no float32 weights", "finetune --qat"});
  Model named = perceptron(8, 16, 4, kSeed);
  for (std::size_t i = 0; i < named.graph.nodes.size(); ++i) named.graph.nodes[i].name = fmt::format("node{}", i);
  const Model part = quantized(named, data, {{"exclude", "node2"}});
  expect_error([&] { (void)train_model(part, nullptr, data, plain); }, ErrorCode::kInvalidArgument,
               {"144 weights of this network are stored as integers", "--qat"});
  EXPECT_NE(stored(train_model(part, nullptr, data, aware(1)).model, "w2"), stored(part, "w2"));
}

TEST(Qat, RefusesBatchNormalizationThatWasNotFolded) {  // B21
  Model model = model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[N, 3, 8, 8] x) => (float[N, 4] y)
    <float[4] g = {1, 1000, 1, 1}, float[4] b = {0, 0, 0, 0}, float[4] m = {0, 0, 0, 0}, float[4] v = {1, 1, 1, 1}>
    { c = Conv(x, w) n = BatchNormalization(c, g, b, m, v) r = Relu(n) p = GlobalAveragePool(r) y = Flatten(p) })");
  model.graph.initializers.set("w", Tensor::of<float>({4, 3, 3, 3}, normal_values(108, 1)));
  const auto images = small_images(64);
  expect_error([&] { (void)train_model(quantized(model, images), nullptr, images, aware(1)); },
               ErrorCode::kInvalidArgument, {"BatchNormalization", "pare rewrite", "pare quantize"});
}

TEST(Qat, AStepOfARecipeWithTheOriginalAsTeacher) {
  const auto data = labelled_points(256, 8, 4, 1);
  const StepInfo& step = find_step("finetune");
  Context context;
  context.data = data;
  TrainOptions plain = aware(10);
  plain.quantization_aware = false;
  const Model original = train_model(perceptron(8, 16, 4, kSeed), nullptr, data, plain).model;
  context.teacher = std::make_shared<const Model>(original);
  const Model start = quantized(original, data);
  const CheckedResult result =
      run_step(step, start, StepOptions(step.options, {{"qat", "on"}, {"epochs", "1"}, {"batch", "64"}}), context);
  EXPECT_NE(serialize_model(result.result.model), serialize_model(start));
  EXPECT_THAT(result.result.notes.front(), ::testing::HasSubstr("KL to the teacher"));
  expect_error([&] { (void)run_step(step, start, StepOptions(step.options, {{"ranges", "all"}}), context); },
               ErrorCode::kInvalidArgument, {"ranges=all", "add qat"});
}

}  // namespace
}  // namespace pare::testing
