// small_data.h - samples in memory and small networks for the tests of training.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/random.h"
#include "pare/dataset.h"
#include "pare/graph.h"
#include "pare/model_io.h"

namespace pare::testing {

/// Rows of one input "x", with labels, a target, or neither; remembers which samples were read.
class SmallDataset final : public Dataset {
 public:
  SmallDataset(Shape sample, std::vector<float> values, std::vector<std::int64_t> labels = {}, Shape target_sample = {},
               std::vector<float> targets = {})
      : sample_(std::move(sample)),
        values_(std::move(values)),
        labels_(std::move(labels)),
        target_sample_(std::move(target_sample)),
        targets_(std::move(targets)) {}
  Task task() const override {
    return !labels_.empty() ? Task::kClassification : !targets_.empty() ? Task::kRegression : Task::kNone;
  }
  std::int64_t size() const override { return static_cast<std::int64_t>(values_.size()) / element_count(sample_); }
  std::vector<std::string> class_names() const override { return {}; }
  std::int64_t class_count() const override {
    return labels_.empty() ? 0 : *std::max_element(labels_.begin(), labels_.end()) + 1;
  }
  std::vector<std::int64_t> labels() const override { return labels_; }
  std::string description() const override { return fmt::format("{} samples in memory", size()); }
  std::string fingerprint() const override { return fmt::format("{}", size()); }
  Batch batch(std::span<const std::int64_t> indices) const override {
    Batch batch;
    batch.size = static_cast<std::int64_t>(indices.size());
    batch.inputs["x"] = rows(sample_, values_, indices);
    for (const std::int64_t index : indices)
      if (!labels_.empty()) batch.labels.push_back(labels_[static_cast<std::size_t>(index)]);
    if (!targets_.empty()) batch.target = rows(target_sample_, targets_, indices);
    return batch;
  }

 private:
  static Tensor rows(const Shape& sample, const std::vector<float>& values, std::span<const std::int64_t> indices) {
    const std::int64_t width = element_count(sample);
    std::vector<float> out;
    for (const std::int64_t index : indices)
      out.insert(out.end(), values.begin() + index * width, values.begin() + (index + 1) * width);
    Shape shape = sample;
    shape.insert(shape.begin(), static_cast<std::int64_t>(indices.size()));
    return Tensor::of<float>(shape, out);
  }
  Shape sample_;
  std::vector<float> values_;
  std::vector<std::int64_t> labels_;
  Shape target_sample_;
  std::vector<float> targets_;
};

inline std::vector<float> normal_values(std::int64_t count, std::uint64_t seed, double scale = 1) {
  Rng rng(seed);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(scale * rng.normal());
  return values;
}

/// `count` points of `width` normal numbers; the label says which of `classes` fixed directions is nearest.
inline std::shared_ptr<const Dataset> labelled_points(std::int64_t count, std::int64_t width, std::int64_t classes,
                                                      std::uint64_t seed) {
  const std::vector<float> values = normal_values(count * width, seed), ways = normal_values(classes * width, 99);
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t best = 0;
    double most = -1e30;
    for (std::int64_t c = 0; c < classes; ++c) {
      double sum = 0;
      for (std::int64_t k = 0; k < width; ++k)
        sum += static_cast<double>(values[static_cast<std::size_t>(i * width + k)]) *
               static_cast<double>(ways[static_cast<std::size_t>(c * width + k)]);
      if (sum > most) most = sum, best = c;
    }
    labels.push_back(best);
  }
  return std::make_shared<SmallDataset>(Shape{width}, values, labels);
}

/// Gemm, Relu, Gemm: `inputs` - `hidden` - `outputs`.
inline Model perceptron(std::int64_t inputs, std::int64_t hidden, std::int64_t outputs, std::uint64_t seed) {
  Model model = model_from_text(fmt::format(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[N, {}] x) => (float[N, {}] y) {{
      a = Gemm<transB = 1>(x, w1, b1)
      h = Relu(a)
      y = Gemm<transB = 1>(h, w2, b2)
    }})",
                                            inputs, outputs));
  const double first = std::sqrt(2.0 / static_cast<double>(inputs)),
               second = std::sqrt(2.0 / static_cast<double>(hidden));
  model.graph.initializers.set("w1", Tensor::of<float>({hidden, inputs}, normal_values(hidden * inputs, seed, first)));
  model.graph.initializers.set("b1", Tensor::zeros(DType::kFloat32, {hidden}));
  model.graph.initializers.set("w2",
                               Tensor::of<float>({outputs, hidden}, normal_values(outputs * hidden, seed + 1, second)));
  model.graph.initializers.set("b2", Tensor::zeros(DType::kFloat32, {outputs}));
  return model;
}

}  // namespace pare::testing
