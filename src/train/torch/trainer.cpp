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
#include "pare/measure.h"
#include "pare/session.h"
#include "pare/split.h"
#include "train/lower/torch_tensor.h"

namespace pare {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Running statistics have forgotten what they began with, and come to rest, after so many steps.
constexpr std::int64_t kSettled = 300;

ExecutorOptions executor_options(const TrainOptions& options, const Objective& objective) {
  return {.results = objective.student_values(),
          .quantization_aware = options.quantization_aware,
          .learn_ranges = options.ranges != RangeTraining::kFrozen,
          .learn_weight_ranges = options.ranges == RangeTraining::kAll};
}

/// Beta(alpha, alpha) for mixup (Joehnk's method).
double beta_share(double alpha, Rng& rng) {
  for (int i = 0; i < 1000; ++i) {
    const double u = std::pow(rng.uniform(), 1 / alpha), v = std::pow(rng.uniform(), 1 / alpha);
    if (u + v > 0 && u + v <= 1) return u / (u + v);
  }
  return 0.5;
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
      norms_(add_norms(student)),
      objective_(student, teacher, *data, options),
      student_(norms_.with(student), executor_options(options, objective_)) {
  if (student_.integer_weights() > 0 && !options_.quantization_aware)
    fail(ErrorCode::kInvalidArgument,
         "training: {} weights of this network are stored as integers and would stay as they are\n  remedy: --qat "
         "trains them; or train the float network and quantize it afterwards",
         with_commas(student_.integer_weights()));
  at::set_num_threads(std::max(1, options_.threads / std::max(1, options_.workers.local_count)));
  const AugmentOptions augment = parse_augment(options_.augment);
  if (teacher != nullptr) {
    const std::string figure = check_teacher(*teacher, data_.train, options_.threads, options_.seed);
    if (!figure.empty()) result_.notes.push_back(figure);
    teacher_.emplace(*teacher, objective_.teacher_values(), augment == AugmentOptions{} && options_.mixup == 0);
  }
  if (norms_.count() > 0)
    result_.notes.push_back(fmt::format(
        "{} convolutions have no normalization; each got one while training, and it is folded into the weights again",
        norms_.count()));
  choose_optimizer();
  if (norm_ == NormTraining::kReestimated) reestimate_statistics();
  choose_units(student);
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

std::vector<TrainedTensor> Trainer::with_adapters() const {
  std::vector<TrainedTensor> all = student_.parameters();
  all.insert(all.end(), objective_.adapters().begin(), objective_.adapters().end());
  return all;
}

PassOptions Trainer::pass() const {
  return {.compute = compute_,
          .norm = norm_ == NormTraining::kBatch ? NormMode::kBatch : NormMode::kFrozen,
          .training = true};
}

LossParts Trainer::backward(TorchBatch batch, const std::vector<std::int64_t>& indices) {
  if (group_) {
    // Means over different numbers of values (labels left out, nodata): weighted so that their sum is the mean over
    // all.
    const Objective::Counted mine = objective_.counted(batch);
    const std::vector<double> all = group_->sum(std::vector<double>{mine.hard, mine.soft});
    batch.hard_scale = mine.hard / std::max(all[0], 1.0);
    batch.soft_scale = mine.soft / std::max(all[1], 1.0);
  }
  std::vector<at::Tensor> wanted;
  if (teacher_) wanted = teacher_->outputs(batch, indices, compute_);
  const std::vector<at::Tensor> given = student_.run(batch.inputs, pass());
  LossParts parts = objective_.loss(given, wanted, batch);
  parts.total.backward();
  if (group_) gradient_sum_->run(*group_, parts);
  return parts;
}

void Trainer::keep_zeros() {
  for (const auto& [weight, mask] : masks_) weight.mul_(mask);
  student_.bound_scales();
}

void Trainer::average_weights() {
  if (averaged_.empty()) return;
  const c10::NoGradGuard no_gradient;
  // Warms up, so that the first weights do not weigh for long.
  const double decay =
      std::min(options_.ema, (1.0 + static_cast<double>(state_.step)) / (10.0 + static_cast<double>(state_.step)));
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
         "training: the loss is {} at step {} of {} (learning rate {:.3g})\n  remedy: a smaller learning rate "
         "({:.3g}, say), --clip-norm, or --precision float32; values of the data that are no numbers do this as well",
         loss, state_.step + 1, total_steps_, rate, rate_ / 10);
  optimizer_->step(rate, options_.clip_norm);
  keep_zeros();
  ++state_.step;
  average_weights();
  const std::int64_t images = group_ ? options_.batch : raw.size;
  const auto samples = static_cast<double>(images);
  state_.running.loss += loss * samples;
  state_.running.hard += parts.hard * samples;
  state_.running.soft += parts.soft * samples;
  state_.running.feature += parts.feature * samples;
  state_.running.images += images;
  state_.running.learning_rate = rate;
}

void Trainer::train_epoch(std::int64_t epoch, ProgressTask& task) {
  const std::vector<std::int64_t> order = shuffled_indices(data_.train->size(), options_.seed, epoch);
  const std::int64_t skip = (state_.step - epoch * steps_per_epoch_) * options_.batch;
  const std::int64_t steps = std::min(steps_per_epoch_, total_steps_ - epoch * steps_per_epoch_);
  const std::vector<std::int64_t> all(order.begin() + skip, order.begin() + steps * options_.batch);
  const std::vector<std::int64_t> rest = share_of(all, options_.batch, options_.workers);
  const auto epoch_seed = options_.seed * 7919 + static_cast<std::uint64_t>(epoch) + 1;
  const std::shared_ptr<const Dataset> shown = augmented(data_.train, parse_augment(options_.augment), epoch_seed);
  const auto start = Clock::now();
  const double before = state_.running.seconds;
  const std::unique_ptr<Dataset> ordered = subset(shown, rest);
  BatchReader reader(*ordered, group_ ? share_size(options_.batch, options_.workers) : options_.batch, 1);
  std::int64_t at = 0;
  while (const std::optional<Batch> batch = reader.next()) {
    const std::vector<std::int64_t> indices(rest.begin() + at, rest.begin() + at + batch->size);
    at += batch->size;
    try {
      train_batch(*batch, indices);
      state_.running.seconds = before + seconds_since(start);
      task.advance(state_.step);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kInterrupted && !options_.checkpoint.empty()) {
        save();
        progress_.warning(fmt::format("the state of the run is saved in {}; --resume goes on from there",
                                      options_.checkpoint.string()));
      }
      throw;
    }
    if (!options_.checkpoint.empty() && seconds_since(saved_) > options_.checkpoint_every_s) save();
    if (options_.time_limit_s > 0) fit_to_time();
    if (state_.step >= total_steps_) break;
  }
}

void Trainer::fit_to_time() {
  constexpr std::int64_t kFirst = 5, kLast = 25;  // steps between which the time is taken: the first ones are slow
  const std::int64_t done = state_.step - first_step_;
  if (done == kFirst) timed_from_ = Clock::now();
  if (done < kLast && !group_ && seconds_since(started_) > options_.time_limit_s) {
    total_steps_ = state_.step;
    result_.notes.push_back(
        fmt::format("{:.0f} s were over after {} steps, too few to train with", options_.time_limit_s, done));
  }
  if (done != kLast) return;
  const double each = seconds_since(timed_from_) / static_cast<double>(kLast - kFirst);
  const double left = std::max(0.0, options_.time_limit_s - seconds_since(started_));
  std::int64_t possible = state_.step + static_cast<std::int64_t>(left / each);
  if (group_) possible = static_cast<std::int64_t>(group_->of_first({static_cast<double>(possible)}).front());
  if (possible >= total_steps_) return;
  total_steps_ = std::max(possible, state_.step + 1);
  result_.notes.push_back(fmt::format("{:.1f} epochs fit into {:.0f} s",
                                      static_cast<double>(total_steps_) / static_cast<double>(steps_per_epoch_),
                                      options_.time_limit_s));
}

double Trainer::validate() {
  if (!is_first()) return group_->of_first({0}, true).front();
  const auto session = open_session(exported(), {.threads = options_.threads});
  const double value = evaluate(*session, *data_.validation, {.batch_size = 64}).value;
  return group_ ? group_->of_first({value}, true).front() : value;
}

void Trainer::finish_epoch(std::int64_t epoch) {
  EpochFigures figures = state_.running;
  const double images = std::max<double>(1, static_cast<double>(figures.images));
  figures.loss /= images;
  figures.hard /= images;
  figures.soft /= images;
  figures.feature /= images;
  std::string line = fmt::format("epoch {}: loss {:.4f}", epoch + 1, figures.loss);
  if (objective_.uses_labels() && teacher_)
    line += fmt::format(" (labels {:.4f}, teacher {:.4f})", figures.hard, figures.soft);
  if (!objective_.adapters().empty() || figures.feature > 0)
    line += fmt::format(", hidden layers {:.4f}", figures.feature);
  if (group_) meet_after_epoch();
  if (data_.validation) {
    figures.validation = validate();
    const bool less_is_better = data_.validation->task() == Task::kRegression;
    line += fmt::format(", validation {:.4f}", *figures.validation);
    if (state_.best_epoch < 0 ||
        (less_is_better ? *figures.validation < state_.best : *figures.validation > state_.best)) {
      state_.best = *figures.validation;
      state_.best_epoch = epoch;
      if (options_.patience > 0)
        for (const auto& [name, tensor] : student_.state()) best_[name] = tensor.clone();
    }
  }
  progress_.note(line + fmt::format(", {:.0f} images/s", images / std::max(figures.seconds, 1e-9)));
  state_.epochs.push_back(figures);
  state_.running = {};
}

void Trainer::reestimate_statistics() {
  if (!student_.has_batchnorm() || !is_first()) return;
  const c10::NoGradGuard no_gradient;
  constexpr std::int64_t kSamples = 4096, kLeast = 64;
  const std::int64_t available = std::min(kSamples, data_.train->size());
  const std::int64_t batch_size = std::max(options_.batch, std::min(kLeast, available));
  // Whole batches: each counts alike, and a last one of a single sample has no variance.
  const std::int64_t count = available - available % batch_size;
  // Augmented as in training: weights have adapted to the statistics of such images.
  const auto sample = subset(augmented(data_.train, parse_augment(options_.augment), options_.seed),
                             sample_indices(data_.train->size(), count, options_.seed));
  BatchReader reader(*sample, batch_size, 1);
  std::int64_t collected = 0;
  while (const std::optional<Batch> batch = reader.next())
    (void)student_.run(to_torch_batch(*batch).inputs, {.norm = NormMode::kCollect, .collected = collected++});
}

void Trainer::use_averaged_weights() {
  const c10::NoGradGuard no_gradient;
  for (std::size_t i = 0; i < averaged_.size(); ++i) student_.parameters()[i].tensor.detach().copy_(averaged_[i]);
}

TrainResult Trainer::run() {
  try {
    return train();
  } catch (const WorkerLost& lost) {
    end_without(lost);
  }
}

TrainResult Trainer::train() {
  started_ = saved_ = Clock::now();
  if (options_.workers.count > 1) join_workers();
  choose_pace();
  if (group_) share_state();
  if (options_.find_learning_rate) find_rate();
  restore();
  if (group_) share_state();
  first_step_ = state_.step;
  if (result_.kept_zeros > 0)
    result_.notes.push_back(fmt::format("{} weights are 0 and stay 0", with_commas(result_.kept_zeros)));
  {
    ProgressTask task(progress_, "training", total_steps_, "steps");
    for (std::int64_t epoch = state_.step / steps_per_epoch_; state_.step < total_steps_; ++epoch) {
      train_epoch(epoch, task);
      finish_epoch(epoch);
      if (options_.patience > 0 && epoch - state_.best_epoch >= options_.patience) {
        result_.notes.push_back(
            fmt::format("stopped after epoch {}: no better since epoch {}", epoch + 1, state_.best_epoch + 1));
        break;
      }
    }
  }
  if (group_) group_->leave();
  use_averaged_weights();
  if (options_.patience > 0 && !best_.empty()) {
    student_.set_state(best_);
    result_.best_epoch = state_.best_epoch;
  } else if (norm_ == NormTraining::kBatch && (!averaged_.empty() || state_.step < kSettled)) {
    reestimate_statistics();  // they belong to other weights. Frozen ones were trained with: they must stay
  }
  save();
  result_.model = exported();
  result_.epochs = state_.epochs;
  result_.steps = state_.step;
  result_.bfloat16 = compute_ == at::kBFloat16;
  result_.learning_rate = rate_;
  result_.notes.insert(result_.notes.begin(), "loss: " + objective_.description());
  return std::move(result_);
}

}  // namespace pare
