// What a training run settles before its first step: how large a batch is, which statistics normalizations use, and in
// which units numbers are predicted.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "core/fail.h"
#include "core/words.h"
#include "pare/augment.h"
#include "pare/measure.h"
#include "train/torch/trainer.h"

namespace pare {
namespace {

// Statistics of a batch with fewer samples are too noisy to train with; one sample of a map has thousands of pixels.
constexpr std::int64_t kSmallestBatch = 64, kSmallestMapBatch = 16;
constexpr std::int64_t kUsualBatch = 128, kStepsPerEpoch = 16;
constexpr std::int64_t kFewSteps = 100;

/// The usual one, or as many as leave some steps in an epoch.
std::int64_t fitting_batch(std::int64_t samples, std::int64_t least) {
  std::int64_t batch = kUsualBatch;
  while (batch / 2 >= least && samples < batch * kStepsPerEpoch) batch /= 2;
  return batch;
}

bool gives_map(const Model& model, Task task) {
  if (task == Task::kSegmentation) return true;
  const auto& shape = model.graph.outputs.front().shape;
  return task == Task::kRegression && shape && shape->size() >= 3;
}

/// A quantized network is near its end: large steps would lead away from where its ranges fit.
/// Without statistics of the batch (folded before pruning, frozen, gone in a quantized network) nothing tames large
/// steps: units die. With them, errors in deviations are small next to a cross entropy and bear larger ones.
double default_rate(const TrainOptions& options, bool normalizes, bool numbers) {
  if (options.quantization_aware) return options.optimizer == Optimizer::kSgd ? 0.005 : 1e-4;
  if (options.optimizer != Optimizer::kSgd) return 1e-3;
  return !normalizes ? 0.01 : numbers ? 0.2 : 0.05;
}

}  // namespace

/// Bands as they are stored (0 to 255, to 10,000) make the gradients of a first layer without normalization so large
/// that no one rate serves it and the others: Adam has one for each weight.
void Trainer::choose_optimizer() {
  const bool normalizes = student_.has_batchnorm() && norm_ == NormTraining::kBatch;
  const bool numbers = objective_.task() == Task::kRegression;
  const bool adam = options_.optimizer == Optimizer::kAuto && numbers && !normalizes;
  if (options_.optimizer == Optimizer::kAuto) options_.optimizer = adam ? Optimizer::kAdam : Optimizer::kSgd;
  double usual = adam && !options_.quantization_aware ? 3e-4 : default_rate(options_, normalizes, numbers);
  // Their network has learned already: large steps would cost what it knows (the study in docs/finetune.md).
  if (norms_.count() > 0 && options_.optimizer == Optimizer::kSgd) usual = 0.01;
  rate_ = options_.learning_rate.value_or(usual);
  optimizer_.emplace(options_.optimizer, options_.momentum, options_.weight_decay, with_adapters());
  if (adam)
    result_.notes.push_back(
        fmt::format("Adam, rate {:.2g}: numbers are predicted without statistics of the batch", rate_));
}

AddedNorms Trainer::add_norms(const Model& student) {
  choose_batch(student);
  const bool suits = options_.norm == NormTraining::kAuto && norm_ == NormTraining::kBatch &&
                     data_.train->task() != Task::kRegression && !has_batchnorm(student.graph);
  if (options_.quantization_aware || !(suits || options_.norm == NormTraining::kAdded)) return {};
  at::set_num_threads(1);  // a short look; idle threads that wait in loops would make it a long one
  return {student, *augmented(data_.train, parse_augment(options_.augment), options_.seed), options_.seed};
}

void Trainer::choose_batch(const Model& student) {
  const std::int64_t samples = data_.train->size(), workers = options_.workers.count;
  const std::int64_t least = gives_map(student, data_.train->task()) ? kSmallestMapBatch : kSmallestBatch;
  const bool chosen = options_.batch == 0;
  if (chosen) options_.batch = fitting_batch(samples, least * workers);
  if (options_.batch > samples) {
    options_.batch = samples;
    result_.notes.push_back(fmt::format("there are only {} samples to train on: that is the batch", samples));
  } else if (chosen && options_.batch != kUsualBatch) {
    result_.notes.push_back(
        fmt::format("{} samples a step, since there are only {}", options_.batch, with_commas(samples)));
  }
  if (workers > 1 && options_.batch < 2 * workers)
    fail(ErrorCode::kInvalidArgument,
         "a batch of {} is too small for {} workers\n  remedy: at least {} samples, or fewer workers", options_.batch,
         workers, 2 * workers);
  steps_per_epoch_ = samples / options_.batch;
  total_steps_ = std::max<std::int64_t>(
      1, static_cast<std::int64_t>(std::llround(options_.epochs * static_cast<double>(steps_per_epoch_))));
  if (total_steps_ < kFewSteps)
    result_.notes.push_back(
        fmt::format("{} steps in all are few: if the loss still falls at the end, more epochs (or a "
                    "smaller batch) will help",
                    total_steps_));
  norm_ = options_.norm == NormTraining::kAdded ? NormTraining::kBatch : options_.norm;
  if (norm_ == NormTraining::kAuto)
    norm_ = options_.batch / workers >= least ? NormTraining::kBatch : NormTraining::kReestimated;
}

/// Squared errors of values in hundreds drown the gradients of all layers but the last, and a last layer that has to
/// climb from 0 to a mean of hundreds takes most of a short run for it. So targets count in deviations from their mean,
/// and the last layer works in these units until the network is written.
void Trainer::choose_units(const Model& student) {
  if (objective_.task() != Task::kRegression || student.graph.outputs.size() != 1) return;
  const c10::NoGradGuard no_gradient;
  const std::string& output = student.graph.outputs.front().name;
  std::optional<OutputLayer> layer = find_output_layer(student.graph, output, student_);
  std::map<std::string, at::Tensor> statistics;  // a pass over batches moves them
  for (const TrainedBuffer& buffer : student_.buffers()) statistics[buffer.name] = buffer.tensor.clone();
  constexpr std::int64_t kSamples = 512;
  const std::vector<std::int64_t> sample =
      sample_indices(data_.train->size(), std::min(kSamples, data_.train->size()), options_.seed);
  TargetSums sums;
  PassOptions as_trained = pass();
  as_trained.training = false;
  std::optional<bool> by_channel;
  for (std::size_t first = 0; first < sample.size(); first += static_cast<std::size_t>(options_.batch)) {
    const std::size_t end = std::min(sample.size(), first + static_cast<std::size_t>(options_.batch));
    const std::vector<std::int64_t> indices(sample.begin() + static_cast<std::ptrdiff_t>(first),
                                            sample.begin() + static_cast<std::ptrdiff_t>(end));
    const TorchBatch batch = to_torch_batch(data_.train->batch(indices));
    const at::Tensor given = student_.run(batch.inputs, as_trained).front().to(at::kFloat);
    const at::Tensor wanted =
        objective_.uses_labels() ? batch.target : teacher_->outputs(batch, indices, at::kFloat).front();
    if (!by_channel)
      by_channel = layer && layer->by_channel && wanted.sizes() == given.sizes() && wanted.size(1) == layer->channels;
    sums.add(given, wanted, *by_channel);
  }
  for (const TrainedBuffer& buffer : student_.buffers()) buffer.tensor.copy_(statistics.at(buffer.name));
  if (sums.empty()) return;
  use_units(sums, std::move(layer));
}

void Trainer::use_units(const TargetSums& sums, std::optional<OutputLayer> layer) {
  const bool shifts = !layer || layer->bias.defined();
  TargetScale scale{.mean = shifts ? sums.mean() : at::zeros_like(sums.mean()),
                    .deviation = shifts ? sums.deviation() : sums.root_mean_square(),
                    .by_layer = layer.has_value()};
  const double r2 = sums.r2();
  if (layer && r2 < 0) {
    // As it is, its values are no start: they get the mean and the deviation of the targets.
    const at::Tensor factor = 1 / (shifts ? sums.output_deviation() : sums.output_root_mean_square());
    rescale(*layer, factor, shifts ? -sums.output_mean() * factor : at::zeros_like(factor));
    result_.notes.push_back(fmt::format(
        "the network was no better than the mean of the targets (R2 {:.2f}): its last layer begins with their mean and "
        "deviation",
        r2));
  } else if (layer) {
    rescale(*layer, 1 / scale.deviation, -scale.mean / scale.deviation);
  }
  if (scale.mean.numel() == 1)
    result_.notes.push_back(
        fmt::format("errors in the loss count in deviations of the targets: {:.4g}, about a mean of {:.4g}",
                    scale.deviation.item<double>(), sums.mean().item<double>()));
  else
    result_.notes.push_back(fmt::format(
        "errors in the loss count in deviations of the targets, {} channels each in its own", scale.mean.numel()));
  output_layer_ = std::move(layer);
  objective_.set_scale(scale);
}

Model Trainer::exported() {
  const TargetScale& scale = objective_.scale();
  if (!output_layer_ || !scale.defined()) return norms_.without(student_.export_model());
  const c10::NoGradGuard no_gradient;
  const at::Tensor weight = output_layer_->weight.clone();
  const at::Tensor bias = output_layer_->bias.defined() ? output_layer_->bias.clone() : at::Tensor();
  rescale(*output_layer_, scale.deviation, scale.mean);
  Model model = norms_.without(student_.export_model());
  output_layer_->weight.copy_(weight);  // back to the last bit: what is measured on the way changes nothing
  if (bias.defined()) output_layer_->bias.copy_(bias);
  return model;
}

}  // namespace pare
