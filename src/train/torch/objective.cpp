#include "train/torch/objective.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/fail.h"
#include "core/random.h"
#include "core/words.h"
#include "train/lower/torch_tensor.h"
#include "train/torch/losses.h"

namespace pare {
namespace {

/// Not by a default that takes what there is.
bool asks_for_features(const std::vector<std::string>& words) {
  return !words.empty() && words.front() != "same" && words.front() != "none";
}

at::Tensor indices_of(const std::vector<std::int64_t>& channels) {
  return at::tensor(at::IntArrayRef(channels), at::kLong);
}

/// The value whose classes are compared: what a Softmax at the end reads, since a loss wants scores, not shares.
std::string scores_behind(const Graph& graph, const GraphIndex& index, const std::string& output) {
  const std::int64_t producer = index.producer(output);
  if (producer < 0) return output;
  const Node& node = graph.nodes[static_cast<std::size_t>(producer)];
  if (node.is("Identity")) return scores_behind(graph, index, node.input(0));
  return node.is("Softmax") || node.is("LogSoftmax") ? node.input(0) : output;
}

std::vector<std::string> values_of(const Graph& graph, bool classes) {
  const GraphIndex index(graph);
  std::vector<std::string> values;
  for (const ValueInfo& output : graph.outputs) {
    if (output.dtype != DType::kFloat32 && output.dtype != DType::kUndefined) continue;
    values.push_back(classes ? scores_behind(graph, index, output.name) : output.name);
  }
  return values;
}

/// Without labels: an output [N, C] or [N, C, H, W] with several channels holds classes if it is the only one.
Task task_by_output(const Graph& graph) {
  if (graph.outputs.size() != 1 || !graph.outputs[0].shape) return Task::kRegression;
  const std::vector<Dim>& shape = *graph.outputs[0].shape;
  if (shape.size() < 2 || !shape[1].value || *shape[1].value < 2) return Task::kRegression;
  return shape.size() == 2 ? Task::kClassification : shape.size() == 4 ? Task::kSegmentation : Task::kRegression;
}

bool has_classes(Task task) { return task == Task::kClassification || task == Task::kSegmentation; }

std::string_view loss_name(HardLoss loss) {
  return loss == HardLoss::kCrossEntropy ? "cross entropy" : loss == HardLoss::kMse ? "squared error" : "Huber error";
}

std::string soft_name(SoftLoss loss, double temperature) {
  switch (loss) {
    case SoftLoss::kKl:
      return fmt::format("KL to the teacher at T = {}", temperature);
    case SoftLoss::kDist:
      return fmt::format("DIST to the teacher at T = {}", temperature);
    case SoftLoss::kMse:
      return "squared error to the teacher";
    case SoftLoss::kTeacherBounded:
      return "error bounded by the teacher's";
    default:
      return "Huber error to the teacher";
  }
}

}  // namespace

TorchBatch to_torch_batch(const Batch& batch) {
  TorchBatch out;
  for (const auto& [name, tensor] : batch.inputs) out.inputs[name] = to_torch(tensor);
  if (!batch.labels.empty())
    out.labels = at::tensor(at::ArrayRef<std::int64_t>(batch.labels), at::TensorOptions().dtype(at::kLong));
  if (!batch.target.empty()) (batch.target.dtype() == DType::kInt64 ? out.labels : out.target) = to_torch(batch.target);
  return out;
}

TorchBatch mixed_batch(TorchBatch batch, double share) {
  batch.mixed = share;
  for (auto& [name, input] : batch.inputs)
    if (input.is_floating_point()) input = input * (1 - share) + input.flip(0) * share;
  return batch;
}

Objective::Objective(const Model& student, const Model* teacher, const Dataset& data, const TrainOptions& options)
    : options_(options), has_teacher_(teacher != nullptr) {
  uses_labels_ = options.use_labels && data.task() != Task::kNone && !(has_teacher_ && options.hard_weight == 0);
  if (!uses_labels_ && !has_teacher_)
    fail(
        ErrorCode::kInvalidArgument,
        "there is nothing to learn from: {} has no labels, and there is no teacher\n  remedy: give --teacher MODEL, or "
        "data with labels",
        data.description());
  task_ = data.task() == Task::kNone ? task_by_output(student.graph) : data.task();
  const bool classes = has_classes(task_);
  hard_ = options.hard == HardLoss::kAuto ? (classes ? HardLoss::kCrossEntropy : HardLoss::kHuber) : options.hard;
  soft_ = options.soft == SoftLoss::kAuto ? (classes ? SoftLoss::kKl : SoftLoss::kHuber) : options.soft;
  const bool class_loss = hard_ == HardLoss::kCrossEntropy;
  if (uses_labels_ && class_loss != classes)
    fail(ErrorCode::kInvalidArgument, "{} does not go with the labels of {} ({})\n  remedy: leave the loss to auto",
         loss_name(hard_), data.description(), task_name(task_));
  if ((soft_ == SoftLoss::kKl || soft_ == SoftLoss::kDist) && has_teacher_ && !classes)
    fail(ErrorCode::kInvalidArgument, "{} compares classes, but the network gives numbers\n  remedy: huber or mse",
         soft_name(soft_, options.temperature));
  if (soft_ == SoftLoss::kTeacherBounded && (classes || !uses_labels_))
    fail(ErrorCode::kInvalidArgument,
         "the teacher-bounded loss needs numbers as labels\n  remedy: leave the loss to auto");
  if (options.mixup > 0 && task_ != Task::kClassification)
    fail(ErrorCode::kInvalidArgument, "mixup is for classification\n  remedy: leave it out");

  student_values_ = values_of(student.graph, classes);
  if (student_values_.empty()) fail(ErrorCode::kInvalidArgument, "the network has no float32 output to be trained on");
  outputs_ = student_values_.size();
  if (!has_teacher_ && asks_for_features(options.features))
    fail(ErrorCode::kInvalidArgument, "features are compared with a teacher's\n  remedy: give --teacher MODEL");
  if (!has_teacher_) return;
  teacher_values_ = values_of(teacher->graph, classes);
  if (teacher_values_.size() != student_values_.size())
    fail(ErrorCode::kInvalidArgument,
         "the student has {} outputs and the teacher {}\n  remedy: both must have the same", student_values_.size(),
         teacher_values_.size());
  add_features(student, *teacher, data);
}

void Objective::add_features(const Model& student, const Model& teacher, const Dataset& data) {
  const bool same = options_.features == std::vector<std::string>{"same"};
  if (options_.features.empty() || (same && (task_ != Task::kClassification || options_.quantization_aware))) return;
  constexpr std::int64_t kSamples = 32;
  const std::int64_t count = fixed_batch(student.graph.inputs).value_or(std::min(kSamples, data.size()));
  const std::vector<std::int64_t> some = sample_indices(data.size(), std::min(count, data.size()), options_.seed);
  features_ = find_features(student, teacher, options_.features, data.batch(some).inputs);
  Rng rng(options_.seed + 17);
  for (const FeaturePair& pair : features_) {
    student_values_.push_back(pair.student);
    teacher_values_.push_back(pair.teacher);
    const bool adapted = !pair.same_channels() && !pair.kept;
    adapter_of_.push_back(adapted ? static_cast<std::int64_t>(adapters_.size()) : -1);
    if (!adapted) continue;
    const std::int64_t from = pair.student_shape[1], to = pair.teacher_shape[1];
    std::vector<float> values(static_cast<std::size_t>(from * to));
    for (float& value : values) value = static_cast<float>(rng.normal() / std::sqrt(static_cast<double>(from)));
    const at::Tensor weight = to_torch(Tensor::of<float>({to, from, 1, 1}, values)).set_requires_grad(true);
    adapters_.push_back({"adapter/" + pair.student, weight, true});
  }
}

at::Tensor Objective::features_loss(const std::vector<at::Tensor>& student,
                                    const std::vector<at::Tensor>& teacher) const {
  at::Tensor sum;
  for (std::size_t i = 0; i < features_.size(); ++i) {
    at::Tensor given = student[outputs_ + i].to(at::kFloat);
    at::Tensor wanted = teacher[outputs_ + i].to(at::kFloat);
    if (const auto& kept = features_[i].kept) {
      given = given.index_select(1, indices_of(kept->student));
      wanted = wanted.index_select(1, indices_of(kept->teacher));
    }
    const bool flat = given.dim() == 2;
    if (flat) given = given.unsqueeze(-1).unsqueeze(-1), wanted = wanted.unsqueeze(-1).unsqueeze(-1);
    if (adapter_of_[i] >= 0) given = at::conv2d(given, adapters_[static_cast<std::size_t>(adapter_of_[i])].tensor);
    if (given.size(2) != wanted.size(2) || given.size(3) != wanted.size(3))
      given = at::upsample_bilinear2d(given, {wanted.size(2), wanted.size(3)}, false);
    const at::Tensor one = feature_loss(given, wanted);
    sum = sum.defined() ? sum + one : one;
  }
  return sum.defined() ? sum / static_cast<double>(features_.size()) : sum;
}

std::string Objective::description() const {
  const std::string hard = fmt::format("{} with the labels", loss_name(hard_));
  if (!has_teacher_) return hard;
  const std::string soft = soft_name(soft_, options_.temperature);
  std::string hidden;
  if (!features_.empty()) {
    hidden = fmt::format(" + {} * hidden layers", options_.feature_weight);
    for (std::size_t i = 0; i < features_.size(); ++i)
      hidden += fmt::format("{} {}{}", i == 0 ? "" : ",", features_[i].teacher,
                            features_[i].kept     ? " (kept channels)"
                            : adapter_of_[i] >= 0 ? " (1x1 adapter)"
                                                  : "");
  }
  if (!uses_labels_) return soft + hidden + ", no labels";
  return fmt::format("{} * {} + {} * {}{}", options_.hard_weight, hard, 1 - options_.hard_weight, soft, hidden);
}

at::Tensor Objective::hard_loss(const at::Tensor& output, const TorchBatch& batch) const {
  if (hard_ == HardLoss::kCrossEntropy)
    return batch.mixed > 0 ? mixed_cross_entropy(output, batch.labels, batch.labels.flip(0), batch.mixed)
                           : cross_entropy(output, batch.labels);
  return hard_ == HardLoss::kMse ? masked_mse(output, batch.target) : masked_huber(output, batch.target);
}

at::Tensor Objective::soft_loss(const at::Tensor& output, const at::Tensor& wanted, const TorchBatch& batch) const {
  switch (soft_) {
    case SoftLoss::kKl: {
      const bool pixels = task_ == Task::kSegmentation && batch.labels.defined();
      return soft_kl(output, wanted, options_.temperature, pixels ? batch.labels.ge(0) : at::Tensor());
    }
    case SoftLoss::kDist:
      return dist_loss(output, wanted, options_.temperature);
    case SoftLoss::kMse:
      return masked_mse(output, wanted);
    case SoftLoss::kTeacherBounded:
      return teacher_bounded(output, wanted, batch.target);
    default:
      return masked_huber(output, wanted);
  }
}

Objective::Counted Objective::counted(const TorchBatch& batch) const {
  Counted counted;
  if (batch.labels.defined())
    counted.hard = batch.labels.ge(0).sum().item<double>();
  else if (batch.target.defined())
    counted.hard = at::isfinite(batch.target).sum().item<double>();
  const bool pixels = soft_ == SoftLoss::kKl && task_ == Task::kSegmentation && batch.labels.defined();
  counted.soft = pixels || soft_ == SoftLoss::kTeacherBounded
                     ? counted.hard
                     : static_cast<double>(batch.inputs.begin()->second.size(0));
  return counted;
}

LossParts Objective::loss(const std::vector<at::Tensor>& student, const std::vector<at::Tensor>& teacher,
                          const TorchBatch& raw) const {
  at::Tensor hard, soft;
  const auto given = [&](std::size_t i) {
    const at::Tensor output = student[i].to(at::kFloat);
    return scale_.by_layer ? output : scale_.normalized(output);
  };
  TorchBatch batch = raw;
  if (batch.target.defined()) batch.target = scale_.normalized(batch.target);
  if (uses_labels_) hard = hard_loss(given(0), batch);
  if (has_teacher_)
    for (std::size_t i = 0; i < outputs_; ++i) {
      const at::Tensor one = soft_loss(given(i), scale_.normalized(teacher[i].to(at::kFloat)), batch);
      soft = soft.defined() ? soft + one : one;
    }
  if (hard.defined() && batch.hard_scale != 1) hard = hard * batch.hard_scale;
  if (soft.defined() && batch.soft_scale != 1) soft = soft * batch.soft_scale;
  LossParts parts;
  if (hard.defined()) parts.hard = hard.item<double>();
  if (soft.defined()) parts.soft = soft.item<double>();
  if (!soft.defined())
    parts.total = hard;
  else if (!hard.defined())
    parts.total = soft;
  else
    parts.total = hard * options_.hard_weight + soft * (1 - options_.hard_weight);
  if (at::Tensor feature = features_loss(student, teacher); feature.defined()) {
    if (batch.soft_scale != 1) feature = feature * batch.soft_scale;
    parts.feature = feature.item<double>();
    parts.total = parts.total + feature * options_.feature_weight;
  }
  return parts;
}

}  // namespace pare
