#include "budget/part_model.h"

#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

Model network() {
  Model model = model_from_text(
      "<ir_version: 8, opset_import: [\"\" : 17]> net (float[N,3,8,8] x) => (float[N,4,8,8] y) <float[8,3,1,1] a, "
      "float[8] d, float[8,8,1,1] b, float[8,1,3,3] e, float[4,8,1,1] c> {"
      "t = Conv(x, a, d)\n r = Relu(t)\n u = Conv(r, b)\n v = Conv <group = 8, pads = [1,1,1,1]> (u, e)\n w = "
      "Relu(v)\n z = Add(w, r)\n y = Conv(z, c)\n }");
  const std::map<std::string, Shape> weights = {
      {"a", {8, 3, 1, 1}}, {"d", {8}}, {"b", {8, 8, 1, 1}}, {"e", {8, 1, 3, 3}}, {"c", {4, 8, 1, 1}}};
  for (const auto& [name, shape] : weights) model.graph.initializers.set(name, Tensor::zeros(DType::kFloat32, shape));
  return model;
}

struct Case {
  Model model = network();
  ChannelFlow flow = trace_channels(model, probe_inputs(model));
  std::set<std::string> outputs_of(std::int64_t group) const {
    std::set<std::string> outputs;
    for (const std::int64_t node : nodes_of_group(model.graph, GraphIndex(model.graph), flow, group))
      outputs.insert(model.graph.nodes[static_cast<std::size_t>(node)].output(0));
    return outputs;
  }
};

TEST(PartModel, HoldsWhatMakesCarriesAndReadsTheGroup) {
  const Case c;
  // t, u and with them v, w, z are one group by the Add.
  ASSERT_EQ(c.flow.groups[0].producers.size(), 2U);
  EXPECT_EQ(c.outputs_of(0), (std::set<std::string>{"t", "r", "u", "v", "w", "z", "y"}));
}

TEST(PartModel, IsANetworkThatRunsAtEveryWidth) {
  const Case c;
  const std::set<std::string> outputs = {"u", "v", "w"};
  const auto part = extract_part(c.model, outputs, *c.flow.trace);
  ASSERT_TRUE(part);
  check_model(part->model);
  ASSERT_EQ(part->inputs.size(), 1U);
  EXPECT_EQ(part->inputs.begin()->second.shape(), (Shape{1, 8, 8, 8}));
  EXPECT_EQ(open_session(part->model)->run(part->inputs).at(0).shape(), (Shape{1, 8, 8, 8}));
  const RemovedClasses removed = {c.flow.groups[0].classes[1], c.flow.groups[0].classes[4]};
  const Model cut = remove_channels(c.model, c.flow, removed);
  const auto narrow = extract_part(cut, c.outputs_of(0), *c.flow.trace);
  ASSERT_TRUE(narrow);
  const auto session = open_session(narrow->model);
  EXPECT_EQ(session->run(narrow->inputs).at(0).shape(), (Shape{1, 4, 8, 8}));
}

TEST(PartModel, TellsStructuresApart) {
  const Case c;
  const auto structure = [&](const Model& model, const std::set<std::string>& outputs) {
    return extract_part(model, outputs, *c.flow.trace)->structure;
  };
  Model other = c.model;
  other.graph.initializers.set("b", Tensor::of<float>({8, 8, 1, 1}, std::vector<float>(64, 3.F)));
  other.graph.nodes[0].name = "another name";
  EXPECT_EQ(structure(c.model, {"t", "r", "u"}), structure(other, {"t", "r", "u"}));
  EXPECT_NE(structure(c.model, {"t", "r", "u"}), structure(c.model, {"t", "r"}));
  other.graph.nodes[2].set_attribute("strides", std::vector<std::int64_t>{2, 2});
  EXPECT_NE(structure(c.model, {"t", "r", "u"}), structure(other, {"t", "r", "u"}));
}

}  // namespace
}  // namespace pare::testing
