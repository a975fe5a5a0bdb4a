#include "prune/error_curves.h"

#include <algorithm>

#include "fit/nets.h"
#include "support/support.h"

namespace pare::testing {
namespace {

const ErrorCurve* curve_of(const std::vector<ErrorCurve>& curves, const ChannelFlow& flow, std::size_t classes) {
  for (const ErrorCurve& curve : curves)
    if (flow.groups[static_cast<std::size_t>(curve.group)].classes.size() == classes) return &curve;
  return nullptr;
}

TEST(ErrorCurves, GrowFromNothingAndCoverEveryFreeGroup) {
  const Model net = residual_net();
  const NamedTensors like = {{"x", random_tensor({1, 3, 8, 8}, 1)}};
  const ChannelFlow flow = trace_channels(net, like);
  const auto data = random_dataset(like, 40, 5);
  const ErrorCurves curves = error_curves(net, flow, *data, {.samples = 40, .measured_samples = 8});
  const auto free = std::count_if(flow.groups.begin(), flow.groups.end(),
                                  [](const ChannelGroup& group) { return group.frozen.empty(); });
  ASSERT_GE(free, 2);
  EXPECT_EQ(static_cast<std::int64_t>(curves.local.size()), free);
  ASSERT_EQ(curves.scaled.size(), curves.local.size());
  EXPECT_TRUE(curves.notes.empty());
  for (std::size_t i = 0; i < curves.local.size(); ++i) {
    const ErrorCurve& curve = curves.local[i];
    const ChannelGroup& group = flow.groups[static_cast<std::size_t>(curve.group)];
    EXPECT_TRUE(
        std::is_permutation(curve.order.begin(), curve.order.end(), group.classes.begin(), group.classes.end()));
    ASSERT_EQ(curve.error.size(), curve.order.size() + 1);
    EXPECT_EQ(curve.error[0], 0);
    EXPECT_TRUE(std::is_sorted(curve.error.begin(), curve.error.end()));
    EXPECT_GT(curve.error.back(), 0.001);
    EXPECT_EQ(curves.scaled[i].order, curve.order);
    EXPECT_GT(curves.scaled[i].error.back(), 0);
  }
}

TEST(ErrorCurves, AChannelThatIsACopyOfAnotherCostsNothing) {
  Model net = residual_net();
  std::vector<float> weight = net.graph.initializers.find("w1")->to_floats();
  std::vector<float> bias = net.graph.initializers.find("b1")->to_floats();
  std::copy_n(weight.begin() + 2 * 72, 72, weight.begin() + 7 * 72);
  bias[7] = bias[2];
  net.graph.initializers.set("w1", Tensor::of({12, 8, 3, 3}, weight));
  net.graph.initializers.set("b1", Tensor::of({12}, bias));
  const NamedTensors like = {{"x", random_tensor({1, 3, 8, 8}, 1)}};
  const ChannelFlow flow = trace_channels(net, like);
  const auto data = random_dataset(like, 40, 5);
  const ErrorCurves curves = error_curves(net, flow, *data, {.samples = 40, .measured_samples = 0, .damping = 1e-6});
  EXPECT_TRUE(curves.scaled.empty());
  const ErrorCurve* curve = curve_of(curves.local, flow, 12);
  ASSERT_NE(curve, nullptr);
  const ChannelGroup& group = flow.groups[static_cast<std::size_t>(curve->group)];
  EXPECT_TRUE(curve->order[0] == group.classes[2] || curve->order[0] == group.classes[7]);
  EXPECT_LT(curve->error[1], 1e-2 * curve->error[2]);
}

TEST(ErrorCurves, OfAConsumerThatIsNotFittedAreTheEnergyThatIsLost) {
  const Model net = random_net(R"(g (float[N,3,8,8] x) => (float[N,4,9,9] y) {
      a = Conv(x, w0)
      b = Sigmoid(a)
      y = ConvTranspose(b, w1) })",
                               {{"w0", {6, 3, 1, 1}}, {"w1", {6, 4, 2, 2}}});
  const NamedTensors like = {{"x", random_tensor({1, 3, 8, 8}, 1)}};
  const ChannelFlow flow = trace_channels(net, like);
  const auto data = random_dataset(like, 20, 5);
  const ErrorCurves curves = error_curves(net, flow, *data, {.samples = 20, .measured_samples = 4});
  ASSERT_EQ(curves.local.size(), 1u);
  EXPECT_EQ(curves.notes.size(), 1u);
  EXPECT_EQ(curves.local[0].error.size(), 7u);
  EXPECT_GT(curves.local[0].error[6], 0.1);
  EXPECT_GT(curves.scaled[0].error[3], 0);
}

}  // namespace
}  // namespace pare::testing
