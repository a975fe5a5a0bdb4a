#include <ATen/ATen.h>

#include "train/lower/lower.h"
#include "train/lower/lower_case.h"

namespace pare::testing {
namespace {

const CaseInput kMean = floats("m", {0.1F, -0.2F, 0.3F}), kVariance = floats("v", {0.5F, 1.5F, 2.5F});

TEST(LowerNormalization, BatchNormalizationUsesRunningStatistics) {
  const CaseInput x = some("x", {2, 3, 4, 5}), scale = some("s", {3}, 0.5, 2), shift = some("b", {3});
  const std::string node = "BatchNormalization(x, s, b, m, v)";
  check_lowerings({{node, {x, scale, shift, kMean, kVariance}},
                   {"BatchNormalization<epsilon = 0.1>(x, s, b, m, v)", {x, scale, shift, kMean, kVariance}},
                   {node, {x, scale, shift, kMean, kVariance}, 9},
                   {node, {some("x", {4, 3}), scale, shift, kMean, kVariance}},
                   {node, {some("x", {2, 3, 7}), scale, shift, kMean, kVariance}}});
  EXPECT_THAT(refusal_of({"BatchNormalization<training_mode = 1>(x, s, b, m, v)", {x, scale, shift, kMean, kVariance}}),
              ::testing::HasSubstr("training mode"));
}

TEST(LowerNormalization, BatchStatisticsMoveTheRunningOnes) {
  Node node;
  node.op_type = "BatchNormalization";
  node.set_attribute("momentum", 0.75F);
  const TorchKernel kernel = all_lowerings().find(node)->make({node, 17});
  const at::Tensor one = at::tensor({1.0}), zero = at::tensor({0.0});
  at::Tensor mean = at::tensor({0.0}), variance = at::tensor({1.0});
  const at::Tensor x = at::tensor({1.0, 2.0, 3.0, 6.0}).reshape({4, 1});  // mean 3, variance 14 / 4, unbiased 14 / 3
  const std::vector<at::Tensor> in = {x, one, zero, mean, variance};
  const at::Tensor y = kernel(in, {.norm = NormMode::kBatch})[0];
  EXPECT_NEAR(y[3].item<double>(), 3 / std::sqrt(3.5 + 1e-5), 1e-9);
  EXPECT_NEAR(mean.item<double>(), 0.25 * 3, 1e-9);
  EXPECT_NEAR(variance.item<double>(), 0.75 + 0.25 * 14 / 3, 1e-9);

  // The plain mean over two batches, whatever stood there.
  (void)kernel(in, {.norm = NormMode::kCollect, .collected = 0});
  EXPECT_NEAR(mean.item<double>(), 3, 1e-9);
  const std::vector<at::Tensor> second = {x + 2, one, zero, mean, variance};
  (void)kernel(second, {.norm = NormMode::kCollect, .collected = 1});
  EXPECT_NEAR(mean.item<double>(), 4, 1e-9);
  EXPECT_NEAR(variance.item<double>(), 14.0 / 3, 1e-9);

  (void)kernel(in, {.norm = NormMode::kFrozen});
  EXPECT_NEAR(mean.item<double>(), 4, 1e-9);
}

TEST(LowerNormalization, NormalizationsWithoutStatistics) {
  const CaseInput x = some("x", {2, 4, 3, 5}), scale = some("s", {4}, 0.5, 2), shift = some("b", {4});
  check_lowerings({{"InstanceNormalization(x, s, b)", {x, scale, shift}},
                   {"InstanceNormalization<epsilon = 0.1>(x, s, b)", {some("x", {2, 4, 6}), scale, shift}},
                   {"GroupNormalization<num_groups = 2>(x, s, b)", {x, some("s", {2}), some("b", {2})}, 18},
                   {"GroupNormalization<num_groups = 2>(x, s, b)", {x, scale, shift}, 21},
                   {"LayerNormalization(x, s, b)", {x, some("s", {5}), some("b", {5})}},
                   {"LayerNormalization(x, s)", {x, some("s", {5})}},
                   {"LayerNormalization<axis = 2, epsilon = 0.1>(x, s, b)", {x, some("s", {3, 5}), some("b", {3, 5})}},
                   {"LayerNormalization<axis = 1>(x, s)", {x, some("s", {4, 1, 1})}},
                   {"MeanVarianceNormalization(x)", {x}},
                   {"MeanVarianceNormalization<axes = [1, 2]>(x)", {x}}});
}

TEST(LowerNormalization, LpNormalizationDividesByTheNorm) {
  const CaseInput x = some("x", {2, 4, 3, 5});
  check_lowerings(
      {{"LpNormalization(x)", {x}},
       {"LpNormalization<axis = 1>(x)", {x}},
       {"LpNormalization<axis = 1, p = 1>(x)", {x}},
       {.node = "LpNormalization(x)", .inputs = {{"x", Tensor::zeros(DType::kFloat32, {1, 3})}}, .gradient = false}});
}

TEST(LowerNormalization, LrnLooksAtChannelsAround) {
  const CaseInput x = some("x", {2, 6, 3, 2});
  check_lowerings({{"LRN<size = 3>(x)", {x}},
                   {"LRN<size = 5, alpha = 0.5, beta = 0.6, bias = 2.0>(x)", {x}},
                   {"LRN<size = 1, alpha = 1.0>(x)", {x}}});
}

}  // namespace
}  // namespace pare::testing
