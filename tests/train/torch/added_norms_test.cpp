// Normalizations for the time of training: they change nothing at first, and nothing of them is left at the end.
#include "train/torch/added_norms.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "pare/train.h"
#include "support/support.h"
#include "train/lower/torch_tensor.h"
#include "train/small_data.h"
#include "train/torch/executor.h"

namespace pare::testing {
namespace {

/// Two convolutions in a row (the second without bias), one that sees a single pixel, and a last layer.
Model network() {
  Model model = model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[N, 3, 6, 6] x) => (float[N, 4] y) {
      a = Conv<pads = [1, 1, 1, 1]>(x, w1, b1)
      r = Relu(a)
      c = Conv(r, w2)
      s = Relu(c)
      p = GlobalAveragePool(s)
      g = Conv(p, w3)
      f = Flatten(g)
      y = Gemm<transB = 1>(f, w4)
    })");
  auto& stored = model.graph.initializers;
  stored.set("w1", Tensor::of<float>({5, 3, 3, 3}, normal_values(135, 1)));
  stored.set("b1", Tensor::of<float>({5}, normal_values(5, 2)));
  stored.set("w2", Tensor::of<float>({6, 5, 3, 3}, normal_values(270, 3, 0.2)));
  stored.set("w3", Tensor::of<float>({6, 6, 1, 1}, normal_values(36, 4)));
  stored.set("w4", Tensor::of<float>({4, 6}, normal_values(24, 5)));
  return model;
}

std::shared_ptr<const Dataset> images(std::int64_t count) {
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < count; ++i) labels.push_back(i % 4);
  return std::make_shared<SmallDataset>(Shape{3, 6, 6}, normal_values(count * 108, 7), labels);
}

at::Tensor output_of(const Model& model, const Dataset& data, NormMode norm) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(data.size()));
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
  Executor executor(model);
  return executor.run({{"x", to_torch(data.batch(all).inputs.at("x"))}}, {.norm = norm}).front().detach();
}

double largest(const at::Tensor& difference) { return difference.abs().max().item<double>(); }

TEST(AddedNorms, ChangeNothingAtFirst) {
  const Model model = network();
  const auto data = images(96);
  const AddedNorms norms(model, *data, 1);
  EXPECT_EQ(norms.count(), 2U);  // not the one that sees a pixel, not the last layer
  const Model with = norms.with(model);
  EXPECT_EQ(with.graph.nodes.size(), model.graph.nodes.size() + 2);
  const at::Tensor before = output_of(model, *data, NormMode::kFrozen);
  const double scale = largest(before);
  EXPECT_LT(largest(output_of(with, *data, NormMode::kFrozen) - before), 1e-5 * scale);
  // By the statistics of the batch as well, where the batch is what the statistics were taken of.
  EXPECT_LT(largest(output_of(with, *data, NormMode::kBatch) - before), 1e-4 * scale);
  // Other images have other statistics: the last check can fail.
  const auto others = std::make_shared<SmallDataset>(Shape{3, 6, 6}, normal_values(96 * 108, 8, 3));
  const at::Tensor plain = output_of(model, *others, NormMode::kFrozen);
  EXPECT_GT(largest(output_of(with, *others, NormMode::kBatch) - plain), 0.1 * largest(plain));
}

TEST(AddedNorms, LeaveOnlyWeightsAndBiasesBehind) {
  const Model model = network();
  const auto data = images(96);
  const AddedNorms norms(model, *data, 1);
  Model trained = norms.with(model);
  // As training would: other scales, shifts and statistics.
  std::uint64_t seed = 20;
  for (const Node& node : trained.graph.nodes)
    if (node.is("BatchNormalization"))
      for (std::size_t i = 1; i <= 4; ++i) {
        std::vector<float> values = trained.graph.initializers.find(node.input(i))->to_floats();
        const std::vector<float> moves = normal_values(static_cast<std::int64_t>(values.size()), ++seed, 0.3);
        for (std::size_t c = 0; c < values.size(); ++c) values[c] *= std::exp(moves[c]);
        trained.graph.initializers.set(node.input(i),
                                       Tensor::of<float>({static_cast<std::int64_t>(values.size())}, values));
      }
  const Model after = norms.without(trained);
  const at::Tensor wanted = output_of(trained, *data, NormMode::kFrozen);
  EXPECT_LT(largest(output_of(after, *data, NormMode::kFrozen) - wanted), 1e-5 * largest(wanted));
  ASSERT_EQ(after.graph.nodes.size(), model.graph.nodes.size());
  for (std::size_t i = 0; i < model.graph.nodes.size(); ++i) {
    EXPECT_EQ(after.graph.nodes[i].op_type, model.graph.nodes[i].op_type);
    EXPECT_EQ(after.graph.nodes[i].outputs, model.graph.nodes[i].outputs);
  }
  std::vector<std::string> names;
  for (const Initializers::Entry& entry : after.graph.initializers) names.push_back(entry.name);
  EXPECT_EQ(names, (std::vector<std::string>{"w1", "b1", "w2", "w3", "w4", "w2_bias"}));
}

TEST(AddedNorms, LeaveWeightsAloneThatTwoLayersShare) {
  Model model = network();
  model.graph.nodes[2].inputs[1] = "w1";
  model.graph.initializers.set("w1", Tensor::of<float>({3, 3, 3, 3}, normal_values(81, 1)));
  model.graph.initializers.set("b1", Tensor::of<float>({3}, normal_values(3, 2)));
  model.graph.initializers.set("w3", Tensor::of<float>({6, 3, 1, 1}, normal_values(18, 4)));
  EXPECT_EQ(AddedNorms(model, *images(8), 1).count(), 0U);
}

TEST(AddedNorms, TrainingEndsWithTheStructureThatItBeganWith) {
  const Model model = network();
  TrainOptions options{
      .epochs = 2, .batch = 64, .learning_rate = 0.01, .precision = Precision::kFloat32, .norm = NormTraining::kAdded};
  const TrainResult result = train_model(model, nullptr, images(128), options);
  EXPECT_EQ(result.model.graph.nodes.size(), model.graph.nodes.size());
  EXPECT_FALSE(has_batchnorm(result.model.graph));
  EXPECT_NE(result.model.graph.initializers.find("w1")->to_floats(), model.graph.initializers.find("w1")->to_floats());
  EXPECT_TRUE(std::any_of(result.notes.begin(), result.notes.end(), [](const std::string& note) {
    return note.starts_with("2 convolutions have no normalization");
  }));
}

TEST(AddedNorms, WorkForNumbersInTheirOwnUnits) {
  Model model = network();
  model.graph.nodes.back().inputs.emplace_back("b4");
  model.graph.initializers.set("b4", Tensor::of<float>({4}, {0, 0, 0, 0}));
  constexpr std::int64_t kCount = 256;
  const std::vector<float> pixels = normal_values(kCount * 108, 7);
  std::vector<float> targets;  // metres: the mean of each band, about 300
  for (std::size_t i = 0; i < kCount; ++i)
    for (std::size_t k = 0; k < 4; ++k) {
      float sum = 0;
      for (std::size_t j = 0; j < 36; ++j) sum += pixels[i * 108 + std::min<std::size_t>(k, 2) * 36 + j];
      targets.push_back(300 + 50 * sum / 36);
    }
  const auto data =
      std::make_shared<SmallDataset>(Shape{3, 6, 6}, pixels, std::vector<std::int64_t>{}, Shape{4}, targets);
  TrainOptions options{.epochs = 40,
                       .batch = 64,
                       .optimizer = Optimizer::kSgd,
                       .learning_rate = 0.02,
                       .precision = Precision::kFloat32,
                       .norm = NormTraining::kAdded};
  const TrainResult result = train_model(model, nullptr, data, options);
  EXPECT_FALSE(has_batchnorm(result.model.graph));
  EXPECT_LT(result.epochs.back().hard, 0.5 * result.epochs.front().hard);
  const at::Tensor errors =
      output_of(result.model, *data, NormMode::kFrozen) - at::tensor(at::ArrayRef<float>(targets)).reshape({kCount, 4});
  EXPECT_LT(errors.pow(2).mean().sqrt().item<double>(), 0.9 * 50 / 6);  // their deviation is 50 / 6
}

}  // namespace
}  // namespace pare::testing
