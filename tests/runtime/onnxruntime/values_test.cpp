// Every element type goes into ONNX Runtime and comes back unchanged.
#include <fmt/format.h>

#include <cstring>

#include "pare/model_io.h"
#include "pare/session.h"
#include "support/support.h"

namespace pare::testing {
namespace {

Model identity(DType dtype) {
  Model model = model_from_text(R"(
<ir_version: 9, opset_import: ["" : 19]> g (float[N, M] x) => (float[N, M] y) { y = Identity(x) })");
  model.graph.inputs[0].dtype = dtype;
  model.graph.outputs[0].dtype = dtype;
  return model;
}

/// All bit patterns of one byte, as often as it takes; bool takes only 0 and 1.
Tensor patterned(DType dtype, Shape shape) {
  Tensor tensor = Tensor::zeros(dtype, shape);
  std::vector<std::byte> bytes(static_cast<std::size_t>(tensor.size_bytes()));
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(dtype == DType::kBool ? i % 2 : i);
  return Tensor::from_bytes(dtype, std::move(shape), std::move(bytes));
}

constexpr DType kNumeric[] = {DType::kFloat32,       DType::kUint8,        DType::kInt8,           DType::kUint16,
                              DType::kInt16,         DType::kInt32,        DType::kInt64,          DType::kBool,
                              DType::kFloat16,       DType::kFloat64,      DType::kUint32,         DType::kUint64,
                              DType::kBFloat16,      DType::kFloat8E4M3FN, DType::kFloat8E4M3FNUZ, DType::kFloat8E5M2,
                              DType::kFloat8E5M2FNUZ};

TEST(OnnxRuntimeValues, EveryNumericTypeComesBackUnchanged) {
  for (const DType dtype : kNumeric) {
    SCOPED_TRACE(std::string(dtype_name(dtype)));
    const auto session = open_session(identity(dtype));
    // Small results are copied, large ones are views.
    for (const Shape& shape : {Shape{3, 5}, Shape{100, 300}}) {
      const Tensor tensor = patterned(dtype, shape);
      const std::vector<Tensor> results = session->run({{"x", tensor}});
      EXPECT_TRUE(results[0].same_as(tensor)) << shape_text(shape);
    }
  }
}

TEST(OnnxRuntimeValues, NoElementsComeBackAsNoElements) {
  for (const DType dtype : {DType::kFloat32, DType::kInt64, DType::kString}) {
    const Tensor nothing = dtype == DType::kString ? Tensor::from_strings({0, 4}, {}) : Tensor::zeros(dtype, {0, 4});
    const Tensor result = open_session(identity(dtype))->run({{"x", nothing}})[0];
    EXPECT_EQ(result.shape(), (Shape{0, 4}));
    EXPECT_EQ(result.dtype(), dtype);
  }
}

TEST(OnnxRuntimeValues, StringsComeBackUnchanged) {
  const Tensor words = Tensor::from_strings({2, 2}, {"a", "", "two words", "\xc3\xa9t\xc3\xa9"});
  EXPECT_EQ(open_session(identity(DType::kString))->run({{"x", words}})[0].strings(), words.strings());
}

TEST(OnnxRuntimeValues, RefusesATypeThatItHasNot) {
  expect_error([] { (void)open_session(identity(DType::kUint2)); }, ErrorCode::kUnsupported, {"does not load"});
}

TEST(OnnxRuntimeValues, RefusesAnOutputThatIsNoTensor) {
  const Model model = model_from_text(R"(
<ir_version: 8, opset_import: ["" : 17]>
g (float[2] x) => (seq(float[2]) s) { s = SequenceConstruct(x, x) })");
  const auto session = open_session(model);
  session->bind({{"x", Tensor::zeros(DType::kFloat32, {2})}});
  session->run_bound();
  expect_error([&] { (void)session->results(); }, ErrorCode::kUnsupported, {"output 's' is not a tensor"});
}

}  // namespace
}  // namespace pare::testing
