#include "train/torch/share.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

namespace pare {
namespace {

/// [begin, end) of the first half of a batch; its mirror image in the second half belongs to it, the middle one of an
/// odd batch to the last worker.
struct HalfShare {
  std::int64_t begin = 0, end = 0;
  bool middle = false;
};
HalfShare half_share(std::int64_t batch, const Workers& workers) {
  const std::int64_t half = batch / 2;
  return {.begin = half * workers.rank / workers.count,
          .end = half * (workers.rank + 1) / workers.count,
          .middle = batch % 2 == 1 && workers.rank + 1 == workers.count};
}

constexpr std::int64_t kFigures = 3;  ///< loss, with the labels, with the teacher: behind the gradients

}  // namespace

std::int64_t share_size(std::int64_t batch, const Workers& workers) {
  const HalfShare share = half_share(batch, workers);
  return 2 * (share.end - share.begin) + (share.middle ? 1 : 0);
}

std::vector<std::int64_t> share_of(const std::vector<std::int64_t>& order, std::int64_t batch, const Workers& workers) {
  if (workers.count < 2) return order;
  const HalfShare share = half_share(batch, workers);
  std::vector<std::int64_t> mine;
  for (auto first = order.begin(); order.end() - first >= batch; first += batch) {
    mine.insert(mine.end(), first + share.begin, first + share.end);
    if (share.middle) mine.push_back(first[batch / 2]);
    mine.insert(mine.end(), first + (batch - share.end), first + (batch - share.begin));
  }
  return mine;
}

GradientSum::GradientSum(const std::vector<TrainedTensor>& parameters) {
  std::int64_t size = kFigures, at = 0;
  for (const TrainedTensor& parameter : parameters) size += parameter.tensor.numel();
  buffer_ = at::zeros({size}, at::kFloat);
  for (const TrainedTensor& parameter : parameters) {
    // Dense in whatever order, so the parts do not overlap.
    parts_.push_back(buffer_.as_strided(parameter.tensor.sizes(), parameter.tensor.strides(), at));
    parameters_.push_back(parameter.tensor);
    at += parameter.tensor.numel();
  }
}

void GradientSum::run(ProcessGroup& group, LossParts& parts) {
  const c10::NoGradGuard no_gradient;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const at::Tensor gradient = parameters_[i].grad();
    if (gradient.defined())
      parts_[i].copy_(gradient);
    else
      parts_[i].zero_();
  }
  const at::Tensor figures = buffer_.narrow(0, buffer_.numel() - kFigures, kFigures);
  figures[0] = parts.total.item<float>();
  figures[1] = static_cast<float>(parts.hard);
  figures[2] = static_cast<float>(parts.soft);
  group.sum(buffer_);
  for (std::size_t i = 0; i < parts_.size(); ++i) parameters_[i].mutable_grad() = parts_[i];
  parts.total = figures[0].clone();
  parts.hard = figures[1].item<double>();
  parts.soft = figures[2].item<double>();
}

void average(ProcessGroup& group, const std::vector<at::Tensor>& tensors) {
  if (tensors.empty()) return;
  const c10::NoGradGuard no_gradient;
  std::vector<at::Tensor> flat;
  for (const at::Tensor& tensor : tensors) flat.push_back(tensor.detach().to(at::kFloat).reshape({-1}));
  const at::Tensor all = at::cat(flat);
  group.sum(all);
  all.div_(group.count());
  std::int64_t at = 0;
  for (const at::Tensor& tensor : tensors) {
    tensor.detach().copy_(all.narrow(0, at, tensor.numel()).view(tensor.sizes()));
    at += tensor.numel();
  }
}

}  // namespace pare
