// What a training run does only when several workers do it together.
#include <ATen/ATen.h>

#include <functional>

#include "core/fail.h"
#include "train/torch/trainer.h"

namespace pare {

void Trainer::join_workers() {
  group_ = std::make_unique<ProcessGroup>(options_.workers, progress_);
  gradient_sum_.emplace(with_adapters());
  // 53 bits: a double holds them.
  const auto own = static_cast<double>(std::hash<std::string>{}(fingerprint()) >> 11);
  const bool differs = own != group_->of_first({own}).front();
  std::vector<double> flags(static_cast<std::size_t>(group_->count()), 0.0);
  flags[static_cast<std::size_t>(group_->rank())] = differs ? 1 : 0;
  flags = group_->sum(flags);
  for (std::size_t rank = 0; rank < flags.size(); ++rank)
    if (flags[rank] != 0)
      fail(ErrorCode::kInvalidArgument,
           "workers: rank {} trains something else than rank 0 (network, data, batch, seed, epochs or loss differ)\n"
           "  remedy: the same command and the same files for all",
           rank);
  result_.notes.push_back(
      fmt::format("{} workers, each with its part of a batch of {}", group_->count(), options_.batch));
}

void Trainer::share_state() {
  std::vector<at::Tensor> tensors = averaged_;
  for (const auto& [name, tensor] : student_.state()) tensors.push_back(tensor);
  for (const auto& [name, tensor] : optimizer_->state()) tensors.push_back(tensor);
  group_->copy_from_first(tensors);
  const std::vector<double> numbers =
      group_->of_first({static_cast<double>(state_.step), state_.best, static_cast<double>(state_.best_epoch), rate_,
                        compute_ == at::kBFloat16 ? 1.0 : 0.0});
  if (is_first()) return;
  state_.step = static_cast<std::int64_t>(numbers[0]);
  state_.best = numbers[1];
  state_.best_epoch = static_cast<std::int64_t>(numbers[2]);
  rate_ = numbers[3];
  compute_ = numbers[4] != 0 ? at::kBFloat16 : at::kFloat;
  if (state_.step > 0) optimizer_->restore(optimizer_->state(), state_.step);
}

/// Running statistics are each worker's own between two epochs. Weights are the same everywhere unless processors round
/// differently: that must not add up.
void Trainer::meet_after_epoch() {
  std::vector<at::Tensor> statistics, weights;
  for (const TrainedBuffer& buffer : student_.buffers()) statistics.push_back(buffer.tensor);
  for (const TrainedTensor& parameter : student_.parameters()) weights.push_back(parameter.tensor);
  if (norm_ == NormTraining::kBatch) average(*group_, statistics);
  group_->copy_from_first(weights);
}

void Trainer::end_without(const WorkerLost& lost) {
  if (is_first()) save();
  if (progress_.cancelled()) fail(ErrorCode::kInterrupted, "training was interrupted at step {}", state_.step);
  const std::string what = fmt::format("{}{} was lost at step {} of {} ({})",
                                       is_first() ? "" : fmt::format("rank {}: ", options_.workers.rank), lost.who(),
                                       state_.step + 1, total_steps_, lost.reason());
  if (options_.checkpoint.empty())
    fail(ErrorCode::kIo, "{}; nothing is saved\n  remedy: start again, with checkpoint=FILE", what);
  fail(ErrorCode::kIo, "{}; {} {}\n  remedy: start all of them again with --resume", what,
       is_first() ? "the state is saved in" : "the state is what rank 0 saved last in", options_.checkpoint.string());
}

}  // namespace pare
