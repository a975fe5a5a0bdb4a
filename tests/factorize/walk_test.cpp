#include "factorize/walk.h"

#include <cmath>

#include "channels/pruning.h"

namespace pare::testing {
namespace {

/// Every candidate becomes two by that way (as far as it has so many) and rank.
Model factorized(const Model& model, const std::string& kind, std::size_t way, std::int64_t rank, const Dataset* data,
                 bool penalty = false) {
  const NamedTensors inputs = probe_inputs(model);
  const Trace trace = trace_model(model, inputs);
  const RankCandidates found = find_candidates(model, trace, {.kind = kind, .above_break_even = true});
  std::vector<ChosenRank> chosen;
  for (std::size_t c = 0; c < found.list.size(); ++c) {
    const std::vector<Way>& ways = found.list[c].ways;
    const std::size_t own = std::min(way, ways.size() - 1);
    const std::int64_t full = ways[own].fold.full_rank();
    chosen.push_back({.candidate = c, .way = own, .rank = std::min(rank, full)});
  }
  EXPECT_FALSE(chosen.empty());
  const Walked walked = walk_layers(model, trace, found.list, chosen, data, {.penalty = penalty}, silent_progress());
  return split_layers(walked.model, walked.splits);
}

/// Mean squared difference of the outputs over the mean square.
double error_of(const Model& model, const Model& other, const NamedTensors& inputs) {
  const std::vector<float> a = open_session(model)->run(inputs)[0].to_floats(),
                           b = open_session(other)->run(inputs)[0].to_floats();
  double sum = 0, energy = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    energy += std::pow(static_cast<double>(a[i]), 2);
  }
  return sum / energy;
}

Model one_conv(const std::string& attributes, const std::string& kernel = "3, 3") {
  return network("g (float[N, 6, 12, 12] x) => (float[N, 10, H, W] y) <float[10, 6, " + kernel +
                 "] w, float[10] b> { c = Conv<" + attributes + ">(x, w, b)  y = Relu(c) }");
}

std::shared_ptr<const Dataset> samples(const Model& model, std::int64_t count) {
  return random_dataset(random_inputs(model.graph.inputs, {.image_size = 12}), count, 3);
}

// Pitfalls F7 and F8: borders included, whatever the window is like.
TEST(Walk, FullRankIsTheSameLayerForEveryWindowAndWay) {
  for (const std::string window :
       {"pads = [1, 1, 1, 1]", "strides = [2, 1], pads = [1, 0, 0, 2], dilations = [2, 1]",
        "strides = [1, 3], pads = [2, 1, 1, 0]", "auto_pad = \"SAME_UPPER\", strides = [2, 2]",
        "auto_pad = \"SAME_LOWER\"", "auto_pad = \"VALID\", dilations = [1, 2]"}) {
    const Model model = one_conv(window);
    const auto data = samples(model, 64);
    for (const auto& [kind, ways] : {std::pair{"spatial", 2}, {"channel", 1}, {"point", 1}, {"tucker2", 1}})
      for (int way = 0; way < ways; ++way)
        for (const Dataset* given : {static_cast<const Dataset*>(nullptr), data.get()}) {
          const Model result = factorized(model, kind, static_cast<std::size_t>(way), 1000, given);
          EXPECT_EQ(result.graph.nodes.size(), kind == std::string("tucker2") ? 4U : 3U);
          EXPECT_LT(std::sqrt(error_of(model, result, inputs_of(model, 2))), 1e-5)
              << window << ", " << kind << " " << way << (given == nullptr ? "" : " with data");
        }
  }
}

TEST(Walk, FullRankIsTheSameForMatricesAndOtherKernels) {
  const std::vector<Model> models = {
      network("g (float[N, 12] x) => (float[N, 9] y) <float[9, 12] w, float[9] b> { y = Gemm<transB = 1>(x, w, b) }"),
      network("g (float[N, 12] x) => (float[N, 9] y) <float[12, 9] w> { y = Gemm(x, w) }"),
      network("g (float[N, 5, 12] x) => (float[N, 5, 9] y) <float[12, 9] w, float[9] b> { m = MatMul(x, w)  y = Add(m, "
              "b) }"),
      network("g (float[N, 5, 12] x) => (float[N, 5, 9] y) <float[12, 9] w> { y = MatMul(x, w) }"),
      one_conv("strides = [2, 2]", "1, 1"),
      network("g (float[N, 6, 20] x) => (float[N, 8, L] y) <float[8, 6, 5] w> { y = Conv<pads = [2, 1]>(x, w) }"),
      network("g (float[N, 2, 6, 6, 6] x) => (float[N, 8, D, H, W] y) <float[8, 2, 3, 3, 3] w> { y = Conv(x, w) }")};
  for (const Model& model : models) {
    const auto data = random_dataset(random_inputs(model.graph.inputs), 200, 5);
    for (const Dataset* given : {static_cast<const Dataset*>(nullptr), static_cast<const Dataset*>(data.get())})
      EXPECT_LT(std::sqrt(error_of(model, factorized(model, "auto", 0, 1000, given), inputs_of(model, 2))), 1e-5)
          << model_to_text(model).substr(0, 200);
  }
}

TEST(Walk, ADeepNetworkOfFullRankIsTheSame) {
  const Model model = network(R"(g (float[N, 3, 12, 12] x) => (float[N, 5] y)
    <float[8, 3, 3, 3] w0, float[8] b0, float[8, 8, 3, 3] w1, float[8] b1, float[8, 8, 3, 3] w2, float[8] b2, float[5, 8] w3, float[5] b3>
    { s = Conv<pads = [1, 1, 1, 1]>(x, w0, b0)  r = Relu(s)
      a = Conv<pads = [1, 1, 1, 1]>(r, w1, b1)  c = Relu(a)
      d = Conv<pads = [1, 1, 1, 1]>(c, w2, b2)  e = Add(d, r)  f = Relu(e)
      p = GlobalAveragePool(f)  q = Flatten(p)  y = Gemm<transB = 1>(q, w3, b3) })");
  const auto data = samples(model, 128);
  EXPECT_LT(std::sqrt(error_of(model, factorized(model, "spatial", 0, 1000, data.get()), inputs_of(model, 2))), 1e-5);
}

// Pitfall F4: with data the error falls at once, without training.
TEST(Walk, EachLayerMakesGoodWhatWentWrongBeforeIt) {
  const Model model = network(R"(g (float[N, 4, 12, 12] x) => (float[N, 8, 12, 12] y)
    <float[8, 4, 3, 3] w0, float[8] b0, float[8, 8, 3, 3] w1, float[8] b1, float[8, 8, 3, 3] w2, float[8] b2>
    { a = Conv<pads = [1, 1, 1, 1]>(x, w0, b0)  r = Relu(a)
      b = Conv<pads = [1, 1, 1, 1]>(r, w1, b1)  s = Relu(b)
      c = Conv<pads = [1, 1, 1, 1]>(s, w2, b2)  y = Relu(c) })");
  const auto data = samples(model, 128);
  const NamedTensors inputs = data->batch(std::vector<std::int64_t>{0, 1, 2, 3}).inputs;
  const double plain = error_of(model, factorized(model, "spatial", 0, 6, nullptr), inputs);
  const double fitted = error_of(model, factorized(model, "spatial", 0, 6, data.get()), inputs);
  EXPECT_LT(fitted, 0.2 * plain);
  // More passes with what the ReLU cuts off in view leave less error behind it.
  EXPECT_LT(error_of(model, factorized(model, "spatial", 0, 6, data.get(), true), inputs), fitted);
}

}  // namespace
}  // namespace pare::testing
