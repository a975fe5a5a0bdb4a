#include "runtime/onnxruntime/profile.h"

#include "support/support.h"

namespace pare::testing {
namespace {

TEST(OnnxRuntimeProfile, AddsUpTheKernelsOfANode) {
  const std::vector<NodeTime> nodes = parse_profile(R"([
{"cat":"Session","name":"model_run","dur":900,"args":{}},
{"cat":"Node","name":"a_kernel_time","dur":100,"args":{"op_name":"Relu"}},
{"cat":"Node","name":"a_fence_before","dur":7000,"args":{"op_name":"Relu"}},
{"cat":"Node","name":"b_kernel_time","dur":500,"args":{"op_name":"Conv"}},
{"cat":"Node","name":"a_kernel_time","dur":150,"args":{"op_name":"Relu"}}])");
  ASSERT_EQ(nodes.size(), 2U);
  EXPECT_EQ(nodes[0].name, "b");
  EXPECT_EQ(nodes[0].op_type, "Conv");
  EXPECT_DOUBLE_EQ(nodes[0].total_ms, 0.5);
  EXPECT_EQ(nodes[0].calls, 1);
  EXPECT_EQ(nodes[1].name, "a");
  EXPECT_DOUBLE_EQ(nodes[1].total_ms, 0.25);
  EXPECT_EQ(nodes[1].calls, 2);
}

TEST(OnnxRuntimeProfile, RefusesWhatIsNoProfile) {
  expect_error([] { (void)parse_profile("not json"); }, ErrorCode::kUnsupported, {"cannot be read"});
}

}  // namespace
}  // namespace pare::testing
