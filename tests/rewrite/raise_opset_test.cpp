#include "rewrite/rewriting.h"

namespace pare::testing {
namespace {

/// Raises and proves, and compares the nodes.
StepResult expect_raised(const std::string& graph, int opset, const std::string& nodes) {
  const StepResult result = apply(raise_opset(), graph_from_text(graph, opset, 7));
  EXPECT_EQ(result.model.opset(), 13);
  EXPECT_EQ(nodes_text(result.model), nodes);
  expect_idempotent(raise_opset(), result);
  return result;
}

TEST(RaiseOpset, LeavesOpset13AndLaterAlone) {
  for (const int opset : {13, 17})
    EXPECT_EQ(apply(raise_opset(), graph_from_text("g (float[2] x) => (float[2] y) { y = Relu(x) }", opset)).changes,
              0);
}

TEST(RaiseOpset, MovesAxesPadsAndBoundsToInputs) {
  expect_raised(R"(g (float[1, 2, 4, 4] x) => (float[2, 6, 4] y)
    { a = Pad<pads = [0, 0, 1, 0, 0, 0, 1, 0], value = 0.5>(x) b = Clip<min = 0.25, max = 0.75>(a)
      y = Squeeze<axes = [0]>(b) })",
                9, "Pad(x, a_pads, a_value) -> a; Clip(a, b_min, b_max) -> b; Squeeze(b, y_axes) -> y");
  expect_raised(R"(g (float[2, 6] x) => (float[1, 1] y)
    { a = Clip<max = 0.75>(x) b = ReduceSum<axes = [1], keepdims = 0>(a) c = Unsqueeze<axes = [1]>(b)
      d = Slice<starts = [0], ends = [1]>(c) y = Relu(d) })",
                9,
                "Clip(x, , a_max) -> a; ReduceSum(a, b_axes) -> b; Unsqueeze(b, c_axes) -> c; "
                "Slice(c, d_starts, d_ends) -> d; Relu(d) -> y");
}

TEST(RaiseOpset, MovesSplitKAndRatio) {
  expect_raised(R"(g (float[2, 6] x) => (float[2, 2] y, int64[2, 2] i, float[2, 2] b)
    { a, b = Split<axis = 1, split = [4, 2]>(x) c, m = Dropout<ratio = 0.25>(a) y, i = TopK<axis = 1, k = 2>(c) })",
                9, "Split(x, a_split) -> a b; Dropout(a, c_ratio) -> c; TopK(c, y_k) -> y i");
}

TEST(RaiseOpset, TurnsUpsampleIntoResize) {
  for (const char* mode : {"nearest", "linear"}) {
    expect_raised(std::string("g (float[1, 1, 3, 3] x) => (float[1, 1, 6, 7] y) <float[4] s = {1, 1, 2, 2.5}> "
                              "{ y = Upsample<mode = \"") +
                      mode + "\">(x, s) }",
                  9, "Resize(x, , s) -> y");
    expect_raised(std::string("g (float[1, 1, 3, 3] x) => (float[1, 1, 6, 6] y) "
                              "{ y = Upsample<scales = [1.0, 1.0, 2.0, 2.0], mode = \"") +
                      mode + "\">(x) }",
                  8, "Resize(x, , y_scales) -> y");
  }
}

TEST(RaiseOpset, TurnsResize10IntoResize13) {
  for (const char* scales : {"{1, 1, 2, 3}", "{1, 1, 0.5, 0.5}", "{1, 1, 0.6, 0.6}"}) {
    SCOPED_TRACE(scales);
    for (const char* mode : {"nearest", "linear"})
      expect_raised(std::string("g (float[1, 1, 6, 6] x) => (float[1, 1, h, w] y) <float[4] s = ") + scales +
                        "> { y = Resize<mode = \"" + mode + "\">(x, s) }",
                    10, "Resize(x, , s) -> y");
  }
}

TEST(RaiseOpset, LeavesOutEmptyInputsOfResize11) {
  expect_raised(R"(g (float[1, 1, 3, 3] x) => (float[1, 1, 6, 6] y)
    <float[0] roi = {}, float[0] none = {}, int64[4] sizes = {1, 1, 6, 6}>
    { y = Resize<mode = "nearest", nearest_mode = "floor", coordinate_transformation_mode = "asymmetric">(x, roi, none, sizes) })",
                11, "Resize(x, , , sizes) -> y");
}

TEST(RaiseOpset, KeepsSoftmaxOverSeveralDimensions) {
  expect_raised("g (float[2, 3, 4] x) => (float[2, 3, 4] y) { y = Softmax(x) }", 11,
                "Shape(x) -> y_shape; Flatten(x) -> y_flat; Softmax(y_flat) -> y_rows; Reshape(y_rows, y_shape) -> y");
  expect_raised("g (float[2, 3] x) => (float[2, 3] y) { y = Softmax(x) }", 11, "Softmax(x) -> y");
  expect_raised("g (float[2, 3, 1, 1] x) => (float[2, 3, 1, 1] y) { y = LogSoftmax(x) }", 11, "LogSoftmax(x) -> y");
  const StepResult last =
      expect_raised("g (float[2, 3, 4] x) => (float[2, 3, 4] y) { y = Softmax<axis = 2>(x) }", 9, "Softmax(x) -> y");
  EXPECT_EQ(last.model.graph.nodes[0].int_or("axis", 0), 2);
}

TEST(RaiseOpset, DropsTrainingAttributesOfBatchNormalization) {
  const StepResult result =
      expect_raised(R"(g (float[1, 2, 3, 3] x) => (float[1, 2, 3, 3] y)
    <float[2] a = {1, 2}> { t = BatchNormalization<spatial = 1>(x, a, a, a, a) y = BatchNormalization(t, a, a, a, a) })",
                    8, "BatchNormalization(x, a, a, a, a) -> t; BatchNormalization(t, a, a, a, a) -> y");
  EXPECT_EQ(result.model.graph.nodes[0].find_attribute("spatial"), nullptr);
}

TEST(RaiseOpset, LaysOldBroadcastsOnTheirAxis) {
  Context context;
  const StepResult result = raise_opset().run(graph_from_text(R"(g (float[1, 2, 3, 3] x) => (float[1, 2, 3, 3] y)
    <float[2] b = {1, 2}, float[2] s = {0.1, 0.2}>
    { t = Add<broadcast = 1, axis = 1>(x, b) u = PRelu(t, s) y = Relu(u) })",
                                                              6, 3),
                                              StepOptions({}, {}), context);
  EXPECT_EQ(nodes_text(result.model), "Add(x, b_aligned) -> t; PRelu(t, s_aligned) -> u; Relu(u) -> y");
  EXPECT_EQ(result.model.graph.initializers.find("b_aligned")->shape(), (Shape{2, 1, 1}));
  check_model(result.model);
}

TEST(RaiseOpset, RaisesSubgraphsToo) {
  const StepResult result = apply(raise_opset(), graph_from_text(R"(g (float[1, 2] x, bool c) => (float[2] y)
    { y = If(c) <then_branch = p () => (float[2] p1) { p1 = Squeeze<axes = [0]>(x) },
                 else_branch = q () => (float[2] q1) { t = Neg(x) q1 = Squeeze<axes = [0]>(t) }> })",
                                                                 11, 7));
  EXPECT_EQ(result.model.opset(), 13);
  EXPECT_THAT(model_to_text(result.model), ::testing::HasSubstr("Squeeze (x, p1_axes)"));
}

TEST(RaiseOpset, DeclinesTheWholeModelForOneNode) {
  Context context;
  const auto declined = [&](const std::string& graph, int opset, const std::string& part) {
    const Model model = graph_from_text(graph, opset, 4);
    const StepResult result = raise_opset().run(model, StepOptions({}, {}), context);
    EXPECT_EQ(result.changes, 0);
    EXPECT_EQ(model_to_text(result.model), model_to_text(model));
    ASSERT_EQ(result.skipped.size(), 1U);
    EXPECT_THAT(result.skipped[0].reason, ::testing::HasSubstr(part));
  };
  declined(
      "g (float[1, 2, 3, 3] x) => (float[1, 2, 3, 3] y) <float[2] a = {1, 2}> "
      "{ t = BatchNormalization<spatial = 0>(x, a, a, a, a) y = Clip<min = 0.0>(t) }",
      8, "spatial is 0");
  declined("g (float[2] x) => (float[2] y) { y = NoSuchOperator(x) }", 9, "no known form");
  declined("g (float[2] x) => (float[2] y) { y, m = Dropout(x) z = Neg(m) }", 9, "mask 'm' is read");
  declined("g (float[1, 1, 3, 3] x, float[4] s) => (y) { y = Upsample<mode = \"nearest\">(x, s) }", 9,
           "computed in the graph");
}

TEST(RaiseOpset, AvoidsNamesThatAreTaken) {
  expect_raised("g (float[1, 2] x) => (float[2] y) { y_axes = Relu(x) y = Squeeze<axes = [0]>(y_axes) }", 11,
                "Relu(x) -> y_axes; Squeeze(y_axes, y_axes_1) -> y");
}

}  // namespace
}  // namespace pare::testing
