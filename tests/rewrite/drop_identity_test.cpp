#include "rewrite/rewriting.h"

namespace pare::testing {
namespace {

void expect_dropped(const std::string& graph, const std::string& nodes, int opset = 17) {
  const StepResult result = apply(drop_identity(), graph_from_text(graph, opset));
  EXPECT_EQ(nodes_text(result.model), nodes);
  EXPECT_GT(result.changes, 0);
  expect_idempotent(drop_identity(), result);
}

TEST(DropIdentity, DropsWhatHandsItsInputOn) {
  expect_dropped("g (float[N, 2] x) => (float[N, 2] y) { t = Identity(x) u = Dropout(t) y = Relu(u) }", "Relu(x) -> y");
}

TEST(DropIdentity, DropsEveryKindOfNoOp) {
  const std::vector<std::pair<std::string, std::string>> kinds = {
      {"int64[8] p = {0, 0, 0, 0, 0, 0, 0, 0}", "Pad(t, p)"},
      {"int64[1] a = {0}, int64[1] e = {9223372036854775807}, int64[1] x2 = {1}", "Slice(t, a, e, x2)"},
      {"int64[1] a = {0}, int64[1] e = {3}, int64[1] x2 = {-1}", "Slice(t, a, e, x2)"},
      {"float z = {0}", "Cast<to = 1>(t)"},
      {"int64[4] p = {0, 0, -1, 3}", "Reshape(t, p)"},
      {"int64[4] p = {-1, 2, 3, 3}", "Reshape(t, p)"},
      {"int64[4] p = {1, 2, 1, 3}", "Expand(t, p)"},
      {"float z = {0}", "Transpose<perm = [0, 1, 2, 3]>(t)"},
      {"float z = {0}", "Concat<axis = 1>(t)"},
      {"float z = {0}", "Sum(t)"},
      {"float z = {0}", "Max(t)"},
      {"float z = {0}", "Min(t)"},
      {"float[4] p = {1, 1, 1, 1}", "Resize(t, , p)"},
      {"float z = {0}", "Clip(t)"},
      {"float z = {0}", "Add(t, z)"},
      {"float[2, 1, 1] z = {0, 0}", "Add(z, t)"},
      {"float z = {0}", "Sub(t, z)"},
      {"float[1, 1, 1, 1] z = {1}", "Mul(t, z)"},
      {"float z = {1}", "Div(t, z)"},
  };
  for (const auto& [constants, node] : kinds) {
    SCOPED_TRACE(node);
    expect_dropped("g (float[N, 2, 3, 3] x) => (float[N, 2, 3, 3] y) <" + constants + "> { t = Relu(x) u = " + node +
                       " y = Sigmoid(u) }",
                   "Relu(x) -> t; Sigmoid(t) -> y");
  }
}

TEST(DropIdentity, DropsFlattenOfWhatIsFlat) {
  expect_dropped("g (float[N, 4] x) => (float[N, 4] y) { t = Flatten(x) y = Relu(t) }", "Relu(x) -> y");
}

TEST(DropIdentity, DropsNoOpsOfOldOpsets) {
  expect_dropped(
      "g (float[1, 2, 3, 3] x) => (float[1, 2, 3, 3] y) { t = Pad<pads = [0, 0, 0, 0, 0, 0, 0, 0]>(x) "
      "u = Slice<starts = [0], ends = [2], axes = [1]>(t) v = Clip(u) w = Dropout<ratio = 0.5>(v) y = Relu(w) }",
      "Relu(x) -> y", 9);
}

TEST(DropIdentity, KeepsWhatChangesSomething) {
  const std::vector<std::pair<std::string, std::string>> kinds = {
      {"int64[8] p = {0, 0, 1, 0, 0, 0, 0, 0}", "Pad(t, p)"},
      {"int64[1] a = {1}, int64[1] e = {9}, int64[1] x2 = {1}", "Slice(t, a, e, x2)"},
      {"int64[1] a = {0}, int64[1] e = {2}, int64[1] x2 = {2}", "Slice(t, a, e, x2)"},
      {"int64[1] a = {0}, int64[1] e = {9}, int64[1] x2 = {2}, int64[1] s = {2}", "Slice(t, a, e, x2, s)"},
      {"float z = {0}", "Cast<to = 11>(t)"},
      {"int64[4] p = {0, 3, 2, 3}", "Reshape(t, p)"},
      {"int64[4] p = {-1, 0, 3, 3}", "Expand(t, p)"},
      {"int64[4] p = {4, 1, 1, 1}", "Expand(t, p)"},
      {"float z = {0}", "Transpose<perm = [0, 1, 3, 2]>(t)"},
      {"float[4] p = {1, 1, 2, 1}", "Resize(t, , p)"},
      {"float z = {1}", "Clip(t, z)"},
      {"float[2, 1, 1, 1] z = {0, 0}", "Add(t, z)"},
      {"float[1, 1, 1, 1, 1] z = {0}", "Add(t, z)"},
      {"float z = {1}", "Div(z, t)"},
      {"float z = {0}", "Sub(z, t)"},
      {"float[2, 1, 1] z = {0, 1}", "Add(t, z)"},
  };
  Context context;
  for (const auto& [constants, node] : kinds) {
    const Model model = graph_from_text("g (float[N, 2, 3, 3] x) => (y) <" + constants + "> { t = Relu(x) u = " + node +
                                        " y = Identity2.Sigmoid(u) }");
    const StepResult result = drop_identity().run(model, StepOptions({}, {}), context);
    EXPECT_EQ(result.changes, 0) << node;
  }
}

TEST(DropIdentity, KeepsAResizeWhoseCoordinatesMoveAtScaleOne) {
  const Model model = graph_from_text(R"(g (float[1, 1, 3, 3] x) => (float[1, 1, 3, 3] y) <float[4] p = {1, 1, 1, 1}>
    { t = Resize<coordinate_transformation_mode = "tf_half_pixel_for_nn">(x, , p) y = Relu(t) })",
                                      11);
  Context context;
  EXPECT_EQ(drop_identity().run(model, StepOptions({}, {}), context).changes, 0);
}

TEST(DropIdentity, KeepsNamesOfOutputs) {
  expect_dropped("g (float[N, 2] x) => (float[N, 2] y, float[N, 2] z) { t = Relu(x) y = Identity(t) z = Neg(t) }",
                 "Relu(x) -> y; Neg(y) -> z");
}

TEST(DropIdentity, KeepsAnIdentityThatHandsAnInputOut) {
  expect_declined(drop_identity(),
                  graph_from_text("g (float[N, 2] x) => (float[N, 2] y, float[N, 2] z, float[N, 2] r) "
                                  "{ y = Identity(x) r = Relu(x) z = Neg(r) }"),
                  "it hands 'x' out as the graph's output 'y'");
  expect_declined(
      drop_identity(),
      graph_from_text("g (float[N, 2] x) => (float[N, 2] y, float[N, 2] z) { y = Relu(x) z = Identity(y) }"),
      "both outputs");
}

TEST(DropIdentity, KeepsADropoutThatTrainsOrWhoseMaskIsRead) {
  expect_declined(drop_identity(),
                  graph_from_text("g (float[N, 2] x) => (float[N, 2] y, bool[N, 2] m) "
                                  "{ t, m = Dropout(x) y = Relu(t) }"),
                  "mask 'm' is read");
  Context context;
  const StepResult result =
      drop_identity().run(graph_from_text("g (float[N, 2] x) => (float[N, 2] y) <float r = {0.5}, bool q = {1}> "
                                          "{ t = Dropout(x, r, q) y = Relu(t) }"),
                          StepOptions({}, {}), context);
  ASSERT_EQ(result.skipped.size(), 1U);
  EXPECT_THAT(result.skipped[0].reason, ::testing::HasSubstr("training_mode"));
}

TEST(DropIdentity, RenamesWhatSubgraphsCapture) {
  const StepResult result = apply(drop_identity(), graph_from_text(R"(g (float[2] x, bool c) => (float[2] y)
    { t = Relu(x) u = Identity(t)
      y = If(c) <then_branch = a () => (float[2] p) { p = Neg(u) }, else_branch = b () => (float[2] q) { q = Exp(u) }> })"));
  EXPECT_EQ(result.model.graph.nodes.size(), 2U);
  EXPECT_THAT(model_to_text(result.model), ::testing::HasSubstr("Neg (t)"));
}

TEST(DropIdentity, TakesEmptyPartsOutOfAConcat) {
  expect_dropped(
      "g (float[4] x) => (float[4] y) <float[0] e = {}> { t = Relu(x) u = Concat<axis = 0>(t, e) y = Neg(u) }",
      "Relu(x) -> t; Neg(t) -> y");
}

TEST(DropIdentity, LeavesOtherDomainsAlone) {
  Model model = graph_from_text("g (float[2] x) => (float[2] y) { t = Identity(x) y = Relu(t) }");
  model.graph.nodes[0].domain = "com.example";
  Context context;
  EXPECT_EQ(drop_identity().run(model, StepOptions({}, {}), context).changes, 0);
}

}  // namespace
}  // namespace pare::testing
