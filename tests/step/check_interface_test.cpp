#include "step/check_interface.h"

#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

Model model() {
  return model_from_text(
      "<ir_version: 8, opset_import: [\"\" : 17]> g (float[N, 3] x, float[N, 3] z) => "
      "(float[N, 3] y, float[N, 3] r) { y = Relu(x) r = Add(x, z) }");
}

TEST(CheckInterface, FindsWhatChanged) {
  EXPECT_EQ(interface_fault(model(), model(), true), std::nullopt);
  Model renamed = model();
  renamed.graph.outputs[1].name = "s";
  EXPECT_EQ(interface_fault(model(), renamed, true), "output 1 was 'r' and is now 's'");
  Model frozen = model();
  frozen.graph.inputs[0].shape->front() = {.value = 1, .symbol = {}, .denotation = {}};
  EXPECT_EQ(interface_fault(model(), frozen, true), "input 'x' was float32[N, 3] and is now float32[1, 3]");
  Model fewer = model();
  fewer.graph.inputs.pop_back();
  EXPECT_EQ(interface_fault(model(), fewer, false), "the model had 2 inputs and now has 1");
}

TEST(CheckInterface, LetsTechniquesChangeTheFloatType) {
  Model half = model();
  half.graph.inputs[0].dtype = DType::kFloat16;
  EXPECT_EQ(interface_fault(model(), half, false), std::nullopt);
  EXPECT_EQ(interface_fault(model(), half, true), "input 'x' was float32[N, 3] and is now float16[N, 3]");
  half.graph.inputs[0].dtype = DType::kUint8;
  EXPECT_NE(interface_fault(model(), half, false), std::nullopt);
}

}  // namespace
}  // namespace pare::testing
