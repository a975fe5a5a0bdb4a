// A student and its teacher: the smallest lesson, step for step, and the pitfalls of section G.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include "pare/measure.h"
#include "pare/split.h"
#include "pare/train.h"
#include "train/lower/torch_tensor.h"
#include "train/small_data.h"

namespace pare::testing {
namespace {

constexpr std::uint64_t kSeed = 11;

/// 64-64-10 learns from 64-256-10: 1,024 random samples, Adam 1e-3, T = 3, hard_weight 0.3, 50 epochs.
TrainOptions lesson() {
  return {.epochs = 50,
          .batch = 64,
          .optimizer = Optimizer::kAdam,
          .learning_rate = 1e-3,
          .weight_decay = 0,
          .schedule = Schedule::kConstant,
          .warmup = 0,
          .clip_norm = 0,
          .temperature = 3,
          .hard_weight = 0.3,
          .precision = Precision::kFloat32,
          .seed = kSeed};
}

struct Lesson {
  Model teacher = perceptron(64, 256, 10, 1), student = perceptron(64, 64, 10, 2);
  std::shared_ptr<const Dataset> data;
  Lesson() {
    // Labels that the teacher mostly agrees with: its own answers, every tenth another one.
    const std::vector<float> values = normal_values(1024 * 64, 3);
    const auto session = open_session(teacher);
    const Tensor scores = session->run({{"x", Tensor::of<float>({1024, 64}, values)}}).front();
    const at::Tensor best = to_torch(scores).argmax(1);
    std::vector<std::int64_t> labels;
    for (std::int64_t i = 0; i < 1024; ++i)
      labels.push_back((best[i].item<std::int64_t>() + (i % 10 == 0 ? 1 : 0)) % 10);
    data = std::make_shared<SmallDataset>(Shape{64}, values, labels);
  }
};

/// The same lesson as a plain loop.
std::vector<double> loop_by_hand(const Lesson& lesson, const TrainOptions& options) {
  at::set_num_threads(1);
  std::map<std::string, at::Tensor> weight, first, second, teacher;
  for (const char* name : {"w1", "b1", "w2", "b2"}) {
    teacher[name] = to_torch(*lesson.teacher.graph.initializers.find(name));
    weight[name] = to_torch(*lesson.student.graph.initializers.find(name)).set_requires_grad(true);
    first[name] = at::zeros_like(weight[name]);
    second[name] = at::zeros_like(weight[name]);
  }
  const auto forward = [](const std::map<std::string, at::Tensor>& w, const at::Tensor& x) {
    const at::Tensor hidden = at::relu(at::matmul(x, w.at("w1").t()) + w.at("b1"));
    return at::matmul(hidden, w.at("w2").t()) + w.at("b2");
  };
  std::vector<double> losses;
  std::int64_t step = 0;
  for (std::int64_t epoch = 0; epoch < 50; ++epoch) {
    const std::vector<std::int64_t> order = shuffled_indices(1024, options.seed, epoch);
    double sum = 0;
    for (std::int64_t at = 0; at < 1024; at += 64, ++step) {
      const Batch batch = lesson.data->batch(std::span(order).subspan(static_cast<std::size_t>(at), 64));
      const at::Tensor x = to_torch(batch.inputs.at("x"));
      const at::Tensor labels = at::tensor(at::ArrayRef<std::int64_t>(batch.labels), at::kLong);
      const at::Tensor given = forward(weight, x), wanted = forward(teacher, x);
      const at::Tensor hard = -at::log_softmax(given, 1).gather(1, labels.unsqueeze(1)).mean();
      const at::Tensor p = at::softmax(wanted / 3, 1);
      const at::Tensor soft = 9 * (p * (p.log() - at::log_softmax(given / 3, 1))).sum(1).mean();
      const at::Tensor loss = 0.3 * hard + 0.7 * soft;
      sum += loss.item<double>() * 64;
      loss.backward();
      const c10::NoGradGuard no_gradient;
      for (auto& [name, w] : weight) {
        const at::Tensor g = w.grad();
        first[name] = 0.9 * first[name] + 0.1 * g;
        second[name] = 0.999 * second[name] + 0.001 * g * g;
        const double t = static_cast<double>(step + 1);
        const at::Tensor m = first[name] / (1 - std::pow(0.9, t)), v = second[name] / (1 - std::pow(0.999, t));
        w.sub_(1e-3 * m / (v.sqrt() + 1e-8));
        w.mutable_grad().reset();
      }
    }
    losses.push_back(sum / 1024);
  }
  return losses;
}

TEST(Distill, TheSmallestLessonEqualsALoopWrittenByHand) {
  const Lesson lesson_data;
  const TrainOptions options = lesson();
  const TrainResult result = train_model(lesson_data.student, &lesson_data.teacher, lesson_data.data, options);
  const std::vector<double> by_hand = loop_by_hand(lesson_data, options);
  ASSERT_EQ(result.epochs.size(), by_hand.size());
  for (std::size_t epoch = 0; epoch < by_hand.size(); ++epoch)
    EXPECT_NEAR(result.epochs[epoch].loss, by_hand[epoch], 2e-3 * by_hand[epoch]) << "epoch " << epoch;
  EXPECT_LT(result.epochs.back().loss, 0.4 * result.epochs.front().loss);
}

TEST(Distill, NeedsNoLabels) {
  const Lesson lesson_data;
  TrainOptions options = lesson();
  options.use_labels = false;
  options.epochs = 10;
  const TrainResult result = train_model(lesson_data.student, &lesson_data.teacher, lesson_data.data, options);
  EXPECT_EQ(result.epochs.back().hard, 0);
  EXPECT_LT(result.epochs.back().soft, 0.5 * result.epochs.front().soft);
  EXPECT_THAT(result.notes.front(), ::testing::HasSubstr("no labels"));
}

TEST(Distill, ATeacherAtChanceIsRefused) {  // G5
  const Lesson lesson_data;
  const Model random = perceptron(64, 256, 10, 77);
  expect_error([&] { (void)train_model(lesson_data.student, &random, lesson_data.data, lesson()); },
               ErrorCode::kInvalidArgument, {"teacher is no better than chance", "10 classes", "remedy"});
}

TEST(Distill, TheTeachersFigureIsTold) {  // G5
  const Lesson lesson_data;
  TrainOptions options = lesson();
  options.epochs = 1;
  const TrainResult result = train_model(lesson_data.student, &lesson_data.teacher, lesson_data.data, options);
  EXPECT_THAT(result.notes, ::testing::Contains(::testing::HasSubstr("teacher: top-1 ")));
}

TEST(Distill, StudentAndTeacherSeeTheSameImages) {  // G7
  // The teacher is the student: on the same augmented and mixed images their answers are equal, and the loss is 0.
  Model model = model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[N, 3, 8, 8] x) => (float[N, 5] y)
    { c = Conv<pads = [1, 1, 1, 1], strides = [2, 2]>(x, w) r = Relu(c) f = Flatten(r) y = Gemm(f, g) })");
  model.graph.initializers.set("w", Tensor::of<float>({4, 3, 3, 3}, normal_values(108, 1)));
  model.graph.initializers.set("g", Tensor::of<float>({64, 5}, normal_values(320, 2)));
  std::vector<std::int64_t> labels;
  const std::vector<float> values = normal_values(64 * 192, 3);
  const auto session = open_session(model);
  const at::Tensor best = to_torch(session->run({{"x", Tensor::of<float>({64, 3, 8, 8}, values)}}).front()).argmax(1);
  for (std::int64_t i = 0; i < 64; ++i) labels.push_back(best[i].item<std::int64_t>());
  const auto data = std::make_shared<SmallDataset>(Shape{3, 8, 8}, values, labels);
  TrainOptions options = lesson();
  options.epochs = 2;
  options.batch = 16;
  options.optimizer = Optimizer::kSgd;  // Adam would walk at full pace along gradients of rounding errors
  options.augment = "crop2,hflip,cutout3";
  options.mixup = 0.4;
  options.use_labels = true;
  options.hard_weight = 0;
  const TrainResult result = train_model(model, &model, data, options);
  EXPECT_LT(result.epochs.back().soft, 1e-6);
}

TEST(Distill, ASoftmaxAtTheEndIsSeenThrough) {
  Lesson lesson_data;
  Model shares = lesson_data.teacher;
  shares.graph.nodes.back().outputs[0] = "scores";
  Node softmax;
  softmax.op_type = "Softmax";
  softmax.inputs = {"scores"};
  softmax.outputs = {"y"};
  shares.graph.nodes.push_back(softmax);
  TrainOptions options = lesson();
  options.epochs = 2;
  const double plain =
      train_model(lesson_data.student, &lesson_data.teacher, lesson_data.data, options).epochs.back().loss;
  EXPECT_NEAR(train_model(lesson_data.student, &shares, lesson_data.data, options).epochs.back().loss, plain, 1e-6);
}

TEST(Distill, OutputsThatDoNotFitAreRefusedWithBothShapes) {
  const Lesson lesson_data;
  const Model narrow = perceptron(64, 64, 7, 2);
  TrainOptions options = lesson();
  options.use_labels = false;
  expect_error([&] { (void)train_model(narrow, &lesson_data.teacher, lesson_data.data, options); },
               ErrorCode::kInvalidArgument, {"[64, 7]", "[64, 10]"});
}

/// Two convolutions of `channels`, on images of `size` times `size`.
Model small_net(std::int64_t channels, std::uint64_t seed, const char* hidden = "h") {
  Model model = model_from_text(fmt::format(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[N, 3, 9, 9] x) => (float[N, 5] y)
    {{ c = Conv<pads = [1, 1, 1, 1], strides = [2, 2]>(x, w) {0} = Relu(c)
       d = Conv({0}, v) r = Relu(d) p = GlobalAveragePool(r) f = Flatten(p) y = Gemm(f, g) }})",
                                            hidden));
  model.graph.initializers.set("w", Tensor::of<float>({channels, 3, 3, 3}, normal_values(channels * 27, seed, 0.3)));
  model.graph.initializers.set(
      "v", Tensor::of<float>({channels, channels, 3, 3}, normal_values(channels * channels * 9, seed + 1, 0.2)));
  model.graph.initializers.set("g", Tensor::of<float>({channels, 5}, normal_values(channels * 5, seed + 2)));
  return model;
}

TEST(Distill, HiddenLayersAreComparedThroughAnAdapterThatStaysBehind) {  // G4
  const Model teacher = small_net(8, 1), student = small_net(5, 9, "other");
  const auto data = std::make_shared<SmallDataset>(Shape{3, 9, 9}, normal_values(128 * 243, 4));
  TrainOptions options = lesson();
  options.epochs = 30;
  options.batch = 32;
  options.learning_rate = 1e-2;
  options.features = {"auto"};
  const TrainResult result = train_model(student, &teacher, data, options);
  EXPECT_LT(result.epochs.back().feature, 0.7 * result.epochs.front().feature);
  EXPECT_THAT(result.notes.front(), ::testing::HasSubstr("adapter"));
  ASSERT_EQ(result.model.graph.initializers.size(), student.graph.initializers.size());
  EXPECT_EQ(result.model.graph.nodes.size(), student.graph.nodes.size());
}

TEST(Distill, HiddenLayersOfANetworkAndItsPrunedSelfNeedNoAdapter) {
  const Model teacher = small_net(8, 1), student = small_net(8, 9);
  const auto data = std::make_shared<SmallDataset>(Shape{3, 9, 9}, normal_values(64 * 243, 4));
  TrainOptions options = lesson();
  options.epochs = 1;
  options.features = {"h"};
  EXPECT_THAT(
      train_model(student, &teacher, data, options).notes.front(),
      ::testing::AllOf(::testing::HasSubstr("hidden layers h"), ::testing::Not(::testing::HasSubstr("adapter"))));
  options.features = {"hh"};
  expect_error([&] { (void)train_model(student, &teacher, data, options); }, ErrorCode::kInvalidArgument,
               {"no value 'hh'", "'h'"});
}

/// The first channels of a network, as pruning leaves them.
Model first_channels(const Model& whole, std::int64_t kept) {
  Model part = whole;
  const auto set = [&](const char* name, std::vector<std::int64_t> shape) {
    const Tensor& all = *whole.graph.initializers.find(name);
    const std::int64_t rest = shape.size() == 4 ? 9 : 1, columns = all.shape()[1];
    const std::vector<float> from = all.to_floats();
    std::vector<float> values;
    for (std::int64_t o = 0; o < shape[0]; ++o)
      for (std::int64_t i = 0; i < shape[1] * rest; ++i)
        values.push_back(from[static_cast<std::size_t>(o * columns * rest + i)]);
    part.graph.initializers.set(name, Tensor::of<float>(std::move(shape), values));
  };
  set("w", {kept, 3, 3, 3});
  set("v", {kept, kept, 3, 3});
  set("g", {kept, 5});
  return part;
}

TEST(Distill, ChannelsThatPruningKeptAreComparedWithoutAnAdapter) {
  const Model teacher = small_net(8, 1), student = first_channels(teacher, 5);
  const auto data = std::make_shared<SmallDataset>(Shape{3, 9, 9}, normal_values(128 * 243, 4));
  TrainOptions options = lesson();
  options.epochs = 10;
  options.batch = 32;
  options.learning_rate = 1e-2;
  options.features = {"h", "r"};
  options.feature_weight = 1;
  const TrainResult result = train_model(student, &teacher, data, options);
  EXPECT_THAT(result.notes.front(), ::testing::HasSubstr("h (kept channels), r"));
  EXPECT_LT(result.epochs.back().feature, 0.9 * result.epochs.front().feature);
  options.features = {"auto"};
  EXPECT_THAT(train_model(student, &teacher, data, options).notes.front(), ::testing::HasSubstr("h (kept channels)"));
  options.features = {"same"};
  EXPECT_THAT(train_model(student, &teacher, data, options).notes.front(), ::testing::HasSubstr("h (kept channels)"));
  for (const Model& other : {small_net(5, 9), small_net(8, 9)})  // names and shapes alike, but another network
    EXPECT_THAT(train_model(other, &teacher, data, options).notes.front(),
                ::testing::Not(::testing::HasSubstr("hidden")));
  Model moved = teacher;
  std::vector<float> weights = moved.graph.initializers.find("w")->to_floats();
  for (float& weight : weights) weight *= 1.1F;
  moved.graph.initializers.set("w", Tensor::of<float>({8, 3, 3, 3}, weights));
  EXPECT_THAT(train_model(moved, &teacher, data, options).notes.front(), ::testing::HasSubstr("hidden layers h, r,"));
  options.features = {"h"};
  EXPECT_THAT(train_model(small_net(5, 9), &teacher, data, options).notes.front(),
              ::testing::HasSubstr("h (1x1 adapter)"));
}

TEST(Distill, ATeacherMayCallItsInputByAnotherName) {
  const Lesson it;
  TrainOptions options = lesson();
  options.epochs = 2;
  Model renamed = it.teacher;
  renamed.graph.inputs.front().name = "pixels";
  replace_uses(renamed.graph, "x", "pixels");
  EXPECT_EQ(serialize_model(train_model(it.student, &renamed, it.data, options).model),
            serialize_model(train_model(it.student, &it.teacher, it.data, options).model));
  Model taken = renamed;  // its first product is called as the student's input is
  taken.graph.nodes[0].outputs[0] = "x";
  replace_uses(taken.graph, "a", "x");
  expect_error([&] { (void)train_model(it.student, &taken, it.data, options); }, ErrorCode::kUnsupported,
               {"'x'", "remedy"});
}

}  // namespace
}  // namespace pare::testing
