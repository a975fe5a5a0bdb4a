#include "ops/diff_structure.h"

#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

using ::testing::ElementsAre;

Model base() {
  return model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N, 4] x) => (float[N, 2] y) <float[4, 2] w = {1, 2, 3, 4, 5, 6, 7, 8}> {
      h = MatMul(x, w)
      y = LeakyRelu<alpha = 0.1>(h)
    })");
}

TEST(DiffStructure, AModelEqualsItself) { EXPECT_TRUE(diff_structure(base(), base()).same()); }

TEST(DiffStructure, NamesAddedAndRemovedNodesAndCounts) {
  Model after = base();
  after.graph.nodes[1] = {.name = {},
                          .op_type = "Relu",
                          .domain = {},
                          .overload = {},
                          .doc = {},
                          .inputs = {"h"},
                          .outputs = {"r"},
                          .attributes = {},
                          .metadata = {}};
  after.graph.outputs[0].name = "r";
  const StructureDiff diff = diff_structure(base(), after);
  EXPECT_THAT(diff.added, ElementsAre("Relu (output 'r')"));
  EXPECT_THAT(diff.removed, ElementsAre("LeakyRelu (output 'y')"));
  EXPECT_EQ(diff.op_counts.at("Relu"), (std::pair<std::int64_t, std::int64_t>{0, 1}));
  EXPECT_FALSE(diff.op_counts.contains("MatMul"));
  EXPECT_THAT(diff.interface, ElementsAre("output 'r' is new", "output 'y' is gone"));
}

TEST(DiffStructure, TellsOtherValuesFromOtherShapesAndAttributes) {
  Model after = base();
  after.graph.initializers.set("w", Tensor::of<float>({4, 2}, {1, 2, 3, 4, 5, 6, 7, 9}));
  after.graph.nodes[1].set_attribute("alpha", 0.2F);
  StructureDiff diff = diff_structure(base(), after);
  ASSERT_EQ(diff.changed.size(), 2U);
  EXPECT_EQ(diff.changed[0].what, "weight 'w': other values");
  EXPECT_EQ(diff.changed[1].what, "attribute alpha: 0.1 -> 0.2");
  after.graph.initializers.set("w", Tensor::zeros(DType::kFloat32, {4, 3}));
  diff = diff_structure(base(), after);
  EXPECT_EQ(diff.changed[0].what, "weight 'w': float32 [4, 2] -> float32 [4, 3]");
}

TEST(DiffStructure, NodesThatKeptTheirNameAreTheSameWhateverTheyWrite) {
  Model before = base(), after = base();
  before.graph.nodes[0].name = after.graph.nodes[0].name = "fc";
  after.graph.nodes[0].outputs[0] = "other";
  after.graph.nodes[1].inputs[0] = "other";
  const StructureDiff diff = diff_structure(before, after);
  EXPECT_TRUE(diff.added.empty());
  ASSERT_EQ(diff.changed.size(), 1U);
  EXPECT_EQ(diff.changed[0].what, "input 0: 'h' -> 'other'");
}

}  // namespace
}  // namespace pare::testing
