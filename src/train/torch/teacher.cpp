#include "train/torch/teacher.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "core/fail.h"
#include "pare/measure.h"
#include "pare/session.h"

namespace pare {

std::string check_teacher(const Model& teacher, const std::shared_ptr<const Dataset>& data, int threads,
                          std::uint64_t seed) {
  if (data->task() == Task::kNone) return "";
  const std::int64_t count = std::min<std::int64_t>(data->size(), 2000);
  const auto sample = subset(data, sample_indices(data->size(), count, seed));
  const auto session = open_session(teacher, {.threads = threads});
  const Evaluation evaluation = evaluate(*session, *sample, {.batch_size = 64});
  if (data->task() == Task::kRegression) {
    if (!(evaluation.regression.r2 > 0))
      fail(ErrorCode::kInvalidArgument,
           "the teacher is no better than the mean: RMSE {:.4g}, R2 {:.3f} on {} samples of {}\n  remedy: is it the "
           "right "
           "network, and the right --preprocess?",
           evaluation.value, evaluation.regression.r2, count, data->description());
    return fmt::format("teacher: RMSE {:.4g} on {} training samples", evaluation.value, count);
  }
  const std::int64_t classes = std::max<std::int64_t>(data->class_count(), 2);
  const double chance = 1.0 / static_cast<double>(classes);
  if (evaluation.interval.low <= chance)
    fail(ErrorCode::kInvalidArgument,
         "the teacher is no better than chance: {} {:.2f} % on {} samples of {}, {} classes\n  remedy: is it the right "
         "network, the right --preprocess, the right order of classes?",
         metric_name(evaluation.metric), 100 * evaluation.value, count, data->description(), classes);
  return fmt::format("teacher: {} {:.2f} % on {} training samples", metric_name(evaluation.metric),
                     100 * evaluation.value, count);
}

Teacher::Teacher(const Model& model, const std::vector<std::string>& values, bool cached, std::int64_t cache_bytes)
    : executor_(model, {.trainable = false, .results = values}), cached_(cached), free_bytes_(cache_bytes) {}

std::vector<at::Tensor> Teacher::from_cache(const std::vector<std::int64_t>& indices) const {
  std::vector<std::vector<at::Tensor>> rows;
  for (const std::int64_t index : indices) {
    const auto found = cache_.find(index);
    if (found == cache_.end()) return {};
    rows.resize(found->second.size());
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i].push_back(found->second[i]);
  }
  std::vector<at::Tensor> outputs;
  for (const std::vector<at::Tensor>& one : rows) outputs.push_back(at::stack(one));
  return outputs;
}

void Teacher::store(const std::vector<std::int64_t>& indices, const std::vector<at::Tensor>& outputs) {
  for (std::size_t sample = 0; sample < indices.size(); ++sample) {
    if (cache_.contains(indices[sample])) continue;
    std::vector<at::Tensor> rows;
    for (const at::Tensor& output : outputs) {
      rows.push_back(output[static_cast<std::int64_t>(sample)].clone());
      free_bytes_ -= static_cast<std::int64_t>(rows.back().nbytes());
    }
    if (free_bytes_ < 0) {
      cached_ = false;
      cache_.clear();
      return;
    }
    cache_.emplace(indices[sample], std::move(rows));
  }
}

std::vector<at::Tensor> Teacher::outputs(const TorchBatch& batch, const std::vector<std::int64_t>& indices,
                                         at::ScalarType compute) {
  if (cached_ && batch.mixed == 0)
    if (std::vector<at::Tensor> known = from_cache(indices); !known.empty()) return known;
  const c10::NoGradGuard no_gradient;
  std::vector<at::Tensor> outputs = executor_.run(batch.inputs, {.compute = compute});
  for (at::Tensor& output : outputs) output = output.to(at::kFloat);
  const bool by_sample = std::all_of(outputs.begin(), outputs.end(), [&](const at::Tensor& output) {
    return output.dim() > 0 && output.size(0) == static_cast<std::int64_t>(indices.size());
  });
  if (cached_ && by_sample && batch.mixed == 0) store(indices, outputs);
  return outputs;
}

}  // namespace pare
