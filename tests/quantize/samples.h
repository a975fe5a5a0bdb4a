// samples.h - calibration samples and small networks for the tests of this folder.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <memory>
#include <set>

#include "core/random.h"
#include "pare/dataset.h"
#include "pare/graph.h"
#include "pare/step.h"
#include "quantize/steps.h"

namespace pare::testing {

/// Samples given one by one (first dimension 1, shapes may differ).
class ListDataset : public Dataset {
 public:
  ListDataset(std::string input, std::vector<Tensor> samples, Task task = Task::kNone)
      : input_(std::move(input)), samples_(std::move(samples)), task_(task) {}
  [[nodiscard]] Task task() const override { return task_; }
  [[nodiscard]] std::int64_t size() const override { return static_cast<std::int64_t>(samples_.size()); }
  [[nodiscard]] std::vector<std::string> class_names() const override { return {}; }
  [[nodiscard]] std::string description() const override { return "a list"; }
  [[nodiscard]] std::string fingerprint() const override { return "list"; }
  [[nodiscard]] Batch batch(std::span<const std::int64_t> indices) const override {
    Batch batch;
    batch.size = static_cast<std::int64_t>(indices.size());
    Shape shape = samples_.at(static_cast<std::size_t>(indices[0])).shape();
    shape[0] = batch.size;
    std::vector<float> values;
    for (const std::int64_t i : indices) {
      const auto data = samples_.at(static_cast<std::size_t>(i)).data<float>();
      values.insert(values.end(), data.begin(), data.end());
    }
    batch.inputs.emplace(input_, Tensor::of(shape, values));
    return batch;
  }

 private:
  std::string input_;
  std::vector<Tensor> samples_;
  Task task_;
};

inline Tensor random_tensor(const Shape& shape, Rng& rng, double low = -1, double high = 1) {
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (float& value : values) value = static_cast<float>(rng.uniform(low, high));
  return Tensor::of(shape, values);
}

inline std::vector<Tensor> random_samples(const Shape& shape, int count, std::uint64_t seed, double low = -1,
                                          double high = 1) {
  Rng rng(seed);
  std::vector<Tensor> samples;
  for (int i = 0; i < count; ++i) samples.push_back(random_tensor(shape, rng, low, high));
  return samples;
}

/// Gives the model float32 weights of these shapes.
inline void add_weights(Model& model, const std::vector<std::pair<std::string, Shape>>& shapes,
                        std::uint64_t seed = 1) {
  Rng rng(seed);
  for (const auto& [name, shape] : shapes) model.graph.initializers.set(name, random_tensor(shape, rng));
}

inline std::map<std::string, int> count_ops(const Graph& graph) {
  std::map<std::string, int> count;
  for (const Node& node : graph.nodes) ++count[node.op_type];
  return count;
}

inline const Node* producer_of(const Graph& graph, const std::string& value) {
  for (const Node& node : graph.nodes)
    for (const std::string& output : node.outputs)
      if (output == value) return &node;
  return nullptr;
}

inline StepResult run_quantize(const Model& model, std::shared_ptr<const Dataset> data,
                               const std::map<std::string, std::string>& options = {}) {
  const StepInfo step = quantize();
  Context context;
  context.data = std::move(data);
  return step.run(model, StepOptions(step.options, options), context);
}

}  // namespace pare::testing
