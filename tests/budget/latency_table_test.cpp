#include "budget/latency_table.h"

#include "budget/small_flow.h"
#include "pare/model_io.h"

namespace pare::testing {
namespace {

GroupLatency stairs() { return {.group = 0, .points = {{0, 10}, {8, 6}, {12, 7}}, .odd_width = 1.5, .measured_as = 0}; }

TEST(RelativeTimes, AreWhatWasMeasuredWithItsStairs) {
  const ChannelFlow flow = chain_flow({16});
  const std::vector<double> times = relative_times(stairs(), flow.groups[0], random_curves(flow, 1)[0]);
  ASSERT_EQ(times.size(), 16U);
  EXPECT_DOUBLE_EQ(times[0], 1);
  EXPECT_DOUBLE_EQ(times[4], 0.8);
  EXPECT_DOUBLE_EQ(times[8], 0.6);
  EXPECT_DOUBLE_EQ(times[12], 0.7);
  EXPECT_DOUBLE_EQ(times[2], 0.9 * 1.5);
  EXPECT_DOUBLE_EQ(times[15], 0.7 * 1.5);
}

TEST(LatencyTable, PricesEveryWidthOfANetwork) {
  Rng rng(1);
  Model model = model_from_text(
      "<ir_version: 8, opset_import: [\"\" : 17]> net (float[N,3,16,16] x) => (float[N,8,16,16] y) <float[32,3,3,3] a, "
      "float[32,32,3,3] b, float[32,32,3,3] c, float[8,32,3,3] d> {"
      "t = Conv <pads = [1,1,1,1]> (x, a)\n r = Relu(t)\n u = Conv <pads = [1,1,1,1]> (r, b)\n s = Relu(u)\n v = Conv "
      "<pads = [1,1,1,1]> (s, c)\n w = Add(v, r)\n y = Conv <pads = [1,1,1,1]> (w, d)\n }");
  for (const auto& [name, shape] : std::map<std::string, Shape>{
           {"a", {32, 3, 3, 3}}, {"b", {32, 32, 3, 3}}, {"c", {32, 32, 3, 3}}, {"d", {8, 32, 3, 3}}}) {
    std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
    for (float& value : values) value = static_cast<float>(rng.normal());
    model.graph.initializers.set(name, Tensor::of<float>(shape, values));
  }
  const ChannelFlow flow = trace_channels(model, probe_inputs(model));
  const std::vector<ErrorCurve> curves = random_curves(flow, 1);
  ASSERT_EQ(curves.size(), 2U);
  const std::vector<DropCandidate> drops = {{.add = 5, .shortcut = "r", .body = {2, 3, 4}, .groups = {1}}};
  LatencyOptions options;
  options.budget_s = 0.5;
  const LatencyTable table = measure_latency(model, flow, curves, drops, options);
  ASSERT_EQ(table.groups.size(), 2U);
  EXPECT_EQ(table.groups[1].note, "");
  EXPECT_EQ(table.groups[1].points.size(), 8U);  // 32, 28, 24, 20, 16, 12, 8, 4
  Widths widths = full_widths(flow, drops);
  EXPECT_NEAR(table.cost.total(widths), table.whole_ms, 1e-9 * table.whole_ms);
  widths.removed[1] = 24;
  EXPECT_GE(table.cost.total(widths), 0);
  widths = full_widths(flow, drops);
  widths.dropped[0] = true;
  EXPECT_LT(table.cost.total(widths), table.whole_ms);
}

}  // namespace
}  // namespace pare::testing
