#include <chrono>
#include <cmath>

#include "channels/pruning.h"
#include "factorize/steps.h"
#include "pare/inspect.h"
#include "pare/step.h"

namespace pare::testing {
namespace {

using ::testing::HasSubstr;
using Words = std::map<std::string, std::string>;

CheckedResult factorize_with(const Model& model, const Words& options, std::shared_ptr<const Dataset> data = nullptr) {
  const StepInfo step = factorize();
  Context context;
  context.data = std::move(data);
  return run_step(step, model, StepOptions(step.options, options), context);
}

std::shared_ptr<const Dataset> samples(const Model& model, std::int64_t count) {
  return random_dataset(random_inputs(model.graph.inputs, {.image_size = 12}), count, 3);
}

/// Largest difference of the outputs over the largest output.
double difference(const Model& a, const Model& b) {
  const NamedTensors inputs = inputs_of(a, 2);
  const std::vector<float> x = open_session(a)->run(inputs)[0].to_floats(),
                           y = open_session(b)->run(inputs)[0].to_floats();
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    worst = std::max(worst, static_cast<double>(std::abs(x[i] - y[i])));
    largest = std::max(largest, static_cast<double>(std::abs(x[i])));
  }
  return worst / largest;
}

std::int64_t count_nodes(const Model& model, std::string_view op) {
  return std::count_if(model.graph.nodes.begin(), model.graph.nodes.end(),
                       [&](const Node& node) { return node.op_type == op; });
}

std::string reason_of(const CheckedResult& result, const std::string& part_of_label) {
  for (const NodeReason& one : result.result.skipped)
    if (one.node.find(part_of_label) != std::string::npos) return one.reason;
  return {};
}

/// One convolution of 6 to 10 channels, with a bias, followed by a ReLU.
Model one_conv(const std::string& attributes, const std::string& kernel = "3, 3") {
  return network("g (float[N, 6, 12, 12] x) => (float[N, 10, H, W] y) <float[10, 6, " + kernel +
                 "] w, float[10] b> { c = Conv<" + attributes + ">(x, w, b)  y = Relu(c) }");
}

/// A stem, a residual block, a head.
Model residual() {
  return network(R"(g (float[N, 3, 12, 12] x) => (float[N, 5] y)
    <float[16, 3, 3, 3] w0, float[16] b0, float[16, 16, 3, 3] w1, float[16] b1, float[16, 16, 3, 3] w2, float[16] b2, float[5, 16] w3, float[5] b3>
    { s = Conv<pads = [1, 1, 1, 1]>(x, w0, b0)  r = Relu(s)
      a = Conv<pads = [1, 1, 1, 1]>(r, w1, b1)  c = Relu(a)
      d = Conv<pads = [1, 1, 1, 1]>(c, w2, b2)  e = Add(d, r)  f = Relu(e)
      p = GlobalAveragePool(f)  q = Flatten(p)  y = Gemm<transB = 1>(q, w3, b3) })");
}

TEST(Factorize, BothOrdersOfASpatialPairCarryTheWindowAlongTheirAxes) {
  const Model model = one_conv("strides = [2, 1], pads = [1, 0, 0, 2], dilations = [2, 1]");
  const Model result = factorize_with(model, {{"kind", "spatial"}, {"rank", "4"}}).result.model;
  const Node &first = result.graph.nodes[0], &second = result.graph.nodes[1];
  const bool vertical = first.ints_or("kernel_shape", {}) == Shape{3, 1};
  const Node &tall = vertical ? first : second, &wide = vertical ? second : first;
  EXPECT_EQ(tall.ints_or("strides", {}), (Shape{2, 1}));
  EXPECT_EQ(tall.ints_or("pads", {}), (Shape{1, 0, 0, 0}));
  EXPECT_EQ(tall.ints_or("dilations", {}), (Shape{2, 1}));
  EXPECT_EQ(wide.ints_or("strides", {}), (Shape{1, 1}));
  EXPECT_EQ(wide.ints_or("pads", {}), (Shape{0, 0, 0, 2}));
  EXPECT_EQ(wide.ints_or("dilations", {}), (Shape{1, 1}));
  EXPECT_EQ(first.inputs.size(), 2U);
  EXPECT_EQ(second.inputs.size(), 3U);
}

TEST(Factorize, InTuckerTheMiddleCarriesTheWindowAndTheLastTheBias) {
  const Model model = one_conv("strides = [2, 1], pads = [1, 0, 0, 2], dilations = [2, 1]");
  const CheckedResult result = factorize_with(model, {{"kind", "tucker2"}, {"rank", "3"}});
  ASSERT_EQ(result.result.done.size(), 1U);
  EXPECT_EQ(result.result.done[0].reason, "1 x 1, 3 x 3, 1 x 1 of ranks 3 and 5");
  const std::vector<Node>& nodes = result.result.model.graph.nodes;
  ASSERT_EQ(nodes.size(), 4U);
  for (const std::size_t thin : {0U, 2U}) {
    EXPECT_EQ(nodes[thin].ints_or("kernel_shape", {}), (Shape{1, 1}));
    EXPECT_EQ(nodes[thin].ints_or("strides", {}), (Shape{1, 1}));
    EXPECT_EQ(nodes[thin].ints_or("pads", {}), (Shape{0, 0, 0, 0}));
  }
  EXPECT_EQ(nodes[1].ints_or("strides", {}), (Shape{2, 1}));
  EXPECT_EQ(nodes[1].ints_or("pads", {}), (Shape{1, 0, 0, 2}));
  EXPECT_EQ(nodes[1].ints_or("dilations", {}), (Shape{2, 1}));
  EXPECT_EQ(nodes[1].inputs.size(), 2U);
  EXPECT_EQ(nodes[2].inputs.size(), 3U);
  EXPECT_EQ(nodes[2].name, model.graph.nodes[0].name);
}

// F2.
TEST(Factorize, ARankThatSavesNothingIsRefused) {
  const Model model = network(R"(g (float[N, 64, 8, 8] x) => (float[N, 64, 8, 8] y) <float[64, 64, 3, 3] w>
    { y = Conv<pads = [1, 1, 1, 1]>(x, w) })");
  for (const auto& [kind, least] : std::map<std::string, int>{{"spatial", 96}, {"channel", 58}, {"tucker2", 58}}) {
    const CheckedResult above = factorize_with(model, {{"kind", kind}, {"rank", std::to_string(least)}});
    EXPECT_EQ(above.result.changes, 0) << kind;
    EXPECT_EQ(serialize_model(above.result.model), serialize_model(model));
    EXPECT_THAT(reason_of(above, "y"), HasSubstr("the break-even is " + std::to_string(least)));
  }
  const CheckedResult below = factorize_with(model, {{"kind", "spatial"}, {"rank", "95"}});
  EXPECT_EQ(below.result.changes, 1);
  EXPECT_LT(inspect_model(below.result.model).total_parameters, inspect_model(model).total_parameters);
  EXPECT_EQ(factorize_with(model, {{"rank", "96"}, {"force", "on"}}).result.changes, 1);
}

// F6.
TEST(Factorize, DeclinesWithReasonsWhatHasNoRankToSave) {
  const Model model = network(R"(g (float[N, 8, 12, 12] x) => (float[N, 8, H, W] y)
    <float[8, 1, 3, 3] wd, float[8, 4, 3, 3] wg, float[8, 8, 3, 3] ws, float[8, 4, 2, 2] wt, float[1, 8, 3, 3] wo>
    { d = Conv<group = 8, pads = [1, 1, 1, 1]>(x, wd)  g = Conv<group = 2, pads = [1, 1, 1, 1]>(d, wg)
      s1 = Conv<pads = [1, 1, 1, 1]>(g, ws)  s2 = Conv<pads = [1, 1, 1, 1]>(s1, ws)
      t = ConvTranspose<strides = [2, 2], group = 2>(s2, wt)  o = Conv(t, wo)  y = Relu(o) })");
  const CheckedResult result = factorize_with(model, {{"rank", "2"}});
  EXPECT_THAT(reason_of(result, "'d'"), HasSubstr("depthwise"));
  EXPECT_THAT(reason_of(result, "'t'"), HasSubstr("several groups"));
  EXPECT_THAT(reason_of(result, "'s1'"), HasSubstr("other nodes read its weight"));
}

TEST(Factorize, GroupsAndTransposedConvolutionsBecomeTwoByTheirWeights) {
  const Model model = network(R"(g (float[N, 16, 6, 6] x) => (float[N, 24, H, W] y)
    <float[16, 8, 3, 3] wg, float[16] bg, float[16, 24, 3, 3] wt, float[24] bt>
    { g = Conv<group = 2, pads = [1, 0, 1, 2], strides = [1, 2]>(x, wg, bg)  r = Relu(g)
      y = ConvTranspose<strides = [2, 2], pads = [1, 0, 1, 1], output_padding = [1, 0]>(r, wt, bt) })");
  const auto data = samples(model, 64);
  for (const std::string kind : {"spatial", "channel", "point"}) {
    const CheckedResult whole = factorize_with(model, {{"kind", kind}, {"rank", "1000"}, {"force", "on"}});
    EXPECT_EQ(whole.result.changes, kind == "spatial" ? 1 : 2);
    EXPECT_LT(difference(model, whole.result.model), 1e-5) << kind;
    const CheckedResult half = factorize_with(model, {{"kind", kind}, {"macs", "70%"}}, data);
    EXPECT_GT(half.result.changes, 0) << kind;
    const double macs = static_cast<double>(inspect_model(half.result.model).total_macs) /
                        static_cast<double>(inspect_model(model).total_macs);
    EXPECT_NEAR(macs, half.result.figures.at("got_share"), 1e-6) << kind;
  }
  const CheckedResult thin = factorize_with(model, {{"kind", "channel"}, {"rank", "3"}});
  EXPECT_EQ(thin.result.done[0].reason, "3 x 3 then 1 x 1 of rank 3 in each group");
  EXPECT_EQ(thin.result.model.graph.nodes[0].int_or("group", 1), 2);
  EXPECT_EQ(thin.result.model.graph.nodes[1].int_or("group", 1), 2);
}

TEST(Factorize, AOneByOneConvolutionBecomesTwo) {
  const Model model = network(
      "g (float[N, 96, 4, 4] x) => (float[N, 80, 4, 4] y) <float[80, 96, 1, 1] w, float[80] b> { y = Conv(x, w, b) }");
  const Model result = factorize_with(model, {{"macs", "50%"}}).result.model;
  EXPECT_EQ(count_nodes(result, "Conv"), 2);
  EXPECT_LE(inspect_model(result).total_macs, inspect_model(model).total_macs / 2);
}

/// Weights of rank 4 in their vertical fold, and noise.
Model of_rank_four(double noise) {
  Model model = one_conv("pads = [1, 1, 1, 1]");
  Rng rng(5);
  std::vector<double> first(4 * 6 * 3), second(10 * 4 * 3);
  for (double& value : first) value = rng.normal();
  for (double& value : second) value = 0.2 * rng.normal();
  std::vector<float> weight;
  for (std::size_t o = 0; o < 10; ++o)
    for (std::size_t i = 0; i < 6; ++i)
      for (std::size_t ky = 0; ky < 3; ++ky)
        for (std::size_t kx = 0; kx < 3; ++kx) {
          double sum = noise * rng.normal();
          for (std::size_t r = 0; r < 4; ++r) sum += first[(r * 6 + i) * 3 + ky] * second[(o * 4 + r) * 3 + kx];
          weight.push_back(static_cast<float>(sum));
        }
  model.graph.initializers.set("w", Tensor::of({10, 6, 3, 3}, weight));
  return model;
}

// F3 and F4.
TEST(Factorize, FindsTheRankThatIsThere) {
  const Model model = of_rank_four(0);
  for (const bool with_data : {false, true}) {
    const auto data = with_data ? samples(model, 64) : nullptr;
    const CheckedResult result = factorize_with(model, {{"kind", "spatial"}, {"energy", "99.9999999%"}}, data);
    ASSERT_EQ(result.result.done.size(), 1U);
    EXPECT_EQ(result.result.done[0].reason, "3 x 1 then 1 x 3 of rank 4");
    EXPECT_LT(difference(model, result.result.model), 1e-5);
  }
  const Model noisy = of_rank_four(0.02);
  EXPECT_LT(difference(noisy, factorize_with(noisy, {{"rank", "4"}}, samples(noisy, 64)).result.model), 0.2);
}

TEST(Factorize, EvbmfFindsTheRankUnderNoiseAndNothingInNoise) {
  // 24 x (30 * 3) in the vertical fold: 16 channels in, 30 out.
  const auto model_of = [](double signal) {
    Model model = network(R"(g (float[N, 8, 12, 12] x) => (float[N, 30, 12, 12] y) <float[30, 8, 3, 3] w>
      { y = Conv<pads = [1, 1, 1, 1]>(x, w) })");
    Rng rng(6);
    std::vector<double> first(5 * 8 * 3), second(30 * 5 * 3);
    for (double& value : first) value = signal * rng.normal();
    for (double& value : second) value = rng.normal();
    std::vector<float> weight;
    for (std::size_t o = 0; o < 30; ++o)
      for (std::size_t i = 0; i < 8; ++i)
        for (std::size_t ky = 0; ky < 3; ++ky)
          for (std::size_t kx = 0; kx < 3; ++kx) {
            double sum = 0.3 * rng.normal();
            for (std::size_t r = 0; r < 5; ++r) sum += first[(r * 8 + i) * 3 + ky] * second[(o * 5 + r) * 3 + kx];
            weight.push_back(static_cast<float>(sum));
          }
    model.graph.initializers.set("w", Tensor::of({30, 8, 3, 3}, weight));
    return model;
  };
  const CheckedResult found = factorize_with(model_of(1), {{"kind", "spatial"}, {"evbmf", "on"}});
  ASSERT_EQ(found.result.done.size(), 1U);
  EXPECT_EQ(found.result.done[0].reason, "3 x 1 then 1 x 3 of rank 5");
  const CheckedResult noise = factorize_with(model_of(0), {{"evbmf", "on"}});
  EXPECT_EQ(noise.result.changes, 0);
  EXPECT_THAT(reason_of(noise, "y"), HasSubstr("noise alone"));
  const CheckedResult tucker = factorize_with(model_of(1), {{"kind", "tucker2"}, {"evbmf", "on"}});
  ASSERT_EQ(tucker.result.done.size(), 1U);
  EXPECT_THAT(tucker.result.done[0].reason, HasSubstr(" and 15"));  // 5 times the 3 taps of the second factor
}

TEST(Factorize, AFlatSpectrumIsNoGainInsteadOfRankOne) {
  const Model model = one_conv("pads = [1, 1, 1, 1]");
  const CheckedResult result = factorize_with(model, {{"energy", "99%"}});
  EXPECT_EQ(result.result.changes, 0);
  EXPECT_THAT(reason_of(result, "c"), HasSubstr("no gain"));
  EXPECT_EQ(serialize_model(result.result.model), serialize_model(model));
}

TEST(Factorize, MeetsItsGoalAndDataMakeItBetter) {
  const Model model = residual();
  const auto data = samples(model, 128);
  for (const std::string share : {"40%"}) {
    const CheckedResult plain = factorize_with(model, {{"macs", share}}),
                        fitted = factorize_with(model, {{"macs", share}}, data);
    for (const CheckedResult* one : {&plain, &fitted}) {
      EXPECT_LE(one->result.figures.at("got_share"), one->result.figures.at("asked_share"));
      EXPECT_GT(one->result.figures.at("got_share"), 0.9 * one->result.figures.at("asked_share"));
      const double macs = static_cast<double>(inspect_model(one->result.model, {.image_size = 12}).total_macs) /
                          static_cast<double>(inspect_model(model, {.image_size = 12}).total_macs);
      EXPECT_NEAR(macs, one->result.figures.at("got_share"), 1e-6);
      EXPECT_TRUE(one->result.missed.empty());
    }
    const NamedTensors inputs = data->batch(std::vector<std::int64_t>{0, 1, 2, 3}).inputs;
    const auto error = [&](const Model& other) {
      const std::vector<float> a = open_session(model)->run(inputs)[0].to_floats(),
                               b = open_session(other)->run(inputs)[0].to_floats();
      double sum = 0;
      for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(a[i] - b[i], 2);
      return sum;
    };
    EXPECT_LT(error(fitted.result.model), 0.2 * error(plain.result.model)) << share;
  }
}

TEST(Factorize, AGoalOutOfReachIsSaid) {
  const CheckedResult result = factorize_with(residual(), {{"macs", "2%"}});
  EXPECT_THAT(result.result.missed, HasSubstr("at most 2 % of the MACs"));
}

TEST(Factorize, TheSameSeedGivesTheSameModel) {
  const Model model = residual();
  const auto data = samples(model, 32);
  const std::string first =
      serialize_model(factorize_with(model, {{"kind", "spatial"}, {"macs", "60%"}}, data).result.model);
  EXPECT_EQ(serialize_model(factorize_with(model, {{"kind", "spatial"}, {"macs", "60%"}}, data).result.model), first);
}

TEST(Factorize, WhatIsExcludedStays) {
  const Model model = residual();
  const CheckedResult result = factorize_with(model, {{"macs", "60%"}, {"exclude", "a"}});
  EXPECT_NE(result.result.model.graph.initializers.find("w1"), nullptr);
  EXPECT_THAT(reason_of(result, "a"), HasSubstr("exclude"));
}

TEST(Factorize, SaysWhatIsWrongWithTheOptions) {
  const Model model = residual();
  expect_error([&] { factorize_with(model, {{"macs", "50%"}, {"rank", "4"}}); }, ErrorCode::kInvalidArgument,
               {"macs and rank", "remedy"});
  expect_error([&] { factorize_with(model, {{"evbmf", "on"}, {"rank", "4"}}); }, ErrorCode::kInvalidArgument,
               {"rank and evbmf", "remedy"});
  expect_error([&] { factorize_with(model, {{"macs", "50"}}); }, ErrorCode::kInvalidArgument,
               {"factorize: macs=50 ", "macs=50%"});
  expect_error([&] { factorize_with(model, {{"rank", "0"}}); }, ErrorCode::kInvalidArgument, {"rank must be 1"});
  expect_error([&] { factorize_with(model, {{"energy", "2"}}); }, ErrorCode::kInvalidArgument, {"energy=2"});
}

TEST(Factorize, ComposesWithPruningInEitherOrder) {
  const Model model = residual();
  const auto data = samples(model, 64);
  Context context;
  context.data = data;
  const StepInfo &low = find_step("factorize"), &narrow = find_step("prune");
  for (const bool low_first : {true, false}) {
    Model now = model;
    for (const StepInfo* step : low_first ? std::vector{&low, &narrow} : std::vector{&narrow, &low})
      now = run_step(*step, now, StepOptions(step->options, {{"macs", "70%"}}), context).result.model;
    EXPECT_LE(inspect_model(now, {.image_size = 12}).total_macs,
              0.5 * static_cast<double>(inspect_model(model, {.image_size = 12}).total_macs));
  }
}

// F9.
TEST(Factorize, ALargeMatrixTakesSeconds) {
  const Model model = network("g (float[N, 2048] x) => (float[N, 2048] y) <float[2048, 2048] w> { y = Gemm(x, w) }");
  const auto start = std::chrono::steady_clock::now();
  const CheckedResult result = factorize_with(model, {{"rank", "256"}});
  EXPECT_EQ(result.result.changes, 1);
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 30);  // checks included
}

}  // namespace
}  // namespace pare::testing
