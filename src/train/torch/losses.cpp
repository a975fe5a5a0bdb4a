#include "train/torch/losses.h"

#include <ATen/ATen.h>

#include "core/fail.h"
#include "pare/tensor.h"

namespace pare {
namespace {

/// [N, C, ...] as rows of classes [N * pixels, C], float32.
at::Tensor class_rows(const at::Tensor& logits) {
  if (logits.dim() < 2)
    fail(ErrorCode::kInvalidArgument, "class scores need a dimension of classes, got rank {}", logits.dim());
  return logits.movedim(1, -1).reshape({-1, logits.size(1)}).to(at::kFloat);
}

/// Mean of the rows that count.
at::Tensor mean_of(const at::Tensor& rows, const at::Tensor& counts) {
  if (!counts.defined()) return rows.mean();
  const at::Tensor weight = counts.reshape({-1});
  return at::where(weight, rows, at::zeros_like(rows)).sum() / weight.sum().clamp_min(1).to(at::kFloat);
}

void same_size(const at::Tensor& student, const at::Tensor& teacher) {
  if (student.sizes() != teacher.sizes())
    fail(ErrorCode::kInvalidArgument,
         "the student gives {} and the teacher {}\n  remedy: both must have the same outputs",
         shape_text(student.sizes().vec()), shape_text(teacher.sizes().vec()));
}

/// Both where the target is a number; 0 elsewhere, without a gradient.
struct Masked {
  at::Tensor difference, count;
};
Masked masked_difference(const at::Tensor& output, const at::Tensor& target) {
  const at::Tensor wanted = target.to(at::kFloat), valid = at::isfinite(wanted);
  if (output.numel() != wanted.numel())
    fail(ErrorCode::kInvalidArgument, "the network gives {}, the targets are {}", shape_text(output.sizes().vec()),
         shape_text(target.sizes().vec()));
  const at::Tensor filled = at::where(valid, wanted, at::zeros_like(wanted));
  const at::Tensor given = output.to(at::kFloat).reshape(wanted.sizes());
  return {at::where(valid, given - filled, at::zeros_like(wanted)), valid.sum().clamp_min(1).to(at::kFloat)};
}

at::Tensor huber_of(const at::Tensor& difference, double delta) {
  const at::Tensor size = difference.abs();
  return at::where(size.le(delta), difference.square() * 0.5, (size - delta / 2) * delta);
}

/// 1 - Pearson correlation along the last dimension, its mean.
at::Tensor uncorrelated(const at::Tensor& left, const at::Tensor& right) {
  const at::Tensor a = left - left.mean(-1, true), b = right - right.mean(-1, true);
  const at::Tensor product = (a * b).sum(-1), norms = a.square().sum(-1) * b.square().sum(-1);
  return (1 - product / (norms + 1e-12).sqrt()).mean();
}

}  // namespace

at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& labels) {
  const at::Tensor rows = class_rows(logits), wanted = labels.reshape({-1});
  if (rows.size(0) != wanted.size(0))
    fail(ErrorCode::kInvalidArgument, "the network gives {}, the labels are {}", shape_text(logits.sizes().vec()),
         shape_text(labels.sizes().vec()));
  const at::Tensor counts = wanted.ge(0);
  const at::Tensor losses = -at::log_softmax(rows, 1).gather(1, wanted.clamp_min(0).unsqueeze(1)).squeeze(1);
  return mean_of(losses, counts);
}

at::Tensor mixed_cross_entropy(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& other_labels,
                               double other_share) {
  return cross_entropy(logits, labels) * (1 - other_share) + cross_entropy(logits, other_labels) * other_share;
}

at::Tensor soft_kl(const at::Tensor& student, const at::Tensor& teacher, double temperature, const at::Tensor& counts) {
  same_size(student, teacher);
  const at::Tensor given = at::log_softmax(class_rows(student) / temperature, 1);
  const at::Tensor wanted = at::log_softmax(class_rows(teacher) / temperature, 1);
  return mean_of((wanted.exp() * (wanted - given)).sum(1), counts) * (temperature * temperature);
}

at::Tensor soft_kl_to_mean(const at::Tensor& student, const std::vector<at::Tensor>& teachers, double temperature) {
  if (teachers.empty()) fail(ErrorCode::kInvalidArgument, "no teacher");
  at::Tensor mean;
  for (const at::Tensor& teacher : teachers) {
    same_size(student, teacher);
    const at::Tensor share = at::softmax(class_rows(teacher) / temperature, 1);
    mean = mean.defined() ? mean + share : share;
  }
  mean = mean / static_cast<double>(teachers.size());
  const at::Tensor given = at::log_softmax(class_rows(student) / temperature, 1);
  return (at::xlogy(mean, mean) - mean * given).sum(1).mean() * (temperature * temperature);
}

at::Tensor dist_loss(const at::Tensor& student, const at::Tensor& teacher, double temperature) {
  same_size(student, teacher);
  const at::Tensor given = at::softmax(class_rows(student) / temperature, 1);
  const at::Tensor wanted = at::softmax(class_rows(teacher) / temperature, 1);
  return (uncorrelated(given, wanted) + uncorrelated(given.t(), wanted.t())) * (temperature * temperature);
}

at::Tensor masked_mse(const at::Tensor& output, const at::Tensor& target) {
  const Masked masked = masked_difference(output, target);
  return masked.difference.square().sum() / masked.count;
}

at::Tensor masked_huber(const at::Tensor& output, const at::Tensor& target, double delta) {
  const Masked masked = masked_difference(output, target);
  return huber_of(masked.difference, delta).sum() / masked.count;
}

at::Tensor teacher_bounded(const at::Tensor& student, const at::Tensor& teacher, const at::Tensor& target,
                           double margin) {
  const Masked student_error = masked_difference(student, target), teacher_error = masked_difference(teacher, target);
  const at::Tensor squared = student_error.difference.square();
  const at::Tensor worse = (squared + margin).gt(teacher_error.difference.square());
  return at::where(worse, squared, at::zeros_like(squared)).sum() / student_error.count;
}

at::Tensor feature_loss(const at::Tensor& student, const at::Tensor& teacher) {
  same_size(student, teacher);
  const at::Tensor wanted = teacher.to(at::kFloat);
  return (student.to(at::kFloat) - wanted).square().sum() / wanted.square().sum().clamp_min(1e-12);
}

}  // namespace pare
