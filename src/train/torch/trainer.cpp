#include "train/torch/trainer.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/fail.h"
#include "core/random.h"
#include "core/words.h"
#include "pare/augment.h"
#include "train/lower/torch_tensor.h"

namespace pare {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

constexpr std::int64_t kSmallestNormBatch = 64;  ///< statistics of fewer samples are too noisy to train with

double default_rate(Optimizer optimizer) { return optimizer == Optimizer::kSgd ? 0.05 : 1e-3; }

/// Beta(alpha, alpha) for mixup (Joehnk's method).
double beta_share(double alpha, Rng& rng) {
  for (int i = 0; i < 1000; ++i) {
    const double u = std::pow(rng.uniform(), 1 / alpha), v = std::pow(rng.uniform(), 1 / alpha);
    if (u + v > 0 && u + v <= 1) return u / (u + v);
  }
  return 0.5;
}

TorchBatch first_batch(const Dataset& data, std::int64_t batch) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(batch));
  for (std::size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<std::int64_t>(i) % data.size();
  return to_torch_batch(data.batch(indices));
}

}  // namespace

Trainer::Parts Trainer::split(const std::shared_ptr<const Dataset>& data, const TrainOptions& options) {
  if (options.validation <= 0) return {.train = data, .validation = nullptr};
  const Split parts = split_dataset(*data, options.validation, options.seed);
  return {.train = subset(data, parts.train), .validation = subset(data, parts.validation)};
}

Trainer::Trainer(const Model& student, const Model* teacher, std::shared_ptr<const Dataset> data,
                 const TrainOptions& options, ProgressSink& progress)
    : options_(options),
      progress_(progress),
      data_(split(data, options)),
      objective_(student, teacher, *data, options),
      student_(student, {.results = objective_.student_values()}),
      optimizer_(options.optimizer, options.momentum, options.weight_decay, student_.parameters()) {
  at::set_num_threads(options_.threads);
  rate_ = options_.learning_rate.value_or(default_rate(options_.optimizer));
  const AugmentOptions augment = parse_augment(options_.augment);
  if (teacher != nullptr) {
    const std::string figure = check_teacher(*teacher, data_.train, options_.threads, options_.seed);
    if (!figure.empty()) result_.notes.push_back(figure);
    teacher_.emplace(*teacher, objective_.teacher_values(), augment == AugmentOptions{} && options_.mixup == 0);
  }
  options_.batch = std::min(options_.batch, data_.train->size());
  steps_per_epoch_ = data_.train->size() / options_.batch;
  total_steps_ = std::max<std::int64_t>(
      1, static_cast<std::int64_t>(std::llround(options_.epochs * static_cast<double>(steps_per_epoch_))));
  norm_ = options_.norm;
  if (norm_ == NormTraining::kAuto)
    norm_ = options_.batch >= kSmallestNormBatch ? NormTraining::kBatch : NormTraining::kReestimated;
  for (TrainedTensor& parameter : student_.parameters()) {
    const at::Tensor plain = parameter.tensor.detach();
    const std::int64_t zeros = plain.numel() - plain.count_nonzero().item<std::int64_t>();
    if (plain.dim() > 1 && zeros > 0 && zeros < plain.numel()) {
      masks_.emplace_back(plain, plain.ne(0).to(at::kFloat));
      result_.kept_zeros += zeros;
    }
    if (options_.ema > 0) averaged_.push_back(plain.clone());
  }
}

PassOptions Trainer::pass() const {
  return {.compute = compute_,
          .norm = norm_ == NormTraining::kBatch ? NormMode::kBatch : NormMode::kFrozen,
          .training = true};
}

LossParts Trainer::backward(const TorchBatch& batch, const std::vector<std::int64_t>& indices) {
  std::vector<at::Tensor> wanted;
  if (teacher_) wanted = teacher_->outputs(batch, indices, compute_);
  const std::vector<at::Tensor> given = student_.run(batch.inputs, pass());
  LossParts parts = objective_.loss(given, wanted, batch);
  parts.total.backward();
  return parts;
}

double Trainer::seconds_per_step(at::ScalarType compute, const TorchBatch& batch) {
  const PassOptions frozen{.compute = compute, .norm = NormMode::kFrozen};
  double best = 1e30;
  for (int run = 0; run < 3; ++run) {
    const auto start = Clock::now();
    at::Tensor sum;
    for (const at::Tensor& output : student_.run(batch.inputs, frozen)) {
      const at::Tensor one = output.to(at::kFloat).square().mean();
      sum = sum.defined() ? sum + one : one;
    }
    sum.backward();
    best = std::min(best, seconds_since(start));
  }
  optimizer_.forget_gradients();
  return best;
}

void Trainer::choose_precision() {
  if (options_.precision != Precision::kAuto) {
    compute_ = options_.precision == Precision::kBFloat16 ? at::kBFloat16 : at::kFloat;
    return;
  }
  const CpuFeatures cpu = cpu_features();
  if (!cpu.avx512_bf16 && !cpu.amx_bf16) return;
  const TorchBatch batch = first_batch(*data_.train, options_.batch);
  const double single = seconds_per_step(at::kFloat, batch), half = seconds_per_step(at::kBFloat16, batch);
  if (half < single) compute_ = at::kBFloat16;
  result_.notes.push_back(fmt::format("computes in {}: a bfloat16 step is {:.2f}x as fast as a float32 one here",
                                      half < single ? "bfloat16" : "float32", single / half));
}

void Trainer::keep_zeros() {
  for (const auto& [weight, mask] : masks_) weight.mul_(mask);
}

void Trainer::average_weights() {
  if (averaged_.empty()) return;
  const c10::NoGradGuard no_gradient;
  // Warms up, so that the first weights do not weigh for long.
  const double decay = std::min(options_.ema, (1.0 + static_cast<double>(state_.step)) / (10.0 + static_cast<double>(state_.step)));
  for (std::size_t i = 0; i < averaged_.size(); ++i)
    averaged_[i].lerp_(student_.parameters()[i].tensor.detach(), 1 - decay);
}

void Trainer::train_batch(const Batch& raw, const std::vector<std::int64_t>& indices) {
  TorchBatch batch = to_torch_batch(raw);
  if (options_.mixup > 0) {
    Rng rng(options_.seed * 1'000'003 + static_cast<std::uint64_t>(state_.step));
    batch = mixed_batch(std::move(batch), beta_share(options_.mixup, rng));
  }
  const double rate = scheduled_rate(options_.schedule, rate_, options_.warmup, static_cast<double>(state_.step),
                                     static_cast<double>(total_steps_));
  const LossParts parts = backward(batch, indices);
  const double loss = parts.total.item<double>();
  if (!std::isfinite(loss))
    fail(ErrorCode::kNumeric,
         "training: the loss is {} at step {} of {} (learning rate {:.3g})\n  remedy: a smaller learning rate ({:.3g}, say), "
         "--clip-norm, or --precision float32; values of the data that are no numbers do this as well",
         loss, state_.step + 1, total_steps_, rate, rate_ / 10);
  optimizer_.step(rate, options_.clip_norm);
  keep_zeros();
  ++state_.step;
  average_weights();
  const auto samples = static_cast<double>(raw.size);
  state_.running.loss += loss * samples;
  state_.running.hard += parts.hard * samples;
  state_.running.soft += parts.soft * samples;
  state_.running.images += raw.size;
  state_.running.learning_rate = rate;
}

void Trainer::train_epoch(std::int64_t epoch, ProgressTask& task) {
  const std::vector<std::int64_t> order = shuffled_indices(data_.train->size(), options_.seed, epoch);
  const std::int64_t skip = (state_.step - epoch * steps_per_epoch_) * options_.batch;
  const std::int64_t steps = std::min(steps_per_epoch_, total_steps_ - epoch * steps_per_epoch_);
  const std::vector<std::int64_t> rest(order.begin() + skip, order.begin() + steps * options_.batch);
  const auto epoch_seed = options_.seed * 7919 + static_cast<std::uint64_t>(epoch) + 1;
  const std::shared_ptr<const Dataset> shown = augmented(data_.train, parse_augment(options_.augment), epoch_seed);
  const auto start = Clock::now();
  const double before = state_.running.seconds;
  const std::unique_ptr<Dataset> ordered = subset(shown, rest);
  BatchReader reader(*ordered, options_.batch, 1);
  std::int64_t at = 0;
  while (const std::optional<Batch> batch = reader.next()) {
    const std::vector<std::int64_t> indices(rest.begin() + at, rest.begin() + at + batch->size);
    at += batch->size;
    try {
      train_batch(*batch, indices);
      state_.running.seconds = before + seconds_since(start);
      task.advance(state_.step);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kInterrupted) save();
      throw;
    }
    if (!options_.checkpoint.empty() && seconds_since(saved_) > options_.checkpoint_every_s) save();
    if (options_.time_limit_s > 0) fit_to_time();
  }
}

}  // namespace pare
