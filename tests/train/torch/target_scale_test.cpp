#include "train/torch/target_scale.h"

#include <ATen/ATen.h>

#include <cmath>

#include "train/small_data.h"

namespace pare::testing {
namespace {

struct Case {
  const char* what;
  const char* text;
  bool found, by_channel;
};

Model with_weights(const char* text) {
  Model model = model_from_text(text);
  const auto set = [&](const char* name, Shape shape) {
    model.graph.initializers.set(name, Tensor::of<float>(shape, normal_values(element_count(shape), 1)));
  };
  set("w", {3, 4, 1, 1}), set("m", {4, 3}), set("b", {3}), set("one", {1, 4, 1, 1});
  return model;
}

constexpr const char* kHead = R"(<ir_version: 8, opset_import: ["" : 17]> net )";

TEST(TargetScale, FindsTheLayerThatEndsTheNetwork) {
  const Case cases[] = {
      {"Conv", "(float[N, 4, 2, 2] x) => (float[N, 3, 2, 2] y) { y = Conv(x, w, b) }", true, true},
      {"Gemm", "(float[N, 4] x) => (float[N, 3] y) { y = Gemm(x, m, b) }", true, true},
      {"MatMul, Add, Identity", "(float[N, 4] x) => (float[N, 3] y) { a = MatMul(x, m) c = Add(b, a) y = Identity(c) }",
       true, true},
      {"channels last", "(float[N, 2, 2, 4] x) => (float[N, 2, 2, 3] y) { a = MatMul(x, m) y = Add(a, b) }", true,
       false},
      {"one channel, reshaped", "(float[N, 4, 2, 2] x) => (float[N, 4] y) { a = Conv(x, one) y = Flatten(a) }", true,
       false},
      {"an activation", "(float[N, 4] x) => (float[N, 3] y) { a = Gemm(x, m, b) y = Relu(a) }", false, false},
      {"a result that others read",
       "(float[N, 4] x) => (float[N, 3] y, float[N, 3] z) { y = Gemm(x, m, b) z = Relu(y) }", false, false},
      {"a weight that others read",
       "(float[N, 4] x) => (float[N, 3] y) { a = Gemm(x, m, b) c = Gemm(x, m) d = Relu(c) y = Add(a, d) }", false,
       false},
      {"a scaled bias", "(float[N, 4] x) => (float[N, 3] y) { y = Gemm<beta = 0.5>(x, m, b) }", false, false},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.what);
    const Model model = with_weights((std::string(kHead) + one.text).c_str());
    const Executor executor(model);
    const auto layer = find_output_layer(model.graph, "y", executor);
    ASSERT_EQ(layer.has_value(), one.found);
    if (layer) {
      EXPECT_EQ(layer->by_channel, one.by_channel);
    }
  }
}

TEST(TargetScale, ScalesWhatTheNetworkGives) {
  for (const char* text : {"(float[N, 4, 2, 2] x) => (float[N, 3, 2, 2] y) { y = Conv(x, w, b) }",
                           "(float[N, 4] x) => (float[N, 3] y) { a = MatMul(x, m) y = Add(a, b) }"}) {
    const Model model = with_weights((std::string(kHead) + text).c_str());
    Executor executor(model);
    const at::Tensor x =
        at::randn(model.graph.inputs[0].shape->size() == 4 ? at::IntArrayRef{5, 4, 2, 2} : at::IntArrayRef{5, 4});
    const at::Tensor before = executor.run({{"x", x}}, {}).front().detach().clone();
    const auto layer = find_output_layer(model.graph, "y", executor);
    ASSERT_TRUE(layer);
    const at::Tensor factor = at::tensor({2.0F, 0.5F, -1.0F}), shift = at::tensor({1.0F, 0.0F, 10.0F});
    rescale(*layer, factor, shift);
    const at::Tensor after = executor.run({{"x", x}}, {}).front().detach();
    std::vector<std::int64_t> shape(static_cast<std::size_t>(before.dim()), 1);
    shape[1] = 3;
    EXPECT_TRUE(at::allclose(after, before * factor.reshape(shape) + shift.reshape(shape), 1e-5, 1e-5));
    rescale(*layer, at::tensor({3.0F}), at::tensor({-1.0F}));  // one number for all
    EXPECT_TRUE(at::allclose(executor.run({{"x", x}}, {}).front().detach(), after * 3 - 1, 1e-5, 1e-5));
  }
}

TEST(TargetScale, SumsLeaveMissingValuesOut) {
  const float nan = std::nanf("");
  const at::Tensor target = at::tensor({1.0F, 3.0F, nan, 10.0F, 10.0F, 10.0F}).reshape({1, 2, 3});
  const at::Tensor output = at::tensor({1.0F, 1.0F, 99.0F, 10.0F, 11.0F, 12.0F}).reshape({1, 2, 3});
  TargetSums sums;
  EXPECT_TRUE(sums.empty());
  sums.add(output, target, true);
  EXPECT_TRUE(at::allclose(sums.mean(), at::tensor({2.0F, 10.0F})));
  EXPECT_TRUE(at::allclose(sums.deviation(), at::tensor({1.0F, 1.0F})));  // the second has none: 1
  EXPECT_TRUE(at::allclose(sums.output_mean(), at::tensor({1.0F, 11.0F})));
  TargetSums together;
  together.add(output, target, false);
  EXPECT_NEAR(together.mean().item<double>(), 34.0 / 5, 1e-6);
  EXPECT_NEAR(together.r2(), 1 - (4.0 + 1 + 4) / (1 + 9 + 300 - 5 * 6.8 * 6.8), 1e-6);
  const TargetScale scale{.mean = sums.mean(), .deviation = sums.deviation(), .by_layer = false};
  const at::Tensor normalized = scale.normalized(target);
  EXPECT_TRUE(at::isnan(normalized[0][0][2]).item<bool>());
  EXPECT_NEAR(normalized[0][0][1].item<double>(), 1, 1e-6);
}

}  // namespace
}  // namespace pare::testing
