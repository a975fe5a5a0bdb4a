// What only OpenVINO does: it chooses a precision, and says which.
#include "pare/session.h"
#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

class OpenVino : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    if (!runtime_available(Runtime::kOpenVino, &why)) GTEST_SKIP() << why;
  }
};

constexpr const char* kConv = R"(
<ir_version: 8, opset_import: ["" : 17]>
g (float[1, 2, 4, 4] x) => (float[1, 1, 4, 4] y) <float[1, 2, 1, 1] w = {1, 1}> { y = Conv(x, w) })";

TEST_F(OpenVino, SaysThePrecisionItWasForcedTo) {
  const Model model = model_from_text(kConv);
  EXPECT_THAT(open_session(model, {.runtime = Runtime::kOpenVino, .force_float32 = true})->description(),
              ::testing::EndsWith(", 1 thread, float32"));
  EXPECT_THAT(open_session(model, {.runtime = Runtime::kOpenVino})->description(),
              ::testing::MatchesRegex("OpenVINO [0-9.]+, 1 thread, (float32|bf16|float16)"));
}

#ifdef __x86_64__
TEST_F(OpenVino, SaysThatALayerRunsOnIntegers) {
  const Model model = model_from_text(R"(
<ir_version: 8, opset_import: ["" : 17]>
g (float[1, 16, 8, 8] x) => (float[1, 16, 8, 8] y)
<float one = {1}, float scale = {0.05}, uint8 zero = {0}, float wscale = {0.01}, int8 wzero = {0}, int64[4] shape = {16, 16, 1, 1}, int8 seven = {7}>
{
  q = QuantizeLinear(x, scale, zero)
  d = DequantizeLinear(q, scale, zero)
  wi = Expand(seven, shape)
  w = DequantizeLinear(wi, wscale, wzero)
  c = Conv(d, w)
  cq = QuantizeLinear(c, scale, zero)
  y = DequantizeLinear(cq, scale, zero)
})");
  EXPECT_THAT(open_session(model, {.runtime = Runtime::kOpenVino, .force_float32 = true})->description(),
              ::testing::HasSubstr("int8 + float32"));
}
#endif

TEST_F(OpenVino, RefusesShapesThatItsKernelsWouldReadBeyond) {
  const Model model = model_from_text(R"(
<ir_version: 8, opset_import: ["" : 17]>
g (float[N] x) => (float[2, 3] y) <int64[2] shape = {2, 3}> { y = Reshape(x, shape) })");
  const auto session = open_session(model, {.runtime = Runtime::kOpenVino});
  expect_error([&] { session->bind({{"x", Tensor::zeros(DType::kFloat32, {5})}}); }, ErrorCode::kUnsupported,
               {"does not run the model on these inputs", "says: "});
  EXPECT_EQ(session->run({{"x", Tensor::zeros(DType::kFloat32, {6})}})[0].shape(), (Shape{2, 3}));
}

TEST_F(OpenVino, TypesComeBackUnchanged) {
  for (const DType dtype : {DType::kFloat32, DType::kUint8, DType::kInt8, DType::kInt32, DType::kInt64, DType::kBool,
                            DType::kFloat16, DType::kUint16, DType::kInt16, DType::kUint32, DType::kBFloat16}) {
    SCOPED_TRACE(std::string(dtype_name(dtype)));
    Model model = model_from_text(R"(
<ir_version: 9, opset_import: ["" : 19]> g (float[N, 3] x) => (float[N, 3] y) { y = Identity(x) })");
    model.graph.inputs[0].dtype = dtype;
    model.graph.outputs[0].dtype = dtype;
    const Tensor tensor = random_inputs(model.graph.inputs, {.batch = 5}).at("x");
    const auto session = open_session(model, {.runtime = Runtime::kOpenVino, .force_float32 = true});
    EXPECT_TRUE(session->run({{"x", tensor}})[0].same_as(tensor));
  }
}

}  // namespace
}  // namespace pare::testing
