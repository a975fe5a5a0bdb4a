// Pitfall F1: fewer MACs that take longer. With time as the goal no layer becomes two unless the clock agrees.
#include <iostream>

#include "channels/pruning.h"
#include "pare/measure.h"
#include "pare/step.h"

namespace pare::testing {
namespace {

CheckedResult factorize_with(const Model& model, const std::map<std::string, std::string>& options) {
  const StepInfo& step = find_step("factorize");
  Context context;
  return run_step(step, model, StepOptions(step.options, options), context);
}

Model two_layers(const std::string& channels, const std::string& size) {
  const std::string image = channels + ", " + size + ", " + size;
  return network("g (float[N, " + image + "] x) => (float[N, " + image + "] y) <float[" + channels + ", " + channels +
                 ", 3, 3] w0, float[" + channels + ", " + channels +
                 ", 3, 3] w1> { a = Conv<pads = [1, 1, 1, 1]>(x, w0)  r = Relu(a)  y = Conv<pads = [1, 1, 1, 1]>(r, "
                 "w1) }");
}

TEST(TimedFactorize, WideLayersGetFasterAsAsked) {
  const CheckedResult result = factorize_with(two_layers("64", "32"), {{"speedup", "1.4"}});
  EXPECT_GT(result.result.changes, 0);
  EXPECT_GT(result.result.figures.at("speed_ratio"), 1.3);
}

/// Three shapes that different kinds suit: a large kernel, thin layers, wide ones.
Model of_three_shapes() {
  return network(R"(g (float[N, 3, 32, 32] x) => (float[N, 96, 8, 8] y)
    <float[32, 3, 5, 5] w0, float[32, 32, 5, 5] w1, float[64, 32, 3, 3] w2, float[64, 64, 3, 3] w3, float[96, 64, 3, 3] w4, float[96, 96, 3, 3] w5>
    { a = Conv<pads = [2, 2, 2, 2]>(x, w0)  ar = Relu(a)  b = Conv<pads = [2, 2, 2, 2]>(ar, w1)  br = Relu(b)
      c = Conv<pads = [1, 1, 1, 1], strides = [2, 2]>(br, w2)  cr = Relu(c)  d = Conv<pads = [1, 1, 1, 1]>(cr, w3)
      dr = Relu(d)  e = Conv<pads = [1, 1, 1, 1], strides = [2, 2]>(dr, w4)  er = Relu(e)
      f = Conv<pads = [1, 1, 1, 1]>(er, w5)  y = Relu(f) })");
}

// Pitfall F1, issue "never slower than one kind everywhere": two files of the same MACs, timed in turn.
TEST(TimedFactorize, KindsChosenPerLayerAreNeverSlowerThanAnyOneKind) {
  const Model model = of_three_shapes();
  const Model chosen = factorize_with(model, {{"macs", "50%"}}).result.model;
  const NamedTensors inputs = probe_inputs(model);
  const auto chosen_session = open_session(chosen);
  chosen_session->bind(inputs);
  for (const std::string kind : {"spatial", "channel", "point", "tucker2"}) {
    const CheckedResult one = factorize_with(model, {{"kind", kind}, {"macs", "50%"}});
    EXPECT_GT(one.result.changes, 0);
    EXPECT_LE(one.result.figures.at("got_share"), 0.5);
    const auto session = open_session(one.result.model);
    session->bind(inputs);
    const SpeedComparison speed = compare_speed(*session, *chosen_session, {.budget_s = 4});
    EXPECT_GT(speed.interval.high, 0.98) << kind << ": " << speed.ratio;
    std::cout << kind << " takes " << speed.ratio << " times as long (" << speed.interval.low << " to "
              << speed.interval.high << ")\n";
  }
}

TEST(TimedFactorize, ThinLayersStayWithTheFigure) {
  const CheckedResult result = factorize_with(two_layers("8", "16"), {{"speedup", "1.4"}});
  if (result.result.changes > 0) {
    EXPECT_GT(result.result.figures.at("speed_ratio"), 0.97);
  } else {
    ASSERT_EQ(result.result.skipped.size(), 2U);
    for (const NodeReason& one : result.result.skipped)
      EXPECT_TRUE(one.reason.find("no faster") == 0 || one.reason.find("too thin") == 0) << one.reason;
  }
}

}  // namespace
}  // namespace pare::testing
