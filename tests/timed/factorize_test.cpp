// Pitfall F1: fewer MACs that take longer. With time as the goal no layer becomes two unless the clock agrees.
#include "channels/pruning.h"
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
