#include "budget/count_costs.h"

#include "budget/small_flow.h"
#include "pare/inspect.h"
#include "pare/model_io.h"

namespace pare::testing {
namespace {

/// A network with everything that counts: residual, depthwise, grouped, Concat, normalization, slopes, Flatten, Gemm.
/// a: stem and stream, b: inner, c: grouped (two blocks), d: beside c in the Concat.
Model network(std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) {
  const auto weight = [](const std::string& name, const std::string& dims) {
    return "float[" + dims + "] " + name + ", ";
  };
  const std::string A = std::to_string(a), B = std::to_string(b), C = std::to_string(c), D = std::to_string(d),
                    A2 = std::to_string(a / 2), CD = std::to_string(c + d), F = std::to_string(16 * (c + d));
  std::string declared = weight("w1", A + ",3,3,3") + weight("b1", A) + weight("w2", B + "," + A + ",1,1") +
                         weight("w3", B + ",1,3,3") + weight("b3", B) + weight("w4", A + "," + B + ",1,1") +
                         weight("s", A + ",1,1") + weight("w5", C + "," + A2 + ",3,3") +
                         weight("w6", D + "," + A + ",3,3") + weight("g", CD) + weight("h", CD) + weight("m", CD) +
                         weight("v", CD) + weight("w7", "5," + F);
  Model model = model_from_text(
      "<ir_version: 8, opset_import: [\"\" : 17]> net (float[N,3,8,8] x, " + declared +
      "float[5] b7) => (float[N,5] y) {"
      "[stem] t1 = Conv <pads = [1,1,1,1]> (x, w1, b1)\n r1 = PRelu(t1, s)\n"
      "[expand] t2 = Conv(r1, w2)\n r2 = Relu(t2)\n"
      "[depth] t3 = Conv <group = " +
      B +
      ", pads = [1,1,1,1]> (r2, w3, b3)\n"
      "[project] t4 = Conv(t3, w4)\n r4 = Add(t4, r1)\n"
      "[pairs] t5 = Conv <group = 2, pads = [1,1,1,1]> (r4, w5)\n [beside] t6 = Conv <pads = [1,1,1,1]> (r4, w6)\n"
      "k = Concat <axis = 1> (t5, t6)\n n = BatchNormalization(k, g, h, m, v)\n p = AveragePool <kernel_shape = [2,2], "
      "strides = [2,2]> (n)\n f = Flatten(p)\n [head] y = Gemm <transB = 1> (f, w7, b7)\n }");
  std::vector<ValueInfo> inputs;
  for (const ValueInfo& input : model.graph.inputs) {
    if (input.name == "x") {
      inputs.push_back(input);
      continue;
    }
    const Shape shape = *input.static_shape();
    model.graph.initializers.set(
        input.name, Tensor::of<float>(shape, std::vector<float>(static_cast<std::size_t>(element_count(shape)), 0.5F)));
  }
  model.graph.inputs = inputs;
  return model;
}

TEST(CountCosts, EqualsWhatTheReallyCutNetworkCosts) {
  const Model model = network(8, 12, 6, 5);
  const ChannelFlow flow = SmallFlow::of(model);
  // Stream (balanced over the two blocks of "pairs": 4 classes of 2 channels), inner, pairs (3 of 2), beside.
  ASSERT_EQ(flow.groups.size(), 4U);
  EXPECT_EQ(flow.groups[0].classes.size(), 4U);
  EXPECT_EQ(flow.groups[0].channels, 8);
  EXPECT_EQ(flow.groups[2].classes.size(), 3U);
  const std::vector<ErrorCurve> curves = random_curves(flow, 1);
  const Cost macs = count_costs(CostKind::kMacs, model, flow, curves);
  const Cost parameters = count_costs(CostKind::kParameters, model, flow, curves);
  const Cost bytes = count_costs(CostKind::kBytes, model, flow, curves);
  const Cost channels = count_costs(CostKind::kChannels, model, flow, curves);
  Rng rng(3);
  for (int trial = 0; trial < 30; ++trial) {
    Widths widths = full_widths(flow, {});
    if (trial > 0)
      for (std::size_t g = 0; g < 4; ++g)
        widths.removed[g] = rng.below(static_cast<std::int64_t>(flow.groups[g].classes.size()));
    const auto& gone = widths.removed;
    const Model cut = network(8 - 2 * gone[0], 12 - gone[1], 6 - 2 * gone[2], 5 - gone[3]);
    const Inspection truth = inspect_model(cut);
    EXPECT_EQ(macs.total(widths), static_cast<double>(truth.total_macs));
    EXPECT_EQ(parameters.total(widths), static_cast<double>(truth.total_parameters));
    EXPECT_EQ(bytes.total(widths), static_cast<double>(truth.weight_bytes));
    EXPECT_EQ(channels.total(widths), 8 + 12 + 8 + 6 + 5 + 5 - 4 * gone[0] - gone[1] - 2 * gone[2] - gone[3]);
    for (const Cost* cost : {&macs, &parameters, &bytes})
      for (std::int64_t g = 0; g < 4; ++g) {
        Widths other = widths;
        other.removed[static_cast<std::size_t>(g)] = 1;
        EXPECT_NEAR(cost->change(widths, g, 1), cost->total(other) - cost->total(widths), 1e-6);
      }
  }
}

TEST(CountCosts, ADroppedBodyCostsNothing) {
  const Model model = network(8, 12, 6, 5);
  const ChannelFlow flow = SmallFlow::of(model);
  const std::vector<ErrorCurve> curves = random_curves(flow, 1);
  std::vector<std::int64_t> body;
  for (std::size_t i = 0; i < model.graph.nodes.size(); ++i)
    for (const char* value : {"t2", "r2", "t3", "t4"})
      if (model.graph.nodes[i].output(0) == value) body.push_back(static_cast<std::int64_t>(i));
  const std::vector<DropCandidate> drops = {{.shortcut = "r1", .body = body, .groups = {1}}};
  const Cost cost = count_costs(CostKind::kMacs, model, flow, curves, drops);
  Widths widths = full_widths(flow, drops);
  const double before = cost.total(widths), change = cost.change_by_drop(widths, 0);
  widths.dropped[0] = true;
  EXPECT_EQ(cost.total(widths), before + change);
  EXPECT_EQ(-change, 64 * (12 * 8 + 12 * 9 + 12 * 8));
  EXPECT_EQ(cost.change(widths, 1, 3), 0);
}

TEST(CountCosts, KnowsItsKinds) {
  EXPECT_EQ(parse_cost("ms"), CostKind::kMilliseconds);
  EXPECT_EQ(cost_name(CostKind::kMacs), "MACs");
  expect_error([] { (void)parse_cost("mac"); }, ErrorCode::kInvalidArgument, {"'mac' is no cost", "nearest: 'macs'"});
}

}  // namespace
}  // namespace pare::testing
