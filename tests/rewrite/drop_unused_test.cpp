#include "rewrite/rewriting.h"

namespace pare::testing {
namespace {

TEST(DropUnused, DropsChainsWeightsAndSecondOutputs) {
  const StepResult result = apply(drop_unused(), graph_from_text(R"(g (float[1, 1, 4, 4] x) => (float[1, 1, 2, 2] y)
    <float w = {1}, float v = {2}>
    { a = Add(x, w) b = Relu(a) y, i = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(x) })"));
  EXPECT_EQ(nodes_text(result.model), "MaxPool(x) -> y");
  EXPECT_EQ(result.model.graph.initializers.size(), 0U);
  EXPECT_EQ(result.changes, 5);
  expect_idempotent(drop_unused(), result);
}

TEST(DropUnused, KeepsWhatSubgraphsReadAndInputsNobodyReads) {
  const StepResult result =
      apply(drop_unused(), graph_from_text(R"(g (float[2] x, float[2] unread, bool c) => (float[2] y)
    <float[2] k = {1, 2}>
    { t = Add(x, k)
      y = If(c) <then_branch = p () => (float[2] p1) { p1 = Neg(t) }, else_branch = q () => (float[2] q1) { q1 = Exp(k) }> })"));
  EXPECT_EQ(result.changes, 0);
  EXPECT_EQ(result.model.graph.inputs.size(), 3U);
}

TEST(DropUnused, DropsStaleDeclaredTypes) {
  Model model = graph_from_text("g (float[N, 3] x) => (float[N, 3] y) { t = Relu(x) y = Neg(t) }");
  const auto declare = [&](const std::string& name, DType dtype, std::int64_t last) {
    ValueInfo info;
    info.name = name;
    info.dtype = dtype;
    info.shape = {Dim{.value = {}, .symbol = "N", .denotation = {}},
                  Dim{.value = last, .symbol = {}, .denotation = {}}};
    model.graph.value_info.push_back(info);
  };
  declare("gone", DType::kFloat32, 3);
  declare("t", DType::kFloat32, 5);
  Context context;
  const StepResult result = drop_unused().run(model, StepOptions({}, {}), context);
  EXPECT_EQ(result.changes, 2);
  EXPECT_TRUE(result.model.graph.value_info.empty());
  model.graph.value_info.clear();
  declare("t", DType::kFloat32, 3);
  EXPECT_EQ(drop_unused().run(model, StepOptions({}, {}), context).changes, 0);
}

TEST(DropUnused, NoLongerListsWeightsAsInputs) {
  const Model model = model_from_text(R"(<ir_version: 3, opset_import: ["" : 13]>
    g (float[2] x, float[2] w) => (float[2] y) <float[2] w = {1, 2}> { y = Add(x, w) })");
  ASSERT_EQ(model.weights_as_inputs.size(), 1U);
  const StepResult result = apply(drop_unused(), model);
  EXPECT_EQ(result.changes, 1);
  EXPECT_TRUE(result.model.weights_as_inputs.empty());
  EXPECT_GE(result.model.ir_version, 4);
}

TEST(DropUnused, DeclinesToJudgeOtherDomains) {
  Model model = graph_from_text("g (float[2] x) => (float[2] y) { t = Log(x) y = Relu(x) }");
  model.graph.nodes[0].domain = "com.example";
  Context context;
  const StepResult result = drop_unused().run(model, StepOptions({}, {}), context);
  EXPECT_EQ(result.changes, 0);
  ASSERT_EQ(result.skipped.size(), 1U);
  EXPECT_THAT(result.skipped[0].reason, ::testing::HasSubstr("domain 'com.example'"));
}

}  // namespace
}  // namespace pare::testing
