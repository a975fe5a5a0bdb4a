#include "graph/op_schema.h"

#include "support/support.h"

namespace pare::testing {
namespace {

Node node(std::string op, std::size_t inputs, std::size_t outputs = 1) {
  Node made;
  made.op_type = std::move(op);
  made.inputs.assign(inputs, "x");
  made.outputs.assign(outputs, "y");
  return made;
}

TEST(OpSchema, ConvTakesFloat16EverywhereUnderOneVariable) {
  const auto signature = op_signature(node("Conv", 3), 17);
  ASSERT_TRUE(signature);
  ASSERT_EQ(signature->inputs.size(), 3U);
  for (const ParameterType& type : signature->inputs) {
    EXPECT_EQ(type.variable, "T");
    EXPECT_TRUE(type.allows(DType::kFloat16));
    EXPECT_FALSE(type.allows(DType::kInt8));
  }
  EXPECT_EQ(signature->outputs[0].variable, "T");
}

TEST(OpSchema, ResizeScalesAreFloat32AndSizesInt64) {
  for (const std::int64_t opset : {11, 13, 18, 19}) {
    const auto signature = op_signature(node("Resize", 4), opset);
    ASSERT_TRUE(signature) << opset;
    EXPECT_TRUE(signature->inputs[0].allows(DType::kFloat16)) << opset;
    EXPECT_NE(signature->inputs[1].variable, signature->inputs[0].variable) << opset;
    EXPECT_EQ(signature->inputs[2].variable, "") << opset;
    EXPECT_EQ(signature->inputs[2].allowed, std::vector<DType>{DType::kFloat32}) << opset;
    EXPECT_EQ(signature->inputs[3].allowed, std::vector<DType>{DType::kInt64}) << opset;
  }
}

TEST(OpSchema, FollowsTheOperatorSet) {
  EXPECT_FALSE(op_signature(node("CumSum", 2), 11)->inputs[0].allows(DType::kFloat16));
  EXPECT_TRUE(op_signature(node("CumSum", 2), 14)->inputs[0].allows(DType::kFloat16));
  EXPECT_EQ(op_signature(node("BatchNormalization", 5), 9)->inputs[4].variable, "T");
  EXPECT_EQ(op_signature(node("BatchNormalization", 5), 15)->inputs[4].variable, "T2");
  EXPECT_FALSE(op_signature(node("HardSwish", 1), 13));
  EXPECT_TRUE(op_signature(node("HardSwish", 1), 14));
}

TEST(OpSchema, RepeatsVariadicParameters) {
  const auto concat = op_signature(node("Concat", 5), 13);
  ASSERT_TRUE(concat);
  ASSERT_EQ(concat->inputs.size(), 5U);
  EXPECT_EQ(concat->inputs[4].variable, concat->outputs[0].variable);
  // The operands of Loop may differ in type, so they share no variable.
  const auto loop = op_signature(node("Loop", 4, 2), 13);
  ASSERT_TRUE(loop);
  EXPECT_NE(loop->inputs[2].variable, loop->inputs[3].variable);
}

TEST(OpSchema, UnknownOperatorsHaveNone) {
  EXPECT_FALSE(op_signature(node("Conv2", 2), 17));
  EXPECT_FALSE(op_signature(node("Relu", 3), 17)) << "more inputs than Relu has";
  EXPECT_FALSE(op_signature(node("Upsample", 2), 13)) << "deprecated";
  EXPECT_TRUE(op_signature(node("Upsample", 2), 9));
  Node foreign = node("FusedConv", 3);
  foreign.domain = "com.microsoft";
  EXPECT_FALSE(op_signature(foreign, 17));
}

}  // namespace
}  // namespace pare::testing
