#include <algorithm>

#include "core/words.h"
#include "rewrite/rewriting.h"

namespace pare::testing {
namespace {

TEST(Rewrite, RunsAllToAFixedPoint) {
  // Each rewrite makes room for the next: constants, no-ops, normalization, scale and shift.
  const Model model = graph_from_text(R"(g (float[N, 1, 4, 4] x) => (float[N, 2, 4, 4] y)
    <float[2, 1, 1, 1] w0 = {1, 2}, float[2] s = {1, 2}, float[2] z = {0, 0}, float[2] o = {1, 1}, float[2] m = {3, 4},
     float[2] dead = {5, 6}, float[1, 2] e = {1, 1}>
    { w = Identity(w0) c = Conv(x, w) d = Dropout(c) n = BatchNormalization(d, s, z, z, o)
      axes = Constant<value = int64[2] {1, 2}>() m3 = Unsqueeze(m, axes) t = Mul(n, m3) b3 = Unsqueeze(s, axes)
      u = Add(t, b3) y = Relu(u) unused = Exp(e) })");
  const StepResult result = apply(rewrite(), model);
  EXPECT_EQ(nodes_text(result.model), "Conv(x, w, s) -> u; Relu(u) -> y");
  EXPECT_EQ(result.model.graph.initializers.size(), 2U);
  EXPECT_GT(result.figures.at("fold_batchnorm"), 0);
  EXPECT_EQ(result.changes, static_cast<std::int64_t>(result.done.size()));
  expect_idempotent(rewrite(), result);
}

TEST(Rewrite, ListsEachRewriteOnceInOrder) {
  std::vector<std::string> names;
  for (const StepInfo& step : all_rewrites()) names.push_back(step.name);
  EXPECT_EQ(join(names, " "),
            "raise_opset sort_topologically fold_constants drop_identity fold_batchnorm fuse_bias_add "
            "deduplicate_initializers drop_unused");
}

TEST(Rewrite, RaisesOldOpsetsAndProvesThem) {
  for (const int opset : {9, 10, 11, 12}) {
    const StepResult result = apply(rewrite(), graph_from_text(R"(g (float[N, 1, 4, 4] x) => (float[N, 2, 4, 4] y)
      <float[2, 1, 1, 1] w = {1, 2}, float[2] s = {1, 2}, float[2] z = {0, 0}, float[2] o = {1, 1}>
      { c = Conv(x, w) n = BatchNormalization(c, s, z, z, o) y = Relu(n) })",
                                                               opset));
    EXPECT_EQ(result.model.opset(), 13);
    EXPECT_EQ(nodes_text(result.model), "Conv(x, w) -> n; Relu(n) -> y");
  }
}

TEST(Rewrite, SurvivesEmptyAndEqualNamesAndOptionalInputs) {
  Model model = graph_from_text(R"(g (float[N, 1, 4, 4] x) => (float[N, 1, 8, 8] y, float[N, 1, 6, 6] z)
    <int64[8] p = {0, 0, 1, 1, 0, 0, 1, 1}, float[4] s = {1, 1, 2, 2}, float six = {6}, float w_bias = {1}>
    { a = Pad(x, p) z = Pad(x, p) r = Resize(x, , s) y = Clip(r, , six) })");
  apply(rewrite(), model);
  // ONNX Runtime refuses equal node names, the rewrites must not stumble over them.
  for (Node& node : model.graph.nodes) node.name = "same";
  Context context;
  check_model(rewrite_model(model, context).model);
}

TEST(Rewrite, KeepsSymbolsMetadataAndOutputs) {
  Model model =
      graph_from_text(R"(g (float[N, 1, H, W] x) => (float[N, 1, H, W] y, float[N, 1, H, W] r, float[N, 1, H, W] i)
    <float[1, 1, 1, 1] w = {2}> { y = Conv(x, w) r = Relu(y) k = Identity(r) i = Identity(x) dead = Neg(k) })");
  model.set_metadata("answer", "42");
  model.doc = "of a test";
  const StepResult result = apply(rewrite(), model);
  EXPECT_EQ(nodes_text(result.model), "Conv(x, w) -> y; Relu(y) -> r; Identity(x) -> i");
  EXPECT_EQ(*result.model.find_metadata("answer"), "42");
  EXPECT_EQ(result.model.doc, "of a test");
  EXPECT_TRUE(std::any_of(result.skipped.begin(), result.skipped.end(), [](const NodeReason& skipped) {
    return skipped.reason.find("hands 'x' out") != std::string::npos;
  }));
}

TEST(Rewrite, LeavesAQuantizedModelQuantized) {
  const Model model = graph_from_text(R"(g (float[N, 1, 4, 4] x) => (float[N, 2, 4, 4] y)
    <int8[2, 1, 3, 3] q = {1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1}, float[2] s = {0.5, 0.25},
     int8[2] z = {0, 0}, float xs = {0.01}, uint8 xz = {0}, int32[2] bq = {3, 4}, float[2] bs = {0.005, 0.0025}, int32[2] bz = {0, 0}>
    { i = Identity(x) xq = QuantizeLinear(i, xs, xz) xd = DequantizeLinear(xq, xs, xz)
      w = DequantizeLinear<axis = 0>(q, s, z) b = DequantizeLinear<axis = 0>(bq, bs, bz)
      y = Conv<pads = [1, 1, 1, 1]>(xd, w, b) })");
  const StepResult result = apply(rewrite(), model);
  EXPECT_EQ(nodes_text(result.model),
            "QuantizeLinear(x, xs, xz) -> xq; DequantizeLinear(xq, xs, xz) -> xd; DequantizeLinear(q, s, z) -> w; "
            "DequantizeLinear(bq, bs, bz) -> b; Conv(xd, w, b) -> y");
  EXPECT_EQ(result.model.graph.initializers.find("q")->dtype(), DType::kInt8);
}

TEST(Rewrite, IsProvedInOpenVinoToo) {
  std::string why;
  if (!runtime_available(Runtime::kOpenVino, &why)) GTEST_SKIP() << why;
  Context context;
  context.session.runtime = Runtime::kOpenVino;
  const CheckedResult checked = prove_rewrites(graph_from_text(R"(g (float[N, 1, 4, 4] x) => (float[N, 2, 4, 4] y)
      <float[2, 1, 1, 1] w0 = {1, 2}, float[2] s = {1, 2}, float[2] z = {0, 0}, float[2] o = {1, 1}>
      { w = Identity(w0) c = Conv(x, w) n = BatchNormalization(c, s, z, z, o) y = Relu(n) })"),
                                               context);
  EXPECT_EQ(nodes_text(checked.result.model), "Conv(x, w) -> n; Relu(n) -> y");
  for (const StepCheck& check : checked.checks) EXPECT_TRUE(check.passed) << check.name << ": " << check.detail;
}

TEST(Rewrite, NamesTheOneRewriteThatBreaksTheModel) {
  std::vector<StepInfo> steps = {drop_identity(), fold_constants(), drop_unused()};
  steps[1] = rewrite_step("halve_weights", "A faulty rewrite", [](const Model& model, Context&) {
    StepResult result;
    result.model = model;
    result.model.graph.initializers.set("w", Tensor::scalar(1.0F));
    result.changes = 1;
    return result;
  });
  const Model model = graph_from_text(
      "g (float[N, 2] x) => (float[N, 2] y) <float w = {2}> { t = Identity(x) y = Mul(t, w) dead = Neg(t) }");
  Context context;
  expect_error([&] { prove_one_by_one(steps, model, context); }, ErrorCode::kInternal,
               {"step 'halve_weights'", "'same outputs'"});
}

TEST(Rewrite, ProveRewritesGivesTheChecks) {
  Context context;
  const CheckedResult checked =
      prove_rewrites(graph_from_text("g (float[N, 2] x) => (float[N, 2] y) { t = Identity(x) y = Relu(t) }"), context);
  EXPECT_EQ(checked.result.changes, 1);
  EXPECT_EQ(checked.checks.size(), 6U);
  for (const StepCheck& check : checked.checks) EXPECT_TRUE(check.passed) << check.name << ": " << check.detail;
}

}  // namespace
}  // namespace pare::testing
