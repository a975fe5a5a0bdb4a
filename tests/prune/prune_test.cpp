#include <cmath>

#include "channels/pruning.h"
#include "pare/inspect.h"
#include "pare/step.h"
#include "prune/steps.h"

namespace pare::testing {
namespace {

using ::testing::HasSubstr;

/// A stem, a residual block, a head: 8 channels in the stream, 16 inside.
Model residual() {
  return network(R"(g (float[N, 3, 8, 8] x) => (float[N, 5] y)
    <float[8, 3, 3, 3] w0, float[8] b0, float[16, 8, 3, 3] w1, float[16] b1, float[8, 16, 3, 3] w2, float[8] b2, float[5, 8] w3, float[5] b3>
    { s = Conv<pads = [1, 1, 1, 1]>(x, w0, b0)  r = Relu(s)
      a = Conv<pads = [1, 1, 1, 1]>(r, w1, b1)  c = Relu(a)
      d = Conv<pads = [1, 1, 1, 1]>(c, w2, b2)  e = Add(d, r)  f = Relu(e)
      p = GlobalAveragePool(f)  q = Flatten(p)  y = Gemm<transB = 1>(q, w3, b3) })");
}

CheckedResult prune_with(const Model& model, const std::map<std::string, std::string>& options,
                         std::shared_ptr<const Dataset> data = nullptr) {
  const StepInfo step = prune();
  Context context;
  context.data = std::move(data);
  return run_step(step, model, StepOptions(step.options, options), context);
}

std::shared_ptr<const Dataset> samples(const Model& model, std::int64_t count) {
  return random_dataset(random_inputs(model.graph.inputs, {.image_size = 8}), count, 3);
}

std::int64_t macs(const Model& model) { return inspect_model(model, {.image_size = 8}).total_macs; }

TEST(Prune, HalvesTheChannelsOfEachLayerAndProvesIt) {
  const Model model = residual();
  const CheckedResult pruned = prune_with(model, {{"channels", "50%"}});
  EXPECT_EQ(pruned.result.model.graph.initializers.find("w1")->shape(), (Shape{8, 4, 3, 3}));
  EXPECT_EQ(pruned.result.model.graph.initializers.find("w2")->shape(), (Shape{4, 8, 3, 3}));
  EXPECT_EQ(pruned.result.model.graph.initializers.find("w3")->shape(), (Shape{5, 4}));
  EXPECT_EQ(pruned.result.changes, 3);
  ASSERT_FALSE(pruned.checks.empty());
  EXPECT_EQ(pruned.checks[0].name, "removed channels equal masked ones");
  EXPECT_TRUE(pruned.checks[0].passed);
  EXPECT_TRUE(pruned.result.missed.empty());
}

TEST(Prune, NothingAskedGivesTheSameModelBackBitForBit) {
  const Model model = residual();
  for (const auto& options : {std::map<std::string, std::string>{{"channels", "100%"}}, {{"macs", "100%"}}}) {
    const CheckedResult pruned = prune_with(model, options);
    EXPECT_EQ(serialize_model(pruned.result.model), serialize_model(model));
    EXPECT_THAT(pruned.result.notes.back(), HasSubstr("nothing was removed"));
  }
}

TEST(Prune, RepairedFromSamplesItIsNearerToTheOriginal) {
  const Model model = residual();
  const auto data = samples(model, 64);
  const NamedTensors input = data->batch(std::vector<std::int64_t>{0}).inputs;
  const std::vector<float> wanted = open_session(model)->run(input)[0].to_floats();
  std::map<std::string, double> error;
  for (const std::string repair : {"on", "off"}) {
    const CheckedResult pruned = prune_with(model, {{"macs", "60%"}, {"repair", repair}}, data);
    EXPECT_LE(macs(pruned.result.model), 0.6 * static_cast<double>(macs(model)));
    const std::vector<float> got = open_session(pruned.result.model)->run(input)[0].to_floats();
    for (std::size_t i = 0; i < got.size(); ++i) error[repair] += std::pow(got[i] - wanted[i], 2);
  }
  EXPECT_LT(error["on"], 0.5 * error["off"]);
}

TEST(Prune, TheSameSeedGivesTheSameModel) {
  const Model model = residual();
  const auto data = samples(model, 32);
  const std::string first = serialize_model(prune_with(model, {{"macs", "60%"}}, data).result.model);
  EXPECT_EQ(serialize_model(prune_with(model, {{"macs", "60%"}}, data).result.model), first);
}

TEST(Prune, StepsAreRelativeToTheOriginal) {
  const Model model = residual();
  const double share =
      static_cast<double>(macs(prune_with(model, {{"macs", "50%"}, {"steps", "3"}, {"round", "1"}}).result.model)) /
      static_cast<double>(macs(model));
  EXPECT_LE(share, 0.5);
  EXPECT_GT(share, 0.35);
}

TEST(Prune, AGoalThatLimitsForbidIsSaid) {
  const CheckedResult pruned = prune_with(residual(), {{"macs", "10%"}, {"cap", "25%"}});
  EXPECT_THAT(pruned.result.missed, HasSubstr("at most 10 % of the MACs"));
}

TEST(Prune, ExcludedLayersKeepTheirChannels) {
  const CheckedResult pruned = prune_with(residual(), {{"channels", "50%"}, {"exclude", "a"}});
  EXPECT_EQ(pruned.result.model.graph.initializers.find("w1")->shape(), (Shape{16, 4, 3, 3}));
  const auto& skipped = pruned.result.skipped;
  EXPECT_TRUE(std::any_of(skipped.begin(), skipped.end(),
                          [](const NodeReason& one) { return one.reason.find("exclude") != std::string::npos; }));
}

TEST(Prune, SaysWhatIsWrongWithTheOptions) {
  const Model model = residual();
  expect_error([&] { prune_with(model, {{"macs", "50%"}, {"params", "50%"}}); }, ErrorCode::kInvalidArgument,
               {"macs and params", "remedy"});
  expect_error([&] { prune_with(model, {{"macs", "50"}}); }, ErrorCode::kInvalidArgument, {"macs=50%"});
  expect_error([&] { prune_with(model, {{"criterion", "reconstruction"}}); }, ErrorCode::kInvalidArgument,
               {"needs data", "criterion=l2"});
  expect_error([&] { prune_with(model, {{"amount", "30%"}}); }, ErrorCode::kInvalidArgument, {"--unstructured"});
  expect_error([&] { prune_with(model, {{"exclude", "conv_a"}}); }, ErrorCode::kInvalidArgument, {"conv_a"});
}

TEST(Prune, UnstructuredZerosStayInTheFile) {
  const CheckedResult pruned = prune_with(residual(), {{"unstructured", "on"}, {"amount", "30%"}});
  const std::vector<float> w1 = pruned.result.model.graph.initializers.find("w1")->to_floats();
  EXPECT_EQ(std::count(w1.begin(), w1.end(), 0.0F), std::lround(0.3 * static_cast<double>(w1.size())));
}

TEST(Prune, FiltersOfZerosGoWithoutATrace) {
  Model model = residual();
  std::vector<float> w1 = model.graph.initializers.find("w1")->to_floats(), b1(16, 0.5F);
  for (std::size_t filter = 3; filter < 6; ++filter) {
    std::fill_n(w1.begin() + static_cast<std::ptrdiff_t>(filter * 72), 72, 0.0F);
    b1[filter] = 0;
  }
  model.graph.initializers.set("w1", Tensor::of<float>({16, 8, 3, 3}, w1));
  model.graph.initializers.set("b1", Tensor::of<float>({16}, b1));
  const CheckedResult pruned = prune_with(model, {{"zero-filters", "on"}});
  EXPECT_EQ(pruned.result.model.graph.initializers.find("w1")->shape(), (Shape{13, 8, 3, 3}));
  ASSERT_FALSE(pruned.checks.empty());
  EXPECT_THAT(pruned.checks[0].name, HasSubstr("same outputs"));
}

/// A perceptron whose hidden Gemm has no bias, or one of another shape than a vector.
Model perceptron(const std::string& bias) {
  const bool none = bias.empty();
  return network("g (float[N, 6] x) => (float[N, 3] y) <float[12, 6] w1, " + (none ? "" : "float" + bias + " b1, ") +
                 "float[3, 12] w2> { h = Gemm<transB = 1>(x, w1" + (none ? "" : ", b1") +
                 ") r = Relu(h) y = Gemm<transB = 1>(r, w2) }");
}

TEST(Prune, RepairsLayersWhateverTheirBiasLooksLike) {
  for (const std::string bias : {"", "[12]", "[1, 12]", "[1]"}) {
    SCOPED_TRACE(bias);
    const Model model = perceptron(bias);
    const std::shared_ptr<const Dataset> data = random_dataset(random_inputs(model.graph.inputs), 64, 3);
    const CheckedResult pruned = prune_with(model, {{"channels", "50%"}}, data);
    EXPECT_EQ(pruned.result.model.graph.initializers.find("w2")->shape(), (Shape{3, 6}));
  }
}

TEST(Prune, TheShareThatIsReportedIsWhatStays) {
  const CheckedResult pruned = prune_with(residual(), {{"channels", "75%"}});
  EXPECT_DOUBLE_EQ(pruned.result.figures.at("got_share"), 0.75);
  EXPECT_TRUE(pruned.result.missed.empty()) << pruned.result.missed;
}

TEST(Prune, StepsOfChannelsAreRelativeToTheOriginalToo) {
  const CheckedResult halved = prune_with(residual(), {{"channels", "50%"}, {"steps", "3"}});
  EXPECT_EQ(halved.result.model.graph.initializers.find("w1")->shape(), (Shape{8, 4, 3, 3}));
  EXPECT_DOUBLE_EQ(halved.result.figures.at("got_share"), 0.5);
  EXPECT_EQ(halved.result.changes, 3);
  const CheckedResult capped =
      prune_with(residual(), {{"macs", "10%"}, {"cap", "25%"}, {"steps", "3"}, {"round", "1"}});
  EXPECT_EQ(capped.result.model.graph.initializers.find("w1")->shape(), (Shape{12, 6, 3, 3}));
}

TEST(Prune, AnExcludedDepthwiseLayerKeepsItsChannels) {
  const Model model = network(R"(g (float[N, 3, 6, 6] x) => (float[N, 2, 6, 6] y)
    <float[8, 3, 1, 1] w0, float[8, 1, 3, 3] wd, float[6, 8, 1, 1] w1, float[2, 6, 1, 1] w2>
    { a = Conv(x, w0) d = Conv<group = 8, pads = [1, 1, 1, 1]>(a, wd) r = Relu(d) b = Conv(r, w1) q = Relu(b) y = Conv(q, w2) })");
  const CheckedResult pruned = prune_with(model, {{"channels", "50%"}, {"exclude", "d"}});
  EXPECT_EQ(pruned.result.model.graph.initializers.find("wd")->shape(), (Shape{8, 1, 3, 3}));
  EXPECT_EQ(pruned.result.model.graph.initializers.find("w1")->shape(), (Shape{3, 8, 1, 1}));
}

TEST(Prune, WhereNothingCanGoTheGoalIsMissed) {
  const Model model =
      network("g (float[N, 3, 4, 4] x) => (float[N, 2, 4, 4] y) <float[2, 3, 1, 1] w> { y = Conv(x, w) }");
  const CheckedResult pruned = prune_with(model, {{"channels", "50%"}});
  EXPECT_THAT(pruned.result.missed, HasSubstr("nothing was removed"));
}

TEST(Prune, OptionsOfAnotherModeAreRefused) {
  const Model model = residual();
  expect_error([&] { prune_with(model, {{"unstructured", "on"}, {"amount", "30%"}, {"macs", "10%"}}); },
               ErrorCode::kInvalidArgument, {"macs", "unstructured"});
  expect_error([&] { prune_with(model, {{"global", "on"}, {"macs", "50%"}}); }, ErrorCode::kInvalidArgument,
               {"global"});
  expect_error([&] { prune_with(model, {{"speedup", "50%"}}); }, ErrorCode::kInvalidArgument, {"speedup=1.5"});
}

}  // namespace
}  // namespace pare::testing
