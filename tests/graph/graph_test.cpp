#include "pare/graph.h"

#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const char* const kCaptures = R"(
  <ir_version: 8, opset_import: ["" : 17]>
  agraph (float[N] x, bool cond) => (float[N] y) {
    a = Relu(x)
    b = Neg(x)
    y = If(cond) <
      then_branch = thenGraph () => (float[N] t) { t = Add(a, b) },
      else_branch = elseGraph () => (float[N] e) { c = Identity(a)  e = Mul(c, c) }
    >
  })";

std::vector<std::string> ops(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) names.push_back(node.op_type);
  return names;
}

const Graph& branch(const Graph& graph, std::size_t node, const char* name) {
  return *std::get<std::shared_ptr<const Graph>>(graph.nodes[node].find_attribute(name)->value);
}

TEST(GraphIndex, CountsReadsInSubgraphs) {
  const Model model = model_from_text(kCaptures);
  const GraphIndex index(model.graph);
  EXPECT_EQ(index.producer("a"), 0);
  EXPECT_EQ(index.producer("x"), -1);
  EXPECT_EQ(index.producer("nothing"), -1);
  ASSERT_EQ(index.uses("a").size(), 2U);  // once for each branch
  EXPECT_EQ(index.uses("a")[0].node, 2);
  EXPECT_EQ(index.uses("a")[0].input, -1);
  EXPECT_EQ(index.uses("cond")[0].input, 0);
  EXPECT_EQ(index.sole_consumer("b"), -1);  // a capture is nothing that a rewrite may take apart
  EXPECT_TRUE(index.is_output("y"));
  EXPECT_TRUE(index.uses("y").empty());
  EXPECT_TRUE(index.uses("c").empty());  // belongs to the branch
}

TEST(GraphIndex, NamesTheSoleConsumer) {
  const Model model = model_from_text(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[N] x) => (float[N] y, float[N] b) { a = Relu(x)  b = Neg(a)  c = Abs(b)  y = Add(c, c) })");
  const GraphIndex index(model.graph);
  EXPECT_EQ(index.sole_consumer("x"), 0);
  EXPECT_EQ(index.sole_consumer("a"), 1);
  EXPECT_EQ(index.sole_consumer("b"), -1);  // also a graph output
  EXPECT_EQ(index.sole_consumer("c"), -1);  // read twice
  EXPECT_EQ(index.sole_consumer("y"), -1);
}

TEST(GraphIndex, FindsConstantsOfEveryKind) {
  const Model model = model_from_text(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2] x) => (float[2] y) <float[2] w = {1, 2}> {
      i = Constant <value_int = 3> ()
      f = Constant <value_float = 0.5> ()
      is = Constant <value_ints = [1, 2]> ()
      fs = Constant <value_floats = [1.5, 2.5]> ()
      t = Constant <value = int64[1] {7}> ()
      s = Constant <value_string = "text"> ()
      y = Add(x, w)
    })");
  const GraphIndex index(model.graph);
  for (const char* name : {"w", "i", "f", "is", "fs", "t", "s", "x", "y", "", "nothing"})
    EXPECT_TRUE(index.constant(name).same_as(model.graph.constant(name))) << name;
  EXPECT_EQ(model.graph.constant("w").to_floats(), (std::vector<float>{1, 2}));
  EXPECT_EQ(model.graph.constant("i").to_int64s(), std::vector<std::int64_t>{3});
  EXPECT_EQ(model.graph.constant("i").shape(), Shape{});
  EXPECT_EQ(model.graph.constant("fs").to_floats(), (std::vector<float>{1.5F, 2.5F}));
  EXPECT_EQ(model.graph.constant("t").shape(), Shape{1});
  EXPECT_EQ(model.graph.constant("s").strings(), std::vector<std::string>{"text"});
  EXPECT_TRUE(model.graph.constant("x").empty());
}

TEST(NameGenerator, AvoidsNamesOfSubgraphsNodesAndWeights) {
  const Model model = model_from_text(kCaptures);
  NameGenerator names(model.graph);
  EXPECT_EQ(names.fresh("new"), "new");
  EXPECT_EQ(names.fresh("new"), "new_1");
  EXPECT_EQ(names.fresh("new"), "new_2");
  EXPECT_EQ(names.fresh("a"), "a_1");
  EXPECT_EQ(names.fresh("c"), "c_1");  // inside a branch
  EXPECT_EQ(names.fresh("cond"), "cond_1");
  EXPECT_NE(names.fresh(""), "");
}

TEST(SortTopologically, OrdersBySubgraphCapturesToo) {
  Model model = model_from_text(kCaptures);
  Graph& graph = model.graph;
  std::reverse(graph.nodes.begin(), graph.nodes.end());
  EXPECT_TRUE(sort_topologically(graph));
  EXPECT_THAT(ops(graph), ElementsAre("Neg", "Relu", "If"));
  EXPECT_FALSE(sort_topologically(graph));
}

TEST(SortTopologically, LeavesWhatIsInOrderAsItIs) {
  Model model = model_from_text(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[N] x) => (float[N] y) { b = Relu(x)  a = Neg(x)  d = Abs(a)  c = Exp(b)  y = Add(c, d) })");
  EXPECT_FALSE(sort_topologically(model.graph));
  EXPECT_THAT(ops(model.graph), ElementsAre("Relu", "Neg", "Abs", "Exp", "Add"));
}

TEST(SortTopologically, NamesTheNodesOfACycle) {
  Model model = model_from_text(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[N] x) => (float[N] y) { a = Add(x, x)  b = Relu(a)  y = Neg(b) })");
  model.graph.nodes[0].inputs[1] = "b";
  model.graph.nodes[0].name = "first";
  expect_error([&] { sort_topologically(model.graph); }, ErrorCode::kMalformedModel, {"cycle", "Add 'first'", "Relu"});
  EXPECT_EQ(model.graph.nodes.size(), 3U);
}

TEST(CapturedValues, AreWhatABranchReadsFromOutside) {
  const Model model = model_from_text(kCaptures);
  EXPECT_THAT(captured_values(branch(model.graph, 2, "then_branch")), ElementsAre("a", "b"));
  EXPECT_THAT(captured_values(branch(model.graph, 2, "else_branch")), ElementsAre("a"));
}

TEST(ReplaceUses, ReachesIntoSubgraphsAndSparesOtherCopies) {
  Model model = model_from_text(kCaptures);
  const Model before = model;
  replace_uses(model.graph, "a", "x");
  EXPECT_THAT(captured_values(branch(model.graph, 2, "then_branch")), ElementsAre("x", "b"));
  EXPECT_THAT(captured_values(branch(model.graph, 2, "else_branch")), ElementsAre("x"));
  EXPECT_THAT(captured_values(branch(before.graph, 2, "then_branch")), ElementsAre("a", "b"));
  EXPECT_EQ(model.graph.nodes[0].output(0), "a");  // who makes it stays
}

TEST(ReplaceUses, StopsWhereAnInnerValueHasTheSameName) {
  Model model = model_from_text(kCaptures);
  auto inner = std::make_shared<Graph>(branch(model.graph, 2, "else_branch"));
  inner->nodes[0].inputs[0] = "b";
  inner->nodes[0].outputs[0] = "a";
  inner->nodes[1].inputs = {"a", "a"};
  model.graph.nodes[2].set_attribute("else_branch", std::shared_ptr<const Graph>(inner));
  replace_uses(model.graph, "a", "x");
  EXPECT_THAT(branch(model.graph, 2, "else_branch").nodes[1].inputs, ElementsAre("a", "a"));
}

TEST(ReplaceUses, LeavesGraphOutputsAlone) {
  Model model = model_from_text(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[N] x) => (float[N] a, float[N] y) { a = Relu(x)  y = Neg(a) })");
  replace_uses(model.graph, "a", "x");
  EXPECT_EQ(model.graph.outputs[0].name, "a");
  EXPECT_EQ(model.graph.nodes[1].input(0), "x");
}

TEST(Node, GivesAttributesOrFallbacks) {
  Node node;
  node.name = "n";
  node.op_type = "Conv";
  node.set_attribute("group", std::int64_t{4});
  node.set_attribute("auto_pad", std::string("VALID"));
  node.set_attribute("pads", std::vector<std::int64_t>{1, 2});
  node.set_attribute("alpha", 0.5F);
  EXPECT_EQ(node.int_or("group", 1), 4);
  EXPECT_EQ(node.int_or("nothing", 7), 7);
  EXPECT_EQ(node.string_or("auto_pad", "NOTSET"), "VALID");
  EXPECT_THAT(node.ints_or("pads", {}), ElementsAre(1, 2));
  EXPECT_EQ(node.float_or("alpha", 1), 0.5F);
  expect_error([&] { static_cast<void>(node.int_or("pads", 0)); }, ErrorCode::kMalformedModel,
               {"Conv 'n'", "'pads'", "an integer"});
  node.set_attribute("group", std::int64_t{8});
  EXPECT_EQ(node.attributes.size(), 4U);
  node.remove_attribute("group");
  EXPECT_EQ(node.find_attribute("group"), nullptr);
  EXPECT_FALSE(node.has_subgraph());
  EXPECT_EQ(node.input(3), "");
  EXPECT_EQ(node.output(0), "");
}

TEST(NodeLabel, NamesTheNodeOrItsPlace) {
  Node node;
  node.op_type = "Conv";
  node.outputs = {"y"};
  EXPECT_EQ(node_label(node), "Conv (output 'y')");
  EXPECT_EQ(node_label(node, 3), "Conv #3 (output 'y')");
  node.name = "head";
  EXPECT_EQ(node_label(node, 3), "Conv 'head'");
  node.domain = "com.microsoft";
  EXPECT_EQ(node_label(node), "com.microsoft.Conv 'head'");
}

TEST(Initializers, KeepOrderReplaceAndRemove) {
  Initializers weights;
  for (const char* name : {"a", "b", "c"}) weights.set(name, Tensor::scalar(1.0F), name);
  weights.set("b", Tensor::scalar(2.0F));
  std::vector<std::string> names;
  for (const auto& entry : weights) names.push_back(entry.name + ":" + entry.doc);
  EXPECT_THAT(names, ElementsAre("a:a", "b:b", "c:c"));
  EXPECT_EQ(weights.find("b")->to_floats()[0], 2);
  weights.remove("a");
  weights.remove("nothing");
  EXPECT_EQ(weights.size(), 2U);
  EXPECT_FALSE(weights.contains("a"));
  EXPECT_EQ(weights.find("c")->to_floats()[0], 1);
  EXPECT_EQ(weights.keep_if([](const std::string& name) { return name == "c"; }), 1);
  EXPECT_TRUE(weights.contains("c"));
  EXPECT_FALSE(weights.contains("b"));
}

TEST(Model, SetsOpsetAndMetadataInPlace) {
  Model model;
  EXPECT_EQ(model.opset(), 0);
  model.opset_imports.push_back({"com.microsoft", 1});
  model.set_opset(13);
  model.set_opset(17);
  EXPECT_EQ(model.opset(), 17);
  EXPECT_EQ(model.opset_imports.size(), 2U);
  model.set_metadata("k", "1");
  model.set_metadata("k", "2");
  ASSERT_NE(model.find_metadata("k"), nullptr);
  EXPECT_EQ(*model.find_metadata("k"), "2");
  EXPECT_EQ(model.metadata.size(), 1U);
  EXPECT_EQ(model.find_metadata("other"), nullptr);
}

}  // namespace
}  // namespace pare::testing
