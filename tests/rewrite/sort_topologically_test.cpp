#include <algorithm>

#include "rewrite/rewriting.h"

namespace pare::testing {
namespace {

Model chain() {
  return graph_from_text(R"(g (float[2] x, bool c) => (float[2] y)
    { a = Relu(x) b = Neg(a)
      d = If(c) <then_branch = p () => (float[2] p1) { p1 = Neg(b) }, else_branch = q () => (float[2] q1) { q1 = Exp(a) }>
      y = Add(d, b) })");
}

TEST(SortTopologically, PutsNodesBehindWhatTheyAndTheirSubgraphsRead) {
  Model shuffled = chain();
  std::reverse(shuffled.graph.nodes.begin(), shuffled.graph.nodes.end());
  Context context;
  const StepResult result = sort_topologically().run(shuffled, StepOptions({}, {}), context);
  EXPECT_EQ(result.changes, 4);
  EXPECT_EQ(nodes_text(result.model), nodes_text(chain()));
  check_model(result.model);
  expect_idempotent(sort_topologically(), result);
}

TEST(SortTopologically, LeavesOrderedNodesAsTheyStand) { EXPECT_EQ(apply(sort_topologically(), chain()).changes, 0); }

TEST(SortTopologically, NamesTheNodesOfACycle) {
  Model model = graph_from_text("g (float[2] x) => (float[2] y) { a = Add(x, x) y = Relu(a) }");
  model.graph.nodes[0].inputs[1] = "y";
  Context context;
  expect_error([&] { (void)sort_topologically().run(model, StepOptions({}, {}), context); }, ErrorCode::kMalformedModel,
               {"cycle", "Add"});
}

}  // namespace
}  // namespace pare::testing
