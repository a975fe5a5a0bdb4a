#include "ops/constant_roots.h"

#include "ops/parameters.h"
#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ConstantRoots, FollowStoredTensorsThroughConstantNodes) {
  const Model model = model_from_text(R"(
    <ir_version: 8, opset_import: ["" : 13]>
    g (float[2] x) => (float[] y, float[] r) <float[2] a = {1, 2}, float[2] b = {3, 4}> {
      k = Constant <value_float = 2.0> ()
      c = Add(a, b)
      d = Mul(c, k)
      y = Add(x, d)
      r = RandomNormalLike(a)
    })");
  const ConstantRoots constants(model.graph);
  EXPECT_THAT(constants.roots("d"), ElementsAre("a", "b", "k"));
  EXPECT_THAT(constants.roots("a"), ElementsAre("a"));
  EXPECT_THAT(constants.roots("y"), IsEmpty());
  EXPECT_TRUE(constants.is_constant("d"));
  EXPECT_FALSE(constants.is_constant("x"));
  EXPECT_FALSE(constants.is_constant("y"));
  EXPECT_FALSE(constants.is_constant("r"));  // another number at every run
  EXPECT_EQ(constants.stored("b").to_floats(), (std::vector<float>{3, 4}));
  EXPECT_EQ(constants.stored("k").to_floats(), std::vector<float>{2});
}

TEST(IsParameter, KnowsWhichInputsSteer) {
  Node node;
  const auto is = [&](const char* op, std::size_t input, DType dtype = DType::kFloat32, std::int64_t elements = 4) {
    node.op_type = op;
    return is_parameter(node, input, dtype, elements);
  };
  EXPECT_TRUE(is("Conv", 1));
  EXPECT_TRUE(is("Conv", 2, DType::kFloat32, 1));
  EXPECT_TRUE(is("ConvInteger", 1, DType::kInt8));
  EXPECT_FALSE(is("ConvInteger", 3, DType::kInt8));
  EXPECT_TRUE(is("QLinearConv", 3, DType::kInt8));
  EXPECT_TRUE(is("QLinearConv", 8, DType::kInt32));
  EXPECT_FALSE(is("QLinearConv", 4));
  EXPECT_TRUE(is("QLinearMatMul", 3, DType::kInt8));
  EXPECT_TRUE(is("BatchNormalization", 2));
  EXPECT_FALSE(is("BatchNormalization", 3));
  EXPECT_FALSE(is("Resize", 2));
  EXPECT_FALSE(is("Clip", 1));
  EXPECT_FALSE(is("Reshape", 1, DType::kInt64));
  EXPECT_TRUE(is("Mul", 1));
  EXPECT_FALSE(is("Mul", 1, DType::kFloat32, 1));
  EXPECT_TRUE(is("PRelu", 1, DType::kFloat32, 1));
  EXPECT_TRUE(is("Gather", 0));
}

}  // namespace
}  // namespace pare::testing
