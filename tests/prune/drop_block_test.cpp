#include "prune/drop_block.h"

#include <cmath>

#include "pare/inspect.h"
#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

Model network(const std::string& body, const std::string& outputs = "float[N,4,8,8] y") {
  Model model = model_from_text("<ir_version: 8, opset_import: [\"\" : 17]> net (float[N,4,8,8] x) => (" + outputs +
                                ") <float[4,4,1,1] a, float[4,4,1,1] b, float[4,4,1,1] c, float low = {0.0}, float "
                                "high = {6.0}> { " +
                                body + " }");
  for (const char* name : {"a", "b", "c"}) {
    std::vector<float> values;
    for (int i = 0; i < 16; ++i) values.push_back(std::sin(static_cast<float>(i + name[0])));
    model.graph.initializers.set(name, Tensor::of<float>({4, 4, 1, 1}, values));
  }
  return model;
}

ChannelFlow traced(const Model& model) {
  ChannelFlow flow;
  flow.trace = std::make_shared<Trace>(trace_model(model, probe_inputs(model)));
  return flow;
}
std::vector<DropCandidate> candidates(const Model& model) { return find_drop_candidates(model, traced(model)); }

std::vector<std::string> nodes_of(const Model& model) {
  std::vector<std::string> result;
  for (const Node& node : model.graph.nodes) {
    std::string text = node.output(0) + " = " + node.op_type;
    for (const std::string& input : node.inputs) text += " " + input;
    result.push_back(text);
  }
  return result;
}

/// The same network with each body multiplied by zero before the Add.
Model silenced(Model model, const std::vector<DropCandidate>& drops) {
  NameGenerator names(model.graph);
  const std::string zero = names.fresh("zero");
  model.graph.initializers.set(zero, Tensor::scalar<float>(0));
  for (const DropCandidate& drop : drops) {
    Node& add = model.graph.nodes[static_cast<std::size_t>(drop.add)];
    std::string& end = add.inputs[add.inputs[0] == drop.shortcut ? 1 : 0];
    Node mul;
    mul.op_type = "Mul";
    mul.inputs = {end, zero};
    mul.outputs = {names.fresh("silenced")};
    end = mul.outputs[0];
    model.graph.nodes.push_back(mul);
  }
  sort_topologically(model.graph);
  return model;
}

void expect_equals_silenced(const Model& model, const std::vector<DropCandidate>& drops) {
  const Model dropped = drop_blocks(model, drops);
  check_model(dropped);
  const NamedTensors inputs = probe_inputs(model);
  const auto expected = open_session(silenced(model, drops))->run(inputs);
  const auto got = open_session(dropped)->run(inputs);
  ASSERT_EQ(expected.size(), got.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_THAT(got[i], AllClose(expected[i], {.atol = 1e-4, .rtol = 1e-4}));
}

using Nodes = std::vector<std::string>;
const char* const kBlock = "[one] r = Relu(x)\n t = Conv(r, a)\n u = Relu(t)\n v = Conv(u, b)\n s = Add(v, r)\n ";

TEST(DropBlock, TakesBodyAddAndTheSecondRelu) {
  const Model model = network(std::string(kBlock) + "o = Relu(s)\n y = Conv(o, c)");
  const std::vector<DropCandidate> found = candidates(model);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].shortcut, "r");
  EXPECT_EQ(found[0].add, 4);
  EXPECT_EQ(found[0].body, (std::vector<std::int64_t>{1, 2, 3}));
  const Model dropped = drop_blocks(model, found);
  EXPECT_EQ(nodes_of(dropped), (Nodes{"r = Relu x", "y = Conv r c"}));
  EXPECT_FALSE(dropped.graph.initializers.contains("a"));
  EXPECT_TRUE(dropped.graph.initializers.contains("c"));
  expect_equals_silenced(model, found);
}

TEST(DropBlock, KeepsAnActivationThatStillActs) {
  const Model model = network("t = Conv(x, a)\n s = Sum(x, t)\n o = Relu(s)\n y = Conv(o, c)");
  EXPECT_EQ(nodes_of(drop_blocks(model, candidates(model))), (Nodes{"o = Relu x", "y = Conv o c"}));
  const Model clipped =
      network("r = Clip(x, low, high)\n t = Conv(r, a)\n s = Add(r, t)\n o = Clip(s, low, high)\n y = Conv(o, c)");
  EXPECT_EQ(nodes_of(drop_blocks(clipped, candidates(clipped))), (Nodes{"r = Clip x low high", "y = Conv r c"}));
  const Model other_limits =
      network("r = Clip(x, low, high)\n t = Conv(r, a)\n s = Add(r, t)\n o = Clip(s, low)\n y = Conv(o, c)");
  EXPECT_EQ(nodes_of(drop_blocks(other_limits, candidates(other_limits))),
            (Nodes{"r = Clip x low high", "o = Clip r low", "y = Conv o c"}));
  const Model relu_behind_clip =
      network("r = Clip(x, low, high)\n t = Conv(r, a)\n s = Add(r, t)\n o = Relu(s)\n y = Conv(o, c)");
  EXPECT_EQ(nodes_of(drop_blocks(relu_behind_clip, candidates(relu_behind_clip))),
            (Nodes{"r = Clip x low high", "y = Conv r c"}));
}

TEST(DropBlock, TakesChainsOfBlocks) {
  const Model model = network(std::string(kBlock) +
                              "o = Relu(s)\n w = Conv(o, a)\n z = Add(w, o)\n p = Relu(z)\n y = "
                              "Conv(p, c)");
  const std::vector<DropCandidate> found = candidates(model);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(nodes_of(drop_blocks(model, found)), (Nodes{"r = Relu x", "y = Conv r c"}));
  EXPECT_EQ(nodes_of(drop_blocks(model, {found[1]})).size(), 7U);
  EXPECT_TRUE(drop_blocks(model, {found[1]}).graph.initializers.contains("a"));
  for (const auto& drops : {found, {found[0]}, {found[1]}}) expect_equals_silenced(model, drops);
}

TEST(DropBlock, KeepsTheNamesOfOutputs) {
  const Model model = network(std::string(kBlock) + "y = Relu(s)");
  EXPECT_EQ(nodes_of(drop_blocks(model, candidates(model))), (Nodes{"y = Relu x"}));
  expect_equals_silenced(model, candidates(model));
  const Model from_input = network("t = Conv(x, a)\n y = Add(x, t)");
  EXPECT_EQ(nodes_of(drop_blocks(from_input, candidates(from_input))), (Nodes{"y = Identity x"}));
  const Model both = network("r = Relu(x)\n t = Conv(r, a)\n y = Add(r, t)", "float[N,4,8,8] y, float[N,4,8,8] r");
  EXPECT_EQ(nodes_of(drop_blocks(both, candidates(both))), (Nodes{"r = Relu x", "y = Identity r"}));
  expect_equals_silenced(both, candidates(both));
  const Model sum_is_output =
      network(std::string(kBlock) + "o = Relu(s)\n y = Conv(o, c)", "float[N,4,8,8] y, float[N,4,8,8] s");
  EXPECT_EQ(nodes_of(drop_blocks(sum_is_output, candidates(sum_is_output))),
            (Nodes{"s = Relu x", "o = Relu s", "y = Conv o c"}));
  expect_equals_silenced(sum_is_output, candidates(sum_is_output));
}

TEST(DropBlock, TakesTheInnermostOfNestedBlocks) {
  const Model model = network("t = Conv(x, a)\n u = Conv(t, b)\n v = Add(t, u)\n w = Conv(v, c)\n y = Add(w, x)");
  const std::vector<DropCandidate> found = candidates(model);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].shortcut, "t");
}

TEST(DropBlock, DeclinesWhatIsNoBlock) {
  // Two ways from the input that do not meet in one of the operands.
  EXPECT_TRUE(candidates(network("t = Conv(x, a)\n u = Conv(x, b)\n y = Add(t, u)")).empty());
  // No layer in the body.
  EXPECT_TRUE(candidates(network("t = Relu(x)\n y = Add(x, t)")).empty());
  // Somebody else reads from the body; an output is in it.
  EXPECT_TRUE(candidates(network("t = Conv(x, a)\n u = Relu(t)\n s = Add(x, u)\n y = Mul(s, t)")).empty());
  EXPECT_TRUE(candidates(network("t = Conv(x, a)\n y = Add(x, t)", "float[N,4,8,8] y, float[N,4,8,8] t")).empty());
  // Shapes differ.
  EXPECT_TRUE(candidates(network("t = Conv(x, a)\n u = GlobalAveragePool(t)\n y = Add(x, u)")).empty());
  EXPECT_TRUE(candidates(network("y = Add(x, x)")).empty());
}

TEST(DropBlock, NamesTheGroupsThatVanish) {
  const Model model = network(std::string(kBlock) + "o = Relu(s)\n y = Conv(o, c)");
  ChannelFlow flow = traced(model);
  flow.layers.resize(3);
  flow.layers[0].node = 1, flow.layers[1].node = 3, flow.layers[2].node = 6;
  flow.groups.resize(2);
  flow.groups[0].producers = {0}, flow.groups[0].consumers = {1};
  flow.groups[1].producers = {1}, flow.groups[1].consumers = {0, 2};
  EXPECT_EQ(find_drop_candidates(model, flow).at(0).groups, (std::vector<std::int64_t>{0}));
}

TEST(DropBlock, LeavesTheModelAloneAndRefusesForeignCandidates) {
  const Model model = network(std::string(kBlock) + "o = Relu(s)\n y = Conv(o, c)");
  EXPECT_EQ(serialize_model(drop_blocks(model, {})), serialize_model(model));
  expect_error([&] { (void)drop_blocks(model, {{.add = 1}}); }, ErrorCode::kInvalidArgument, {"another model"});
}

TEST(DropBlock, FindsTheBlocksOfRealNetworks) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  // 27 blocks, two of them change the shape.
  const Model resnet = load_model(shared / "models/cifar10_resnet56.onnx");
  const std::vector<DropCandidate> blocks = candidates(resnet);
  EXPECT_EQ(blocks.size(), 25U);
  expect_equals_silenced(resnet, blocks);
  expect_equals_silenced(resnet, {blocks[3], blocks[4], blocks[20]});
  EXPECT_EQ(inspect_model(drop_blocks(resnet, {blocks[0]})).total_macs,
            inspect_model(resnet).total_macs - 2 * 16 * 16 * 9 * 32 * 32);
  const Model mobilenet = load_model(shared / "models/cifar10_mobilenet_v2.onnx");
  EXPECT_EQ(candidates(mobilenet).size(), 7U);
  expect_equals_silenced(mobilenet, candidates(mobilenet));
}

}  // namespace
}  // namespace pare::testing
