#include "fit/target.h"

#include "fit/nets.h"
#include "support/support.h"

namespace pare::testing {
namespace {

FitTarget target_of(const Model& model, const std::string& value, bool known = true) {
  const GraphIndex index(model.graph);
  const ReadLayer read = read_linear_layer(model.graph, index, index.producer(value));
  const Trace trace = trace_model(model, probe_inputs(model, {}));
  return find_target(model.graph, index, *read.layer, trace.shapes, [&](const std::string&) { return known; });
}

TEST(Target, IsTheSumThatTheLayerEndsIn) {
  const Model net = residual_net();
  const FitTarget target = target_of(net, "c1");
  EXPECT_EQ(target.value, "t1");
  EXPECT_THAT(target.minus, ::testing::ElementsAre("s0"));
  EXPECT_TRUE(target.clipped);
  EXPECT_EQ(target.lower, 0);
}

TEST(Target, IsTheLayersOwnWhereTheShortcutIsNotKnownYet) {
  const FitTarget target = target_of(residual_net(), "c1", false);
  EXPECT_EQ(target.value, "c1");
  EXPECT_TRUE(target.minus.empty());
  EXPECT_FALSE(target.clipped);
}

TEST(Target, KnowsTheBoundsOfAClip) {
  const Model net = random_net(R"(g (float[N,3,8,8] x) => (float[N,3,8,8] y) <float low = {-1.0}, float high = {6.0}> {
      a = Conv(x, w)
      y = Clip(a, low, high) })",
                               {{"w", {3, 3, 1, 1}}});
  const FitTarget target = target_of(net, "a");
  EXPECT_TRUE(target.clipped);
  EXPECT_EQ(target.lower, -1);
  EXPECT_EQ(target.upper, 6);
}

TEST(Target, SeesNoActivationWhereOthersReadTheSumToo) {
  const Model net = random_net(R"(g (float[N,3,8,8] x) => (float[N,3,8,8] y) {
      a = Conv(x, w)
      b = Relu(a)
      y = Add(a, b) })",
                               {{"w", {3, 3, 1, 1}}});
  EXPECT_FALSE(target_of(net, "a").clipped);
}

}  // namespace
}  // namespace pare::testing
