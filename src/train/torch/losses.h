// losses.h - what training makes smaller: errors against labels, against a teacher, and between hidden layers.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace pare {

// Classes lie on dimension 1 of all logits: [N, C] or [N, C, H, W] (any number of pixel dimensions). All results are
// scalars in float32. Means run over samples and pixels that count; none that counts: 0.

/// Cross entropy with class indices [N] or [N, H, W]; -1 does not count.
[[nodiscard]] at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& labels);
/// Cross entropy with a second label for a share of the loss (mixup, arXiv 1710.09412).
[[nodiscard]] at::Tensor mixed_cross_entropy(const at::Tensor& logits, const at::Tensor& labels,
                                             const at::Tensor& other_labels, double other_share);
/// T^2 KL(softmax(teacher / T) || softmax(student / T)): sum over classes, mean over samples and pixels, so that its
/// gradient does not depend on the number of classes or the size of the image (Hinton 2015, arXiv 1503.02531). `counts`
/// (bool [N] or [N, H, W]; undefined: all) names what counts.
[[nodiscard]] at::Tensor soft_kl(const at::Tensor& student, const at::Tensor& teacher, double temperature,
                                 const at::Tensor& counts = {});
/// The same against several teachers: of the mean of their probabilities, not of their logits.
[[nodiscard]] at::Tensor soft_kl_to_mean(const at::Tensor& student, const std::vector<at::Tensor>& teachers,
                                         double temperature);
/// DIST (arXiv 2205.10536): 1 - Pearson correlation of the class probabilities within each sample, plus the same within
/// each class over the samples; each weighted 1, times T^2.
[[nodiscard]] at::Tensor dist_loss(const at::Tensor& student, const at::Tensor& teacher, double temperature);
/// Mean over values whose target is a finite number.
[[nodiscard]] at::Tensor masked_mse(const at::Tensor& output, const at::Tensor& target);
/// Huber: quadratic below `delta`, linear above.
[[nodiscard]] at::Tensor masked_huber(const at::Tensor& output, const at::Tensor& target, double delta = 1);
/// The student's squared error against the label where it is larger than the teacher's by `margin`, else 0 (Chen 2017,
/// "Learning efficient object detection models with knowledge distillation").
[[nodiscard]] at::Tensor teacher_bounded(const at::Tensor& student, const at::Tensor& teacher, const at::Tensor& target,
                                         double margin = 0);
/// ||student - teacher||^2 / ||teacher||^2.
[[nodiscard]] at::Tensor feature_loss(const at::Tensor& student, const at::Tensor& teacher);

}  // namespace pare
