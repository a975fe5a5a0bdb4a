// optimizer.h - one step down the gradient: SGD, Adam, AdamW, by torch's fused kernels.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "pare/train.h"
#include "train/torch/executor.h"

namespace pare {

/// State by parameter, in two groups: with and without weight decay.
class WeightOptimizer {
 public:
  WeightOptimizer(Optimizer kind, double momentum, double weight_decay, const std::vector<TrainedTensor>& parameters);

  /// Takes the parameters' gradients, scaled down to `clip_norm` (0: not) over all of them, and forgets them. Returns
  /// their norm before that.
  double step(double learning_rate, double clip_norm);
  void forget_gradients();

  /// "momentum/conv1.weight" ...: what a checkpoint needs.
  [[nodiscard]] std::map<std::string, at::Tensor> state() const;
  /// Throws Error(kMalformedModel) naming what is missing or has another shape.
  void restore(const std::map<std::string, at::Tensor>& state, std::int64_t steps);

 private:
  struct Group {
    double weight_decay = 0;
    std::vector<std::string> names;
    std::vector<at::Tensor> weights, first, second, steps;
  };
  void update(Group& group, double learning_rate);

  Optimizer kind_;
  double momentum_;
  std::vector<Group> groups_;
  std::int64_t steps_ = 0;
};

/// Learning rate at `done` of `total` steps.
[[nodiscard]] double scheduled_rate(Schedule schedule, double highest, double warmup, double done, double total);

}  // namespace pare
