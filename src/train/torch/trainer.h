// trainer.h - one training run: batches in, steps down the gradient, figures and checkpoints out.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pare/train.h"
#include "train/checkpoint.h"
#include "train/torch/added_norms.h"
#include "train/torch/executor.h"
#include "train/torch/objective.h"
#include "train/torch/optimizer.h"
#include "train/torch/process_group.h"
#include "train/torch/share.h"
#include "train/torch/target_scale.h"
#include "train/torch/teacher.h"

namespace pare {

class Trainer {
 public:
  Trainer(const Model& student, const Model* teacher, std::shared_ptr<const Dataset> data, const TrainOptions& options,
          ProgressSink& progress);
  [[nodiscard]] TrainResult run();

 private:
  struct Parts {
    std::shared_ptr<const Dataset> train, validation;  ///< validation: null if nothing is split off
  };
  [[nodiscard]] static Parts split(const std::shared_ptr<const Dataset>& data, const TrainOptions& options);
  /// What is trained: the student's weights, and adapters that stay behind.
  [[nodiscard]] std::vector<TrainedTensor> with_adapters() const;
  [[nodiscard]] TrainResult train();
  [[nodiscard]] AddedNorms add_norms(const Model& student);
  void choose_batch(const Model& student);
  void choose_optimizer();
  void choose_units(const Model& student);
  void use_units(const TargetSums& sums, std::optional<OutputLayer> layer);
  /// The network as it is now, its outputs in their own units and without what was added for training.
  [[nodiscard]] Model exported();
  void join_workers();
  void share_state();
  void meet_after_epoch();
  [[noreturn]] void end_without(const WorkerLost& lost);
  [[nodiscard]] bool is_first() const { return options_.workers.rank == 0; }
  /// The precision and the number of threads whose step is fastest at this time on this machine.
  void choose_pace();
  void find_rate();
  [[nodiscard]] double seconds_per_step(at::ScalarType compute, const TorchBatch& batch, double to_beat);
  void train_epoch(std::int64_t epoch, ProgressTask& task);
  void train_batch(const Batch& batch, const std::vector<std::int64_t>& indices);
  [[nodiscard]] LossParts backward(TorchBatch batch, const std::vector<std::int64_t>& indices);
  void finish_epoch(std::int64_t epoch);
  void fit_to_time();
  void reestimate_statistics();
  void keep_zeros();
  void average_weights();
  void use_averaged_weights();
  [[nodiscard]] double validate();
  void save();
  void restore();
  [[nodiscard]] std::string fingerprint() const;
  [[nodiscard]] PassOptions pass() const;

  TrainOptions options_;
  ProgressSink& progress_;
  Parts data_;
  // What add_norms settles, and so before it.
  TrainResult result_;
  NormTraining norm_ = NormTraining::kFrozen;
  std::int64_t steps_per_epoch_ = 0, total_steps_ = 0;
  AddedNorms norms_;
  Objective objective_;
  Executor student_;
  std::optional<Teacher> teacher_;
  std::optional<WeightOptimizer> optimizer_;
  std::optional<OutputLayer> output_layer_;  ///< works in units of the targets' deviation
  std::unique_ptr<ProcessGroup> group_;      ///< null: alone
  std::optional<GradientSum> gradient_sum_;
  double rate_ = 0;
  at::ScalarType compute_ = at::kFloat;
  std::vector<std::pair<at::Tensor, at::Tensor>> masks_;  ///< weight, 1 where it was not 0
  std::vector<at::Tensor> averaged_;                      ///< EMA by parameter
  std::map<std::string, at::Tensor> best_;                ///< weights of the best epoch
  Checkpoint state_;                                      ///< figures; tensors only while saving
  std::int64_t first_step_ = 0;                           ///< of this process: above 0 after a resume
  std::chrono::steady_clock::time_point started_, saved_, timed_from_;
};

}  // namespace pare
