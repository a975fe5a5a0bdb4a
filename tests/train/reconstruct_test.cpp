// A changed block is brought back towards the dense one's output; nothing gets worse, zeros stay, what cannot be helped
// is left alone and said.
#include "pare/step.h"
#include "train/block_walk.h"
#include "train/blocks.h"
#include "train/small_data.h"
#include "train/steps.h"

namespace pare::testing {
namespace {

using ::testing::HasSubstr;
using Words = std::map<std::string, std::string>;

constexpr std::string_view kHead = R"(p = GlobalAveragePool(f)  q = Flatten(p)  y = Gemm<transB = 1>(q, w3, b3) })";

/// A stem, a residual block of `inner` channels, a head. Smaller ones take the first channels of larger ones.
Model residual(std::int64_t inner, const std::string& batch = "N") {
  Model model = model_from_text(fmt::format(
      R"(<ir_version: 8, opset_import: ["" : 17]>
g (float[{}, 3, 8, 8] x) => (float[{}, 5] y) {{
  s = Conv<pads = [1, 1, 1, 1]>(x, w0, b0)  r = Relu(s)
  a = Conv<pads = [1, 1, 1, 1]>(r, w1, b1)  c = Relu(a)
  d = Conv<pads = [1, 1, 1, 1]>(c, w2, b2)  e = Add(d, r)  f = Relu(e)
  {})",
      batch, batch, kHead));
  const auto weight = [&](const std::string& name, Shape whole, Shape kept) {
    std::vector<float> all(static_cast<std::size_t>(element_count(whole)));
    Rng rng(std::hash<std::string>{}(name));
    const double scale = whole.size() < 2 ? 0.1 : std::sqrt(2.0 * static_cast<double>(whole[0]) / element_count(whole));
    for (float& value : all) value = static_cast<float>(scale * rng.normal());
    std::vector<float> part;
    const std::int64_t rest = whole.size() < 2 ? 1 : element_count(whole) / whole[0] / whole[1];
    const std::int64_t columns = whole.size() < 2 ? 1 : whole[1], kept_columns = whole.size() < 2 ? 1 : kept[1];
    for (std::int64_t o = 0; o < kept[0]; ++o)
      for (std::int64_t i = 0; i < kept_columns; ++i)
        for (std::int64_t k = 0; k < rest; ++k)
          part.push_back(all[static_cast<std::size_t>((o * columns + i) * rest + k)]);
    model.graph.initializers.set(name, Tensor::of<float>(kept, part));
  };
  weight("w0", {8, 3, 3, 3}, {8, 3, 3, 3});
  weight("b0", {8}, {8});
  weight("w1", {12, 8, 3, 3}, {inner, 8, 3, 3});
  weight("b1", {12}, {inner});
  weight("w2", {8, 12, 3, 3}, {8, inner, 3, 3});
  weight("b2", {8}, {8});
  weight("w3", {5, 8}, {5, 8});
  weight("b3", {5}, {5});
  return model;
}

std::shared_ptr<const Dataset> images(std::int64_t count) {
  return std::make_shared<SmallDataset>(Shape{3, 8, 8}, normal_values(count * 3 * 64, 4));
}

CheckedResult rebuilt(const Model& model, const Model& dense, Words words = {},
                      std::shared_ptr<const Dataset> data = images(128)) {
  const StepInfo step = reconstruct();
  Context context;
  context.data = std::move(data);
  context.teacher = std::make_shared<const Model>(dense);
  return run_step(step, model, StepOptions(step.options, words), context);
}

bool same_weights(const Model& a, const Model& b) {
  return std::all_of(a.graph.initializers.begin(), a.graph.initializers.end(), [&](const Initializers::Entry& entry) {
    return entry.tensor.same_as(*b.graph.initializers.find(entry.name));
  });
}

std::string reasons(const std::vector<NodeReason>& list) {
  std::string text;
  for (const NodeReason& one : list) text += one.node + ": " + one.reason + "\n";
  return text;
}

std::vector<std::string> ends_of(const Model& dense, const Model& changed) {
  const NamedTensors inputs = random_inputs(changed.graph.inputs, {.batch = 1, .image_size = 8});
  std::vector<std::string> names;
  for (const BlockEnd& end : find_block_ends(dense, trace_model(dense, inputs), changed, trace_model(changed, inputs)))
    names.push_back(end.value + "=" + end.dense);
  return names;
}

TEST(Reconstruct, ABlockEndsWhereBothNetworksPassThroughOneValueBehindItsActivation) {
  EXPECT_THAT(ends_of(residual(12), residual(6)), ::testing::ElementsAre("r=r", "f=f", "y=y"));
}

/// A chain of `layers` convolutions; a smaller one has the first channels of each layer of a larger one.
Model chain(std::int64_t width, int layers = 3) {
  std::string text = R"(<ir_version: 8, opset_import: ["" : 17]> g (float[N, 3, 8, 8] x) => (float[N, 5] y) {)";
  for (int i = 0; i < layers; ++i)
    text += fmt::format("c{0} = Conv<pads = [1, 1, 1, 1]>({1}, w{0})  r{0} = Relu(c{0})  ", i,
                        i == 0 ? "x" : fmt::format("r{}", i - 1));
  Model model = model_from_text(
      text + fmt::format("p = GlobalAveragePool(r{})  q = Flatten(p)  y = Gemm<transB = 1>(q, v) }}", layers - 1));
  constexpr std::int64_t kWhole = 12;
  const auto set = [&](const std::string& name, std::int64_t rows, std::int64_t columns, std::int64_t whole_columns,
                       std::int64_t places, double scale, std::uint64_t seed) {
    const std::vector<float> all = normal_values(kWhole * whole_columns * places, seed, scale);
    std::vector<float> part;
    for (std::int64_t o = 0; o < rows; ++o)
      for (std::int64_t i = 0; i < columns * places; ++i)
        part.push_back(all[static_cast<std::size_t>(o * whole_columns * places + i)]);
    Shape shape = places == 1 ? Shape{rows, columns} : Shape{rows, columns, 3, 3};
    model.graph.initializers.set(name, Tensor::of<float>(std::move(shape), part));
  };
  set("w0", width, 3, 3, 9, 0.3, 1);
  for (int i = 1; i < layers; ++i)
    set(fmt::format("w{}", i), width, width, kWhole, 9, 0.15, static_cast<std::uint64_t>(i) + 1);
  set("v", 5, width, kWhole, 1, 0.3, 9);
  return model;
}

TEST(Reconstruct, AChainOfPrunedLayersIsFittedToTheChannelsThatItKept) {
  EXPECT_THAT(ends_of(chain(12), chain(11)), ::testing::ElementsAre("r0=r0", "r1=r1", "r2=r2", "y=y"));
  EXPECT_THAT(ends_of(chain(12, 2), chain(11, 2)), ::testing::ElementsAre("y=y"));
  const CheckedResult result = rebuilt(chain(11), chain(12));
  EXPECT_GE(result.result.changes, 2) << reasons(result.result.skipped);
  EXPECT_LT(result.result.figures.at("output_error_after"), 0.5 * result.result.figures.at("output_error_before"));
}

TEST(Reconstruct, WhatFollowsADroppedBlockTellsWhatItsInputStandsFor) {
  Model dropped = residual(12);
  for (Node& node : dropped.graph.nodes)
    for (std::string& input : node.inputs)
      if (input == "f") input = "r";
  std::erase_if(dropped.graph.nodes, [](const Node& node) {
    return node.output(0) == "a" || node.output(0) == "c" || node.output(0) == "d" || node.output(0) == "e" ||
           node.output(0) == "f";
  });
  EXPECT_THAT(ends_of(residual(12), dropped), ::testing::ElementsAre("r=f", "y=y"));
}

TEST(Reconstruct, OneConcatOverTheWholeNetworkDoesNotMakeItOneBlock) {
  const auto network = [](const char* text) {
    Model model = model_from_text(text);
    for (const char* name : {"w0", "w1"}) {
      const std::vector<float> values = normal_values(4 * 4, 3);
      model.graph.initializers.set(name, Tensor::of<float>({4, 4, 1, 1}, values));
    }
    model.graph.initializers.set("w2", Tensor::of<float>({2, 8, 1, 1}, normal_values(16, 5)));
    return model;
  };
  const Model model = network(R"(<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 4, 8, 8] x) => (float[N, 2, 8, 8] y) {
  a = Conv(x, w0)  b = Relu(a)  c = Conv(b, w1)  d = Relu(c)  e = Concat<axis = 1>(d, b)  y = Conv(e, w2) })");
  EXPECT_THAT(ends_of(model, model), ::testing::ElementsAre("b=b", "d=d", "y=y"));
}

TEST(Reconstruct, BranchesThatAConcatJoinsAreOneBlock) {
  Model model = model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 4, 8, 8] x) => (float[N, 2, 8, 8] y) {
  s = Conv(x, w0)  a = Conv(s, w0)  b = Conv(s, w0)  c = Relu(b)  e = Concat<axis = 1>(a, c)  y = Conv(e, w2) })");
  model.graph.initializers.set("w0", Tensor::of<float>({4, 4, 1, 1}, normal_values(16, 3)));
  model.graph.initializers.set("w2", Tensor::of<float>({2, 8, 1, 1}, normal_values(16, 5)));
  EXPECT_THAT(ends_of(model, model), ::testing::ElementsAre("s=s", "e=e", "y=y"));
}

TEST(Reconstruct, BringsANarrowerBlockNearerToTheDenseOne) {
  const Model dense = residual(12), narrow = residual(6);
  const CheckedResult result = rebuilt(narrow, dense, {{"steps", "60"}});
  EXPECT_THAT(reasons(result.result.done), HasSubstr("Relu"));
  EXPECT_LT(result.result.figures.at("output_error_after"), 0.7 * result.result.figures.at("output_error_before"));
  EXPECT_FALSE(same_weights(result.result.model, narrow));
  // In front of the change nothing is to be done.
  EXPECT_TRUE(result.result.model.graph.initializers.find("w0")->same_as(*narrow.graph.initializers.find("w0")));
}

TEST(Reconstruct, LeavesANetworkAloneThatGivesWhatTheDenseOneGives) {
  const Model dense = residual(12);
  const CheckedResult result = rebuilt(dense, dense);
  EXPECT_EQ(result.result.changes, 0);
  EXPECT_TRUE(same_weights(result.result.model, dense));
}

TEST(Reconstruct, WeightsThatAreZeroStayZero) {
  const Model dense = residual(12);
  Model sparse = dense;
  std::vector<float> values = dense.graph.initializers.find("w1")->to_floats();
  for (std::size_t i = 0; i < values.size(); i += 2) values[i] = 0;
  sparse.graph.initializers.set("w1", Tensor::of<float>({12, 8, 3, 3}, values));
  const CheckedResult result = rebuilt(sparse, dense, {{"steps", "40"}});
  ASSERT_GT(result.result.changes, 0);
  const std::vector<float> after = result.result.model.graph.initializers.find("w1")->to_floats();
  bool moved = false;
  for (std::size_t i = 0; i < after.size(); ++i) {
    if (i % 2 == 0) {
      EXPECT_EQ(after[i], 0) << i;
    }
    moved = moved || after[i] != values[i];
  }
  EXPECT_TRUE(moved);
}

TEST(Reconstruct, AFitThatDoesNotHelpUnseenImagesIsNotKept) {
  const Model dense = residual(12), narrow = residual(6);
  const CheckedResult result = rebuilt(narrow, dense, {{"lr", "30"}, {"steps", "10"}});
  EXPECT_EQ(result.result.changes, 0);
  EXPECT_TRUE(same_weights(result.result.model, narrow));
  EXPECT_THAT(reasons(result.result.skipped), HasSubstr("no better on images that no step saw"));
}

TEST(Reconstruct, AWeightThatOtherBlocksReadStays) {
  Model dense = residual(12), narrow = residual(6);
  for (Model* model : {&dense, &narrow})
    for (Node& node : model->graph.nodes)
      if (node.output(0) == "d") node.inputs[2] = "b0";
  const CheckedResult result = rebuilt(narrow, dense, {{"steps", "60"}});
  ASSERT_GT(result.result.changes, 0);
  EXPECT_TRUE(result.result.model.graph.initializers.find("b0")->same_as(*narrow.graph.initializers.find("b0")));
}

TEST(Reconstruct, ABlockThatCannotBeTrainedThroughIsSkippedAndTheNextOneFitted) {
  Model dense = residual(12), narrow = residual(6);
  for (Model* model : {&dense, &narrow})
    for (Node& node : model->graph.nodes)
      if (node.output(0) == "c")
        node = model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]>
g (float[N] a) => (float[N] c) { c = Hardmax<axis = 1>(a) })")
                   .graph.nodes[0];
  const CheckedResult result = rebuilt(narrow, dense, {{"steps", "40"}});
  EXPECT_THAT(reasons(result.result.skipped), HasSubstr("no gradient is known"));
  EXPECT_THAT(reasons(result.result.done), HasSubstr("Gemm"));
}

TEST(Reconstruct, TakesNetworksOfAFixedBatch) {
  const CheckedResult result = rebuilt(residual(6, "4"), residual(12, "4"), {{"steps", "20"}}, images(64));
  EXPECT_LT(result.result.figures.at("output_error_after"), 0.9 * result.result.figures.at("output_error_before"));
}

TEST(Reconstruct, SameSeedSameResult) {
  const Model dense = residual(12), narrow = residual(6);
  const Words words = {{"steps", "20"}};
  EXPECT_TRUE(same_weights(rebuilt(narrow, dense, words).result.model, rebuilt(narrow, dense, words).result.model));
}

TEST(Reconstruct, SaysWhatIsMissing) {
  const StepInfo step = reconstruct();
  Context context;
  const Model model = residual(6);
  EXPECT_THAT([&] { (void)run_step(step, model, StepOptions(step.options, {}), context); },
              ::testing::ThrowsMessage<Error>(HasSubstr("--teacher DENSE.onnx")));
  context.teacher = std::make_shared<const Model>(model);
  EXPECT_THAT([&] { (void)run_step(step, model, StepOptions(step.options, {}), context); },
              ::testing::ThrowsMessage<Error>(HasSubstr("--data")));
}

}  // namespace
}  // namespace pare::testing
