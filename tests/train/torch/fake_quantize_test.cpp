#include "train/torch/fake_quantize.h"

#include <ATen/ATen.h>

#include <cmath>

#include "support/support.h"
#include "train/lower/lower.h"

namespace pare::testing {
namespace {

at::Tensor scalar_of(float value) { return at::full({}, value); }

/// What the lowerings of the two operators, which are proved against the runtime, make of it.
at::Tensor by_operators(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& zero) {
  Node quantize, dequantize;
  quantize.op_type = "QuantizeLinear";
  dequantize.op_type = "DequantizeLinear";
  const at::Tensor level = all_lowerings().find(quantize)->make({quantize, 17})(std::vector{x, scale, zero}, {})[0];
  return all_lowerings().find(dequantize)->make({dequantize, 17})(std::vector{level, scale, zero}, {})[0];
}

TEST(FakeQuantize, EqualsTheTwoOperatorsInValueAndGradient) {
  at::manual_seed(1);
  const at::Tensor scale = scalar_of(0.05F), way = at::randn({3, 5, 40, 41});
  for (const bool channels_last : {false, true}) {
    at::Tensor values = at::randn({3, 5, 40, 41}) * 4;
    if (channels_last) values = values.contiguous(at::MemoryFormat::ChannelsLast);
    for (const int zero : {0, 131, 255}) {
      at::Tensor one = values.clone().set_requires_grad(true), other = values.clone().set_requires_grad(true);
      const at::Tensor y = fake_quantize(one, scale, {static_cast<double>(zero), 0, 255});
      const at::Tensor wanted = by_operators(other, scale, at::full({}, zero, at::kByte));
      EXPECT_TRUE(at::allclose(y, wanted, 1e-6, 1e-6));
      EXPECT_EQ(y.strides(), values.strides());
      (y * way).sum().backward();
      (wanted * way).sum().backward();
      EXPECT_TRUE(at::allclose(one.grad(), other.grad()));
      EXPECT_GT(one.grad().eq(0).sum().item<std::int64_t>(), 0);  // some are outside
    }
  }
}

TEST(FakeQuantize, TheScaleGetsTheGradientOfLsq) {
  const at::Tensor x = at::tensor({0.26F, -3.0F, 9.0F, -0.44F}).reshape({2, 2});
  at::Tensor scale = scalar_of(0.1F).set_requires_grad(true);
  fake_quantize(x, scale, {0, -20, 30}).sum().backward();
  // round(x / s) - x / s inside, the bounds outside; two features in each sample, 30 levels above 0.
  const double wanted = ((3 - 2.6) - 20 + 30 + (-4 + 4.4)) / std::sqrt(2.0 * 30);
  EXPECT_NEAR(scale.grad().item<double>(), wanted, 1e-5);
}

TEST(FakeQuantize, TheSumOverManyElementsIsThatOfTheFormula) {
  at::manual_seed(2);
  const at::Tensor x = at::randn({7, 3, 50, 51}) * 3, gradient = at::randn({7, 3, 50, 51});
  at::Tensor scale = scalar_of(0.03F).set_requires_grad(true);
  (fake_quantize(x, scale, {128, 0, 255}) * gradient).sum().backward();
  const at::Tensor steps = (x / 0.03F).to(at::kDouble), level = at::clamp(at::round(steps), -128, 127);
  const at::Tensor inside = (steps - at::clamp(steps, -128, 127)).abs().le(0.5).to(at::kDouble);
  const double sum = (gradient.to(at::kDouble) * (level - inside * steps)).sum().item<double>();
  EXPECT_NEAR(scale.grad().item<double>(), sum / std::sqrt(3.0 * 50 * 51 * 127), 1e-4 * std::abs(sum));
}

TEST(FakeQuantize, ANumberThatIsNoneStaysNone) {
  const at::Tensor y = fake_quantize(at::tensor({1.0F, std::nanf("")}), scalar_of(0.1F), {});
  EXPECT_TRUE(std::isnan(y[1].item<float>()));
}

TEST(FakeQuantize, ChannelsHaveScalesOfTheirOwn) {
  const at::Tensor weight = at::tensor({0.26F, -0.31F, 14.0F, 0.0F, 2.6F, -200.0F}).reshape({2, 3});
  const at::Tensor scale = at::tensor({0.1F, 1.0F});
  const IntegerGrid grid{.zero_point = 0, .low = -127, .high = 127};
  EXPECT_TRUE(at::allclose(fake_quantize_channels(weight, scale, 0, grid),
                           at::tensor({0.3F, -0.3F, 12.7F, 0.0F, 3.0F, -127.0F}).reshape({2, 3})));
  EXPECT_TRUE(at::equal(quantized_levels(weight, scale, 0, grid),
                        at::tensor({3.0F, -3.0F, 127.0F, 0.0F, 3.0F, -127.0F}).reshape({2, 3})));
  const at::Tensor columns = weight.t().contiguous();
  EXPECT_TRUE(at::equal(quantized_levels(columns, scale, 1, grid), quantized_levels(weight, scale, 0, grid).t()));
}

TEST(FakeQuantize, WeightsAtTheEndOfTheRangeKeepTheirGradient) {  // the largest of every channel is one
  at::Tensor weight = at::tensor({12.7F, -12.7F, 12.8F, 1.23F}).set_requires_grad(true);
  at::Tensor scale = scalar_of(0.1F).set_requires_grad(true);
  const IntegerGrid grid{.zero_point = 0, .low = -127, .high = 127};
  fake_quantize_channels(weight, scale, 0, grid).sum().backward();
  EXPECT_TRUE(at::allclose(weight.grad(), at::tensor({1.0F, 1.0F, 0.0F, 1.0F})));
  EXPECT_NEAR(scale.grad().item<double>(), (127 + 12 - 12.3) / std::sqrt(4.0 * 127), 1e-4);
}

TEST(FakeQuantize, AScaleThatLearnsIsTheSameNumber) {  // the trick that scales its gradient must not move it
  at::manual_seed(3);
  const at::Tensor weight = at::randn({16, 9}), scale = at::rand({16}) * 0.02 + 0.01;
  at::Tensor learned = scale.clone().set_requires_grad(true);
  EXPECT_TRUE(at::equal(fake_quantize_channels(weight, scale, 0, {}), fake_quantize_channels(weight, learned, 0, {})));
}

TEST(FakeQuantize, PairsOfWeightsStaySmallWhereAsked) {
  const at::Tensor weight =
      at::tensor({127.0F, 100.0F, -3.0F, 90.0F, 30.0F, -127.0F, 50.0F, 64.0F, 64.0F}).reshape({3, 3});
  const IntegerGrid grid{.zero_point = 0, .low = -127, .high = 127, .limit_pairs = true};
  EXPECT_TRUE(at::equal(quantized_levels(weight, at::ones({3}), 0, grid),
                        at::tensor({64.0F, 64.0F, -3.0F, 90.0F, 30.0F, -127.0F, 50.0F, 64.0F, 64.0F}).reshape({3, 3})));
}

}  // namespace
}  // namespace pare::testing
