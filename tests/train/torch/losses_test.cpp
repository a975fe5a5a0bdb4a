// Values of the losses worked out by hand, and the pitfalls of distillation (G1 to G4, G6).
#include "train/torch/losses.h"

#include <ATen/ATen.h>

#include <cmath>

#include "support/support.h"

namespace pare::testing {
namespace {

double value(const at::Tensor& loss) { return loss.item<double>(); }

/// Largest gradient of the loss at the student's scores.
double gradient_size(at::Tensor student, const std::function<at::Tensor(const at::Tensor&)>& loss) {
  student.set_requires_grad(true);
  loss(student).backward();
  return student.grad().abs().sum().item<double>();
}

TEST(Losses, KlIsWorkedOutByHand) {
  const at::Tensor student = at::tensor({0.0F, 0.0F}).view({1, 2}), teacher = at::tensor({2.0F, 0.0F}).view({1, 2});
  const double p = 1 / (1 + std::exp(-2.0 / 4)), q = 1 - p;  // T = 4
  const double expected = 16 * (p * std::log(p / 0.5) + q * std::log(q / 0.5));
  EXPECT_NEAR(value(soft_kl(student, teacher, 4)), expected, 1e-5);
  EXPECT_NEAR(value(soft_kl(teacher, teacher, 4)), 0, 1e-6);
}

TEST(Losses, KlIsSummedOverClassesAndMeanOverSamplesAndPixels) {  // G1
  at::manual_seed(1);
  const at::Tensor student = at::randn({2, 10}), teacher = at::randn({2, 10});
  const at::Tensor kl = (at::softmax(teacher, 1) * (at::log_softmax(teacher, 1) - at::log_softmax(student, 1))).sum(1);
  EXPECT_NEAR(value(soft_kl(student, teacher, 1)), kl.mean().item<double>(), 1e-5);
  // The same scores at every pixel: the loss of one pixel, whatever the size of the image.
  const at::Tensor wide = student.view({2, 10, 1, 1}).expand({2, 10, 32, 32}).contiguous();
  const at::Tensor wide_teacher = teacher.view({2, 10, 1, 1}).expand({2, 10, 32, 32}).contiguous();
  EXPECT_NEAR(value(soft_kl(wide, wide_teacher, 1)), value(soft_kl(student, teacher, 1)), 1e-5);
  // The sum of the gradient's sizes does not shrink with the number of classes: 990 classes that nobody believes in.
  const auto padded = [](const at::Tensor& scores) { return at::constant_pad_nd(scores, {0, 990}, -60); };
  const auto few = gradient_size(student.clone(), [&](const at::Tensor& x) { return soft_kl(x, teacher, 1); });
  const auto many = gradient_size(padded(student), [&](const at::Tensor& x) { return soft_kl(x, padded(teacher), 1); });
  EXPECT_NEAR(few, many, 1e-4 * few);
  const auto pixels = gradient_size(wide.clone(), [&](const at::Tensor& x) { return soft_kl(x, wide_teacher, 1); });
  EXPECT_NEAR(few, pixels, 1e-4 * few);
}

TEST(Losses, KlGradientHardlyDependsOnTheTemperature) {
  at::manual_seed(2);
  const at::Tensor student = at::randn({8, 10}) * 0.1, teacher = at::randn({8, 10}) * 0.1;
  const auto size = [&](double t) {
    return gradient_size(student.clone(), [&](const at::Tensor& x) { return soft_kl(x, teacher, t); });
  };
  EXPECT_NEAR(size(8) / size(4), 1, 0.1);  // T^2 makes up for the softening
}

TEST(Losses, StayFiniteAtExtremeScores) {  // G2
  const at::Tensor teacher = at::tensor({1e4F, -1e4F, 0.0F, 0.0F}).view({2, 2});
  const at::Tensor student = at::tensor({-1e4F, 1e4F, 0.0F, 0.0F}).view({2, 2});
  EXPECT_TRUE(std::isfinite(value(soft_kl(student, teacher, 1))));
  EXPECT_TRUE(
      std::isfinite(gradient_size(student.clone(), [&](const at::Tensor& x) { return soft_kl(x, teacher, 3); })));
  EXPECT_TRUE(
      std::isfinite(gradient_size(student.clone(), [&](const at::Tensor& x) { return dist_loss(x, teacher, 1); })));
  EXPECT_TRUE(std::isfinite(value(soft_kl_to_mean(student, {teacher, student}, 1))));
}

TEST(Losses, PixelsWithoutAValueDoNotCount) {  // G2
  const float nan = std::nanf("");
  const at::Tensor target = at::tensor({1.0F, nan, 3.0F, nan}).view({1, 1, 2, 2});
  const at::Tensor output = at::tensor({2.0F, 100.0F, 3.0F, -100.0F}).view({1, 1, 2, 2});
  EXPECT_NEAR(value(masked_mse(output, target)), 0.5, 1e-6);
  EXPECT_NEAR(value(masked_huber(output, target)), 0.25, 1e-6);
  at::Tensor leaf = output.clone().set_requires_grad(true);
  masked_mse(leaf, target).backward();
  EXPECT_TRUE(leaf.grad().isfinite().all().item<bool>());
  EXPECT_EQ(leaf.grad().view({-1})[1].item<float>(), 0);
  const at::Tensor nothing = at::full({1, 1, 2, 2}, nan);
  EXPECT_EQ(value(masked_mse(output, nothing)), 0);
}

TEST(Losses, LabelsOfMinusOneDoNotCount) {
  at::manual_seed(3);
  const at::Tensor scores = at::randn({1, 3, 2, 2});
  const at::Tensor all = at::tensor({0, 1, 2, 0}, at::kLong).view({1, 2, 2});
  const at::Tensor some = at::tensor({0, -1, -1, -1}, at::kLong).view({1, 2, 2});
  const at::Tensor rows = at::log_softmax(scores, 1);
  EXPECT_NEAR(value(cross_entropy(scores, some)), -rows[0][0][0][0].item<double>(), 1e-5);
  EXPECT_GT(value(cross_entropy(scores, all)), 0);
  const at::Tensor counts = some.ge(0);
  EXPECT_NEAR(value(soft_kl(scores, scores.roll(1, 1), 2, counts)),
              value(soft_kl(scores.slice(2, 0, 1).slice(3, 0, 1), scores.roll(1, 1).slice(2, 0, 1).slice(3, 0, 1), 2)),
              1e-5);
}

TEST(Losses, SeveralTeachersAreAveragedAsProbabilities) {  // G3
  // One teacher is sure of class 0, the other, at a hundredth of the scale, of class 1.
  const at::Tensor loud = at::tensor({100.0F, 0.0F, 0.0F}).view({1, 3}),
                   quiet = at::tensor({0.0F, 5.0F, 0.0F}).view({1, 3});
  at::Tensor student = at::zeros({1, 3}).set_requires_grad(true);
  for (int step = 0; step < 2000; ++step) {
    soft_kl_to_mean(student, {loud, quiet}, 1).backward();
    student.data().sub_(student.grad(), 0.5);
    student.mutable_grad().reset();
  }
  const at::Tensor share = at::softmax(student, 1).view({-1});
  const at::Tensor wanted = (at::softmax(loud, 1) + at::softmax(quiet, 1)).view({-1}) / 2;
  EXPECT_LT((share - wanted).abs().max().item<double>(), 0.01);  // the mean of the scores would give all to class 0
}

TEST(Losses, DistIsZeroForAnyScaleOfTheSameOpinion) {
  at::manual_seed(4);
  const at::Tensor teacher = at::softmax(at::randn({16, 10}), 1);
  EXPECT_NEAR(value(dist_loss(teacher.log(), teacher.log(), 1)), 0, 1e-5);
  EXPECT_GT(value(dist_loss(at::randn({16, 10}), teacher.log(), 1)), 0.3);
}

TEST(Losses, TheTeacherBoundsTheErrorOfNumbers) {
  const at::Tensor target = at::tensor({0.0F, 0.0F}), teacher = at::tensor({1.0F, 1.0F}),
                   student = at::tensor({0.5F, 2.0F});
  EXPECT_NEAR(value(teacher_bounded(student, teacher, target)), 4.0 / 2, 1e-6);  // only the second is worse
  EXPECT_NEAR(value(teacher_bounded(student, teacher, target, 1)), (0.25 + 4.0) / 2, 1e-6);
}

TEST(Losses, UnequalOutputsAreRefusedWithBothShapes) {  // G4
  expect_error([] { (void)soft_kl(at::zeros({2, 5}), at::zeros({2, 8}), 1); }, ErrorCode::kInvalidArgument,
               {"[2, 5]", "[2, 8]", "remedy"});
}

}  // namespace
}  // namespace pare::testing
