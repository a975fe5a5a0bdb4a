// The state of a training run as a checkpoint, and back.
#include <ATen/ATen.h>

#include <chrono>
#include <functional>

#include "core/fail.h"
#include "pare/augment.h"
#include "train/lower/torch_tensor.h"
#include "train/torch/trainer.h"

namespace pare {

std::string Trainer::fingerprint() const {
  std::string names;
  for (const TrainedTensor& parameter : student_.parameters())
    names += parameter.name + shape_text(parameter.tensor.sizes().vec());
  return fmt::format("{:x} {} {} {} {} {} {} {}", std::hash<std::string>{}(names), data_.train->fingerprint(),
                     options_.batch, options_.seed, options_.epochs, augment_text(parse_augment(options_.augment)),
                     objective_.description(), static_cast<int>(options_.optimizer));
}

void Trainer::save() {
  if (options_.checkpoint.empty() || !is_first()) return;
  Checkpoint out = state_;
  out.fingerprint = fingerprint();
  for (const auto& [name, tensor] : student_.state()) out.tensors["weight/" + name] = from_torch(tensor);
  for (const auto& [name, tensor] : optimizer_->state()) out.tensors["optimizer/" + name] = from_torch(tensor);
  for (const TrainedTensor& adapter : objective_.adapters())
    out.tensors["adapter/" + adapter.name] = from_torch(adapter.tensor);
  for (const auto& [name, tensor] : best_) out.tensors["best/" + name] = from_torch(tensor);
  for (std::size_t i = 0; i < averaged_.size(); ++i)
    out.tensors["averaged/" + student_.parameters()[i].name] = from_torch(averaged_[i]);
  save_checkpoint(out, options_.checkpoint);
  saved_ = std::chrono::steady_clock::now();
}

void Trainer::restore() {
  if (options_.checkpoint.empty() || !options_.resume || !is_first()) return;
  std::optional<Checkpoint> found = load_checkpoint(options_.checkpoint);
  if (!found) {
    result_.notes.push_back("no checkpoint to go on from: began at the start");
    return;
  }
  if (found->fingerprint != fingerprint())
    fail(ErrorCode::kInvalidArgument,
         "{} belongs to another run (network, data, batch, seed, epochs or loss differ)\n  remedy: the same options as "
         "then, or start without --resume",
         options_.checkpoint.string());
  std::map<std::string, at::Tensor> weights, moments;
  for (const auto& [name, tensor] : found->tensors) {
    const std::string rest = name.substr(name.find('/') + 1);
    if (name.starts_with("weight/")) weights[rest] = to_torch(tensor);
    if (name.starts_with("optimizer/")) moments[rest] = to_torch(tensor);
    for (const TrainedTensor& adapter : objective_.adapters())
      if (name == "adapter/" + adapter.name) adapter.tensor.detach().copy_(to_torch(tensor));
    if (name.starts_with("best/")) best_[rest] = to_torch(tensor);
    if (name.starts_with("averaged/"))
      for (std::size_t i = 0; i < averaged_.size(); ++i)
        if (student_.parameters()[i].name == rest) averaged_[i] = to_torch(tensor);
  }
  found->tensors.clear();
  state_ = std::move(*found);
  student_.set_state(weights);
  optimizer_->restore(moments, state_.step);
  result_.notes.push_back(fmt::format("went on from step {} of {}", state_.step, total_steps_));
}

}  // namespace pare
