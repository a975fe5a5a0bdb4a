// What a training run tries out before it begins: precision, threads, learning rate.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "core/fail.h"
#include "pare/measure.h"
#include "pare/split.h"
#include "train/torch/trainer.h"

namespace pare {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

TorchBatch first_batch(const Dataset& data, std::int64_t batch) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(batch));
  for (std::size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<std::int64_t>(i) % data.size();
  return to_torch_batch(data.batch(indices));
}

}  // namespace

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
  optimizer_->forget_gradients();
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
  optimizer_->forget_gradients();
  student_.set_state(before);
  rate_ = best / 10;
  result_.notes.push_back(fmt::format(
      "learning rate {:.2g}: a tenth of the rate at which the loss was least in {} trial steps", rate_, kSteps));
}

}  // namespace pare
