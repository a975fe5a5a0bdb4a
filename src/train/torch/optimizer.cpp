#include "train/torch/optimizer.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <numbers>

#include "core/fail.h"

namespace pare {

WeightOptimizer::WeightOptimizer(Optimizer kind, double momentum, double weight_decay,
                                 const std::vector<TrainedTensor>& parameters)
    : kind_(kind), momentum_(momentum) {
  groups_.resize(2);
  groups_[0].weight_decay = weight_decay;
  for (const TrainedTensor& parameter : parameters) {
    Group& group = groups_[parameter.decays ? 0 : 1];
    group.names.push_back(parameter.name);
    group.weights.push_back(parameter.tensor);
    const at::Tensor plain = parameter.tensor.detach();
    group.first.push_back(at::zeros_like(plain));
    if (kind_ == Optimizer::kSgd) continue;
    group.second.push_back(at::zeros_like(plain));
    group.steps.push_back(at::zeros({}, at::kFloat));
  }
}

void WeightOptimizer::update(Group& group, double learning_rate) {
  if (group.weights.empty()) return;
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& weight : group.weights) gradients.push_back(weight.grad());
  if (kind_ == Optimizer::kSgd) {
    at::_fused_sgd_(group.weights, gradients, group.first, group.weight_decay, momentum_, learning_rate, 0.0,
                    momentum_ > 0, false, steps_ == 0);
    return;
  }
  for (const at::Tensor& steps : group.steps) steps.add_(1);
  constexpr double kBeta2 = 0.999, kEpsilon = 1e-8;
  const auto run = kind_ == Optimizer::kAdam ? &at::_ops::_fused_adam_::call : &at::_ops::_fused_adamw_::call;
  run(group.weights, gradients, group.first, group.second, {}, group.steps, learning_rate, momentum_, kBeta2,
      group.weight_decay, kEpsilon, false, false, {}, {});
}

double WeightOptimizer::step(double learning_rate, double clip_norm) {
  const c10::NoGradGuard no_gradient;
  double squares = 0;
  for (const Group& group : groups_)
    for (const at::Tensor& weight : group.weights) {
      at::Tensor& gradient = weight.mutable_grad();
      if (!gradient.defined()) gradient = at::zeros_like(weight);  // a weight that this batch did not reach
      const double norm = gradient.norm().item<double>();
      squares += norm * norm;
    }
  const double norm = std::sqrt(squares);
  if (clip_norm > 0 && norm > clip_norm)
    for (const Group& group : groups_)
      for (const at::Tensor& weight : group.weights) weight.mutable_grad().mul_(clip_norm / norm);
  for (Group& group : groups_) update(group, learning_rate);
  ++steps_;
  forget_gradients();
  return norm;
}

void WeightOptimizer::forget_gradients() {
  for (const Group& group : groups_)
    for (const at::Tensor& weight : group.weights) weight.mutable_grad().reset();
}

std::map<std::string, at::Tensor> WeightOptimizer::state() const {
  std::map<std::string, at::Tensor> state;
  for (const Group& group : groups_)
    for (std::size_t i = 0; i < group.names.size(); ++i) {
      state["first/" + group.names[i]] = group.first[i];
      if (kind_ != Optimizer::kSgd) state["second/" + group.names[i]] = group.second[i];
    }
  return state;
}

void WeightOptimizer::restore(const std::map<std::string, at::Tensor>& state, std::int64_t steps) {
  const c10::NoGradGuard no_gradient;
  for (const auto& [name, tensor] : this->state()) {
    const auto found = state.find(name);
    if (found == state.end() || found->second.sizes() != tensor.sizes())
      fail(ErrorCode::kMalformedModel, "the checkpoint was made by another network or optimizer: '{}' does not fit",
           name);
    tensor.copy_(found->second);
  }
  steps_ = steps;
  for (Group& group : groups_)
    for (const at::Tensor& count : group.steps) count.fill_(static_cast<double>(steps));
}

double scheduled_rate(Schedule schedule, double highest, double warmup, double done, double total) {
  const double rising = warmup * total;
  if (done < rising) {
    const double start =
        schedule == Schedule::kOneCycle ? 1.0 / 25 : 0;  // as in Smith's one-cycle policy (arXiv 1708.07120)
    return highest * (start + (1 - start) * (done + 1) / (rising + 1));
  }
  if (schedule == Schedule::kConstant) return highest;
  const double share = total > rising ? (done - rising) / (total - rising) : 1;
  return highest * 0.5 * (1 + std::cos(std::numbers::pi * std::min(share, 1.0)));
}

}  // namespace pare
