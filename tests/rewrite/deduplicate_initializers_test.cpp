#include "rewrite/rewriting.h"

namespace pare::testing {
namespace {

TEST(DeduplicateInitializers, StoresEqualWeightsOnce) {
  const StepResult result = apply(deduplicate_initializers(), graph_from_text(R"(g (float[2] x) => (float[2] y)
    <float[2] a = {1, 2}, float[2] b = {1, 2}, float[2] c = {1, 3}> { t = Add(x, a) u = Mul(t, b) y = Mul(u, c) })"));
  EXPECT_EQ(nodes_text(result.model), "Add(x, a) -> t; Mul(t, a) -> u; Mul(u, c) -> y");
  EXPECT_EQ(result.model.graph.initializers.size(), 2U);
  EXPECT_EQ(result.changes, 1);
  expect_idempotent(deduplicate_initializers(), result);
}

TEST(DeduplicateInitializers, KeepsEqualBytesOfOtherTypeOrShapeApart) {
  EXPECT_EQ(apply(deduplicate_initializers(), graph_from_text(R"(g (float[1, 2] x) => (float[1, 2] y)
    <float[2] a = {0, 0}, float[1, 2] b = {0, 0}, int64[1] c = {0}> { t = Add(x, a) u = Add(t, b) y = Squeeze(v, c)
      v = Unsqueeze(u, c) })"))
                .changes,
            0);
}

TEST(DeduplicateInitializers, RenamesCapturesAndKeepsOutputs) {
  const StepResult result = apply(deduplicate_initializers(), graph_from_text(R"(g (bool c) => (float[2] y, float[2] o)
    <float[2] a = {1, 2}, float[2] b = {1, 2}, float[2] o = {1, 2}>
    { t = If(c) <then_branch = p () => (float[2] p1) { p1 = Neg(b) }, else_branch = q () => (float[2] q1) { q1 = Exp(b) }>
      y = Add(t, a) })"));
  EXPECT_EQ(result.model.graph.initializers.size(), 2U);
  EXPECT_THAT(model_to_text(result.model), ::testing::HasSubstr("Neg (a)"));
}

}  // namespace
}  // namespace pare::testing
