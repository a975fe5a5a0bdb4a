// objective.h - which outputs are compared with what, and the loss of one batch.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "pare/dataset.h"
#include "pare/graph.h"
#include "pare/train.h"
#include "train/features.h"
#include "train/torch/executor.h"
#include "train/torch/target_scale.h"

namespace pare {

/// One batch as torch sees it.
struct TorchBatch {
  std::map<std::string, at::Tensor> inputs;
  at::Tensor labels;  ///< int64 [N] or [N, H, W], -1: unlabelled; undefined: none
  at::Tensor target;  ///< float32, NaN: no value; undefined: none
  double mixed = 0;   ///< mixup: share of the samples in reverse order
  /// Several workers: what this one's mean counts in the mean over all of them.
  double hard_scale = 1, soft_scale = 1;
};
[[nodiscard]] TorchBatch to_torch_batch(const Batch& batch);
/// Every sample with a share of another one of the batch (the batch in reverse order).
[[nodiscard]] TorchBatch mixed_batch(TorchBatch batch, double share);

struct LossParts {
  at::Tensor total;
  double hard = 0, soft = 0, feature = 0;  ///< unweighted; 0 where there is none
};

/// What the dataset's task (without labels: the look of the outputs) asks for.
class Objective {
 public:
  /// Throws Error(kInvalidArgument) when there is neither label nor teacher, or when outputs do not fit each other.
  Objective(const Model& student, const Model* teacher, const Dataset& data, const TrainOptions& options);

  /// Values to compare: class scores before a Softmax at the end, else the outputs.
  [[nodiscard]] const std::vector<std::string>& student_values() const noexcept { return student_values_; }
  [[nodiscard]] const std::vector<std::string>& teacher_values() const noexcept { return teacher_values_; }
  /// Weights of the adapters that bring the student's hidden values to the teacher's channels; they are trained with
  /// the student and stay behind.
  [[nodiscard]] const std::vector<TrainedTensor>& adapters() const noexcept { return adapters_; }
  [[nodiscard]] bool uses_labels() const noexcept { return uses_labels_; }
  [[nodiscard]] Task task() const noexcept { return task_; }
  /// "cross entropy with the labels 0.3, KL to the teacher at T = 3 0.7".
  [[nodiscard]] std::string description() const;

  /// Numbers are compared in these units from now on.
  void set_scale(TargetScale scale) { scale_ = std::move(scale); }
  [[nodiscard]] const TargetScale& scale() const noexcept { return scale_; }

  /// Over how many values the two losses of this batch are means.
  struct Counted {
    double hard = 0, soft = 0;
  };
  [[nodiscard]] Counted counted(const TorchBatch& batch) const;

  /// `teacher`: empty without one.
  [[nodiscard]] LossParts loss(const std::vector<at::Tensor>& student, const std::vector<at::Tensor>& teacher,
                               const TorchBatch& batch) const;

 private:
  void add_features(const Model& student, const Model& teacher, const Dataset& data);
  [[nodiscard]] at::Tensor features_loss(const std::vector<at::Tensor>& student,
                                         const std::vector<at::Tensor>& teacher) const;
  [[nodiscard]] at::Tensor hard_loss(const at::Tensor& output, const TorchBatch& batch) const;
  [[nodiscard]] at::Tensor soft_loss(const at::Tensor& output, const at::Tensor& wanted, const TorchBatch& batch) const;

  TrainOptions options_;
  TargetScale scale_;
  Task task_ = Task::kNone;
  bool uses_labels_ = false, has_teacher_ = false;
  HardLoss hard_ = HardLoss::kAuto;
  SoftLoss soft_ = SoftLoss::kAuto;
  std::vector<std::string> student_values_, teacher_values_;  ///< outputs, then hidden values
  std::size_t outputs_ = 0;                                   ///< how many are outputs
  std::vector<FeaturePair> features_;
  std::vector<TrainedTensor> adapters_;
  std::vector<std::int64_t> adapter_of_;  ///< by pair; -1: as many channels as the teacher
};

}  // namespace pare
