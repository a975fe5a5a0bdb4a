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

constexpr std::int64_t kSmallestNormBatch = 64;  ///< statistics of fewer samples are too noisy to train with

/// A quantized network is near its end: large steps would lead away from where its ranges fit.
/// Without BatchNormalization (folded before pruning, gone in a quantized network) nothing tames large steps.
double default_rate(const TrainOptions& options, bool has_batchnorm) {
  if (options.optimizer != Optimizer::kSgd) return options.quantization_aware ? 1e-4 : 1e-3;
  return options.quantization_aware ? 0.005 : has_batchnorm ? 0.05 : 0.01;
}

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
      student_(student, executor_options(options, objective_)),
      optimizer_(options.optimizer, options.momentum, options.weight_decay, with_adapters()) {
  if (student_.integer_weights() > 0 && !options_.quantization_aware)
    fail(ErrorCode::kInvalidArgument,
         "training: {} weights of this network are stored as integers and would stay as they are\n  remedy: --qat "
         "trains them; or train the float network and quantize it afterwards",
         with_commas(student_.integer_weights()));
  at::set_num_threads(std::max(1, options_.threads / std::max(1, options_.workers.local_count)));
  rate_ = options_.learning_rate.value_or(default_rate(options_, student_.has_batchnorm()));
  const AugmentOptions augment = parse_augment(options_.augment);
  if (teacher != nullptr) {
    const std::string figure = check_teacher(*teacher, data_.train, options_.threads, options_.seed);
    if (!figure.empty()) result_.notes.push_back(figure);
    teacher_.emplace(*teacher, objective_.teacher_values(), augment == AugmentOptions{} && options_.mixup == 0);
  }
  options_.batch = std::min(options_.batch, data_.train->size());
  if (options_.workers.count > 1 && options_.batch < 2 * options_.workers.count)
    fail(ErrorCode::kInvalidArgument,
         "a batch of {} is too small for {} workers\n  remedy: at least {} samples, or fewer workers", options_.batch,
         options_.workers.count, 2 * options_.workers.count);
  steps_per_epoch_ = data_.train->size() / options_.batch;
  total_steps_ = std::max<std::int64_t>(
      1, static_cast<std::int64_t>(std::llround(options_.epochs * static_cast<double>(steps_per_epoch_))));
  norm_ = options_.norm;
  if (norm_ == NormTraining::kAuto)
    norm_ = options_.batch / options_.workers.count >= kSmallestNormBatch ? NormTraining::kBatch
                                                                          : NormTraining::kReestimated;
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

double Trainer::seconds_per_step(at::ScalarType compute, const TorchBatch& batch, double to_beat) {
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
    if (best > 3 * to_beat) break;
  }
  optimizer_.forget_gradients();
  return best;
}

void Trainer::choose_pace() {
  const CpuFeatures cpu = cpu_features();
  const bool has_half = cpu.avx512_bf16 || cpu.amx_bf16;
  std::vector<at::ScalarType> types;
  if (options_.precision != Precision::kBFloat16) types.push_back(at::kFloat);
  if (options_.precision == Precision::kBFloat16 || (options_.precision == Precision::kAuto && has_half))
    types.push_back(at::kBFloat16);
  compute_ = types.front();
  // Kernels wait for each other in loops: where other programs take a core, one thread is faster than two.
  std::vector<int> threads = {1};
  if (options_.threads > 1 && !group_) threads.push_back(options_.threads);
  if (!is_first() || types.size() * threads.size() == 1) return;  // rank 0 measures for all
  const TorchBatch batch = first_batch(*data_.train, options_.batch);
  double best = 1e30;
  int best_threads = 1;
  std::string figures;
  for (const int count : threads)
    for (const at::ScalarType type : types) {
      if (!group_) at::set_num_threads(count);
      const double seconds = seconds_per_step(type, batch, best);
      figures += fmt::format("{}{} with {} {} {:.0f} ms", figures.empty() ? "" : ", ",
                             type == at::kFloat ? "float32" : "bfloat16", count, count == 1 ? "thread" : "threads",
                             1000 * seconds);
      if (seconds >= best) continue;
      best = seconds;
      best_threads = count;
      compute_ = type;
    }
  if (!group_) at::set_num_threads(best_threads);
  result_.notes.push_back(fmt::format("computes in {} with {} {}; one step here: {}",
                                      compute_ == at::kFloat ? "float32" : "bfloat16", best_threads,
                                      best_threads == 1 ? "thread" : "threads", figures));
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
  optimizer_.step(rate, options_.clip_norm);
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
      if (error.code() == ErrorCode::kInterrupted) save();
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
  if (done < kLast && !group_ && seconds_since(started_) > options_.time_limit_s) total_steps_ = state_.step;
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
  const auto session = open_session(student_.export_model(), {.threads = options_.threads});
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
  if (norm_ != NormTraining::kReestimated || !student_.has_batchnorm() || !is_first()) return;
  const c10::NoGradGuard no_gradient;
  constexpr std::int64_t kSamples = 4096;
  const auto sample =
      subset(data_.train, sample_indices(data_.train->size(), std::min(kSamples, data_.train->size()), options_.seed));
  BatchReader reader(*sample, std::max(options_.batch, std::min(kSmallestNormBatch, sample->size())), 1);
  std::int64_t collected = 0;
  while (const std::optional<Batch> batch = reader.next())
    (void)student_.run(to_torch_batch(*batch).inputs, {.norm = NormMode::kCollect, .collected = collected++});
}

void Trainer::use_averaged_weights() {
  const c10::NoGradGuard no_gradient;
  for (std::size_t i = 0; i < averaged_.size(); ++i) student_.parameters()[i].tensor.detach().copy_(averaged_[i]);
  if (!averaged_.empty() && student_.has_batchnorm())
    norm_ = NormTraining::kReestimated;  // statistics of other weights
}

void Trainer::find_rate() {
  constexpr int kSteps = 80;
  constexpr double kLow = 1e-5, kHigh = 1;
  std::map<std::string, at::Tensor> before;
  for (const auto& [name, tensor] : student_.state()) before[name] = tensor.clone();
  WeightOptimizer trial(options_.optimizer, options_.momentum, options_.weight_decay, with_adapters());
  const std::vector<std::int64_t> order = shuffled_indices(data_.train->size(), options_.seed, 0);
  double smooth = 0, least = 1e30, best = kLow;
  for (int step = 0; step < kSteps; ++step) {
    std::vector<std::int64_t> indices;
    for (std::int64_t i = 0; i < options_.batch; ++i)
      indices.push_back(order[static_cast<std::size_t>((step * options_.batch + i) % data_.train->size())]);
    indices = share_of(indices, options_.batch, options_.workers);
    const LossParts parts = backward(to_torch_batch(data_.train->batch(indices)), indices);
    const double loss = parts.total.item<double>();
    const double rate = kLow * std::pow(kHigh / kLow, step / static_cast<double>(kSteps - 1));
    smooth = step == 0 ? loss : 0.8 * smooth + 0.2 * loss;
    if (!std::isfinite(loss) || (step > 5 && smooth > 4 * least)) break;
    if (smooth < least) {
      least = smooth;
      best = rate;
    }
    trial.step(rate, 0);
    keep_zeros();
  }
  optimizer_.forget_gradients();
  student_.set_state(before);
  rate_ = best / 10;
  result_.notes.push_back(fmt::format(
      "learning rate {:.2g}: a tenth of the rate at which the loss was least in {} trial steps", rate_, kSteps));
}

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
  for (const auto& [name, tensor] : optimizer_.state()) out.tensors["optimizer/" + name] = from_torch(tensor);
  for (const TrainedTensor& adapter : objective_.adapters())
    out.tensors["adapter/" + adapter.name] = from_torch(adapter.tensor);
  for (const auto& [name, tensor] : best_) out.tensors["best/" + name] = from_torch(tensor);
  for (std::size_t i = 0; i < averaged_.size(); ++i)
    out.tensors["averaged/" + student_.parameters()[i].name] = from_torch(averaged_[i]);
  save_checkpoint(out, options_.checkpoint);
  saved_ = Clock::now();
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
  optimizer_.restore(moments, state_.step);
  result_.notes.push_back(fmt::format("went on from step {} of {}", state_.step, total_steps_));
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
  } else {
    reestimate_statistics();
  }
  save();
  result_.model = student_.export_model();
  result_.epochs = state_.epochs;
  result_.steps = state_.step;
  result_.bfloat16 = compute_ == at::kBFloat16;
  result_.learning_rate = rate_;
  result_.notes.insert(result_.notes.begin(), "loss: " + objective_.description());
  return std::move(result_);
}

}  // namespace pare
