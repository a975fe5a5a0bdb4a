#include "pare/model_io.h"
#include "pare/session.h"
#include "support/support.h"

namespace pare::testing {
namespace {

TEST(ProbeInputs, TakesTheUsualSizeWhereAnyWorks) {
  const Model model = model_from_text(R"(
<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 3, H, W] x) => (float[N, 3, H, W] y) { y = Relu(x) })");
  EXPECT_EQ(probe_inputs(model).at("x").shape(), (Shape{1, 3, 224, 224}));
  EXPECT_EQ(probe_inputs(model, {.batch = 2, .image_size = 10}).at("x").shape(), (Shape{2, 3, 10, 10}));
}

TEST(ProbeInputs, FindsTheSizeThatTheModelRunsWith) {
  // 3 * 32 * 32 features: only one size fits the matrix.
  const Model model = model_from_text(R"(
<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 3, H, W] x) => (float[N, 2] y) <int64[2] flat = {1, 3072}, int64[2] wide = {3072, 2}, float one = {1}>
{
  f = Reshape(x, flat)
  w = Expand(one, wide)
  y = MatMul(f, w)
})");
  EXPECT_EQ(probe_inputs(model).at("x").shape(), (Shape{1, 3, 32, 32}));
  expect_error([&] { (void)probe_inputs(model, {.image_size = 224}); }, ErrorCode::kUnsupported,
               {"sizes tried: 224", "remedy: give the shapes", "Reshape"});
}

TEST(ProbeInputs, FindsTheNumberOfChannels) {
  const Model model = model_from_text(R"(
<ir_version: 8, opset_import: ["" : 17]>
g (float[N, C, H, W] x) => (float[N, 1, H, W] y) <float[1, 1, 1, 1] w = {2}> { y = Conv(x, w) })");
  EXPECT_EQ(probe_inputs(model).at("x").shape(), (Shape{1, 1, 224, 224}));
}

TEST(ProbeInputs, SaysWhyNothingWorks) {
  const Model model = model_from_text(R"(
<ir_version: 8, opset_import: ["" : 17]>
g (float[2] x) => (float[3] y) <int64[1] three = {3}> { y = Reshape(x, three) })");
  expect_error([&] { (void)probe_inputs(model); }, ErrorCode::kUnsupported, {"runs with no input", "Reshape"});
}

}  // namespace
}  // namespace pare::testing
