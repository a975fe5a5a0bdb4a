// fakes.h - sessions and datasets that tests make up on the spot.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "pare/measure.h"
#include "pare/progress.h"

namespace pare::testing {

inline ValueInfo value(const std::string& name, const std::vector<std::int64_t>& dims, DType dtype = DType::kFloat32) {
  ValueInfo info;
  info.name = name;
  info.dtype = dtype;
  info.shape.emplace();
  for (const std::int64_t dim : dims) {
    Dim one;
    if (dim >= 0) one.value = dim;
    if (dim < 0) one.symbol = "N";
    info.shape->push_back(one);
  }
  return info;
}

/// Runs a function of the inputs. -1 in the shapes is a free dimension.
class FakeSession : public Session {
 public:
  using Run = std::function<std::vector<Tensor>(const NamedTensors&)>;
  FakeSession(std::vector<ValueInfo> inputs, std::vector<ValueInfo> outputs, Run run)
      : inputs_(std::move(inputs)), outputs_(std::move(outputs)), run_(std::move(run)) {}
  /// One input x of one number per sample and one output y.
  static FakeSession on_index(std::function<Tensor(const std::vector<float>&)> run, std::int64_t batch = -1) {
    return FakeSession({value("x", {batch, 1})}, {value("y", {batch, -1})},
                       [run](const NamedTensors& in) -> std::vector<Tensor> { return {run(in.at("x").to_floats())}; });
  }

  const std::vector<ValueInfo>& inputs() const override { return inputs_; }
  const std::vector<ValueInfo>& outputs() const override { return outputs_; }
  void bind(const NamedTensors& inputs) override { bound_ = inputs; }
  void run_bound() override {
    ++runs;
    results_ = run_(bound_);
  }
  std::vector<Tensor> results() override { return results_; }
  std::vector<NodeTime> profile() override { return {}; }
  std::string description() const override { return "fake"; }

  std::int64_t runs = 0;

 private:
  std::vector<ValueInfo> inputs_, outputs_;
  Run run_;
  NamedTensors bound_;
  std::vector<Tensor> results_;
};

/// The input x of sample i is the number i; labels or targets are given.
class FakeDataset : public Dataset {
 public:
  Task kind = Task::kClassification;
  std::int64_t count = 0;
  std::vector<std::string> names;
  std::vector<std::int64_t> labels;
  Tensor target;  ///< [count, ...]

  static FakeDataset labelled(std::vector<std::int64_t> labels, std::vector<std::string> names = {}) {
    FakeDataset dataset;
    dataset.count = static_cast<std::int64_t>(labels.size());
    dataset.labels = std::move(labels);
    dataset.names = std::move(names);
    return dataset;
  }
  static FakeDataset with_target(Task kind, Tensor target, std::vector<std::string> names = {}) {
    FakeDataset dataset;
    dataset.kind = kind;
    dataset.count = target.shape().front();
    dataset.target = std::move(target);
    dataset.names = std::move(names);
    return dataset;
  }
  static FakeDataset unlabelled(std::int64_t count, Task kind = Task::kNone) {
    FakeDataset dataset;
    dataset.kind = kind;
    dataset.count = count;
    return dataset;
  }

  Task task() const override { return kind; }
  std::int64_t size() const override { return count; }
  std::vector<std::string> class_names() const override { return names; }
  std::string description() const override { return "made-up data"; }
  std::string fingerprint() const override { return "fake"; }
  Batch batch(std::span<const std::int64_t> indices) const override {
    Batch batch;
    batch.size = static_cast<std::int64_t>(indices.size());
    std::vector<float> numbers(indices.begin(), indices.end());
    batch.inputs["x"] = Tensor::of<float>({batch.size, 1}, numbers);
    if (!labels.empty())
      for (const std::int64_t index : indices) batch.labels.push_back(labels.at(static_cast<std::size_t>(index)));
    if (!target.empty()) {
      Shape shape = target.shape();
      const std::int64_t row = target.size_bytes() / shape.front();
      shape.front() = batch.size;
      std::vector<std::byte> bytes;
      for (const std::int64_t index : indices) {
        const auto from = target.bytes().subspan(static_cast<std::size_t>(index * row), static_cast<std::size_t>(row));
        bytes.insert(bytes.end(), from.begin(), from.end());
      }
      batch.target = Tensor::from_bytes(target.dtype(), shape, bytes);
    }
    return batch;
  }
};

/// Keeps what it is told.
class Notes : public ProgressSink {
 public:
  void begin(std::string_view task, std::int64_t, std::string_view) override { tasks.emplace_back(task); }
  void advance(std::int64_t done) override { last = done; }
  void end() override { ++ended; }
  void note(std::string_view line) override { notes.emplace_back(line); }
  void warning(std::string_view line) override { notes.emplace_back(line); }
  bool cancelled() const override { return cancel; }

  std::vector<std::string> tasks, notes;
  std::int64_t last = -1, ended = 0;
  bool cancel = false;
};

}  // namespace pare::testing
