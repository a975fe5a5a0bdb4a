#include "train/torch/block_fitter.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/fail.h"
#include "core/random.h"
#include "train/lower/torch_tensor.h"
#include "train/torch/optimizer.h"

namespace pare {
namespace {

constexpr std::int64_t kChecks = 10;  ///< how often in a fit the samples that judge do so

at::Tensor take_rows(const std::vector<const Tensor*>& from, const std::vector<std::int64_t>& rows) {
  Shape shape = from.front()->shape();
  shape[0] = static_cast<std::int64_t>(rows.size());
  at::Tensor out = at::empty(shape, torch_type(from.front()->dtype()));
  const std::size_t bytes = rows.empty() ? 0 : out.nbytes() / rows.size();
  for (std::size_t i = 0; i < rows.size(); ++i)
    std::memcpy(static_cast<std::byte*>(out.data_ptr()) + i * bytes,
                from[i]->bytes().data() + static_cast<std::size_t>(rows[i]) * bytes, bytes);
  return out;
}

}  // namespace

BlockFitter::BlockFitter(const BlockJob& job) : job_(job), executor_(job.block) {
  at::set_num_threads(job.threads);
  for (TrainedTensor& parameter : executor_.parameters()) {
    if (job.frozen.contains(parameter.name)) {
      parameter.tensor.set_requires_grad(false);
      continue;
    }
    trained_.push_back(parameter);
    const at::Tensor weight = parameter.tensor.detach();
    const std::int64_t zeros = weight.numel() - weight.count_nonzero().item<std::int64_t>();
    if (weight.dim() > 1 && zeros > 0 && zeros < weight.numel())
      masks_.emplace_back(weight, weight.ne(0).to(at::kFloat));
  }
  split();
}

void BlockFitter::split() {
  std::vector<Place> places;
  for (std::size_t batch = 0; batch < job_.targets.size(); ++batch) {
    if (job_.whole_batches) {
      places.push_back({batch, -1});
    } else {
      for (std::int64_t row = 0; row < job_.targets[batch].shape()[0]; ++row) places.push_back({batch, row});
    }
  }
  if (places.size() < 2)
    fail(ErrorCode::kInvalidArgument, "a block cannot be fitted to one sample alone\n  remedy: more samples");
  const std::size_t every = std::min(kJudgedEvery, places.size());
  for (std::size_t i = 0; i < places.size(); ++i) (i % every == every - 1 ? held_out_ : seen_).push_back(places[i]);
  if (job_.whole_batches) {
    const std::int64_t size = std::max<std::int64_t>(1, job_.targets.front().shape()[0]);
    per_step_ = std::max<std::int64_t>(1, job_.batch / size);
  } else {
    per_step_ = std::min<std::int64_t>(job_.batch, static_cast<std::int64_t>(seen_.size()));
  }
}

BlockFitter::Rows BlockFitter::gather(const std::vector<Place>& places) const {
  Rows rows;
  if (places.front().row < 0) {
    const std::size_t batch = places.front().batch;
    for (const auto& [name, tensor] : job_.inputs[batch]) rows.inputs[name] = to_torch(tensor);
    rows.target = to_torch(job_.targets[batch]);
  } else {
    std::vector<std::int64_t> at;
    for (const Place& place : places) at.push_back(place.row);
    const auto collect = [&](const auto& tensor_of) {
      std::vector<const Tensor*> from;
      for (const Place& place : places) from.push_back(&tensor_of(place.batch));
      return take_rows(from, at);
    };
    for (const auto& [name, first] : job_.inputs.front())
      rows.inputs[name] = collect([&](std::size_t batch) -> const Tensor& { return job_.inputs[batch].at(name); });
    rows.target = collect([&](std::size_t batch) -> const Tensor& { return job_.targets[batch]; });
  }
  if (rows.target.dim() == 4) rows.target = rows.target.contiguous(at::MemoryFormat::ChannelsLast);
  return rows;
}

double BlockFitter::error(const std::vector<Place>& places) {
  const c10::NoGradGuard no_gradient;
  constexpr std::size_t kAtOnce = 64;
  double difference = 0, energy = 0;
  for (std::size_t from = 0; from < places.size();) {
    const std::size_t count = job_.whole_batches ? 1 : std::min(kAtOnce, places.size() - from);
    const auto begin = places.begin() + static_cast<std::ptrdiff_t>(from);
    const Rows rows = gather({begin, begin + static_cast<std::ptrdiff_t>(count)});
    const at::Tensor output = executor_.run(rows.inputs, {}).front();
    difference += (output - rows.target).square().sum(at::kDouble).item<double>();
    energy += rows.target.square().sum(at::kDouble).item<double>();
    from += count;
  }
  return energy > 0 ? difference / energy : difference;
}

BlockFit BlockFitter::run() {
  BlockFit fit;
  for (const TrainedTensor& parameter : trained_) fit.weights += parameter.tensor.numel();
  if (trained_.empty()) return fit;
  fit.error_before = error(held_out_);
  fit.seen_before = error(seen_);
  double energy = 0, numbers = 0;
  for (const Tensor& target : job_.targets) {
    for (const float value : target.data<float>()) energy += static_cast<double>(value) * value;
    numbers += static_cast<double>(target.element_count());
  }
  const double scale = energy > 0 ? numbers / energy : 1;
  WeightOptimizer optimizer(Optimizer::kAdam, 0.9, 0, trained_);
  Rng rng(job_.seed);
  std::vector<Place> order;
  std::map<std::string, at::Tensor> best;
  fit.error_after = std::numeric_limits<double>::infinity();
  std::size_t at = 0;
  for (std::int64_t step = 0; step < job_.steps; ++step) {
    std::vector<Place> drawn;
    for (std::int64_t i = 0; i < per_step_; ++i) {
      if (at == order.size()) {
        order = seen_;
        for (std::size_t k = order.size(); k > 1; --k)
          std::swap(order[k - 1], order[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(k)))]);
        at = 0;
      }
      drawn.push_back(order[at++]);
    }
    const auto backward = [&](const std::vector<Place>& places, double share) {
      const Rows rows = gather(places);
      ((executor_.run(rows.inputs, {}).front() - rows.target).square().mean() * (scale * share)).backward();
    };
    if (job_.whole_batches)
      for (const Place& place : drawn) backward({place}, 1.0 / static_cast<double>(per_step_));
    else
      backward(drawn, 1);
    optimizer.step(scheduled_rate(Schedule::kCosine, job_.learning_rate, 0, static_cast<double>(step),
                                  static_cast<double>(job_.steps)),
                   0);
    const c10::NoGradGuard no_gradient;
    for (const auto& [weight, mask] : masks_) weight.mul_(mask);
    if ((step + 1) * kChecks / job_.steps == step * kChecks / job_.steps) continue;
    const double now = error(held_out_);
    if (!(now < fit.error_after)) continue;
    fit.error_after = now;
    for (const TrainedTensor& parameter : trained_) best[parameter.name] = parameter.tensor.detach().clone();
  }
  for (const auto& [name, tensor] : executor_.state())
    if (const auto found = best.find(name); found != best.end()) tensor.copy_(found->second);
  fit.seen_after = error(seen_);
  fit.block = executor_.export_model();
  return fit;
}

}  // namespace pare
