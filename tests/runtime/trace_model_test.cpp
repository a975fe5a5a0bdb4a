#include "pare/model_io.h"
#include "pare/session.h"
#include "support/support.h"

namespace pare::testing {
namespace {

TEST(TraceModel, KnowsShapesThatTheGraphComputes) {
  const Model model = model_from_text(R"(
<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 3, H, W] x) => (float[N, K] y)
<int64 zero = {0}, int64[1] axes = {0}, int64[1] rest = {-1}, bool[1] flag = {1}>
{
  s = Shape(x)
  n = Gather(s, zero)
  n1 = Unsqueeze(n, axes)
  target = Concat <axis = 0> (n1, rest)
  r = Relu(x)
  y = Reshape(r, target)
})");
  const Trace trace = trace_model(model, {{"x", Tensor::zeros(DType::kFloat32, {2, 3, 4, 5})}});
  EXPECT_EQ(trace.shapes.at("x"), (Shape{2, 3, 4, 5}));
  EXPECT_EQ(trace.shapes.at("r"), (Shape{2, 3, 4, 5}));
  EXPECT_EQ(trace.shapes.at("y"), (Shape{2, 60}));
  EXPECT_EQ(trace.shapes.at("n"), Shape{});
  EXPECT_EQ(trace.dtypes.at("y"), DType::kFloat32);
  EXPECT_EQ(trace.dtypes.at("target"), DType::kInt64);
  EXPECT_EQ(trace.contents.at("s").to_int64s(), (std::vector<std::int64_t>{2, 3, 4, 5}));
  EXPECT_EQ(trace.contents.at("n").to_int64s(), (std::vector<std::int64_t>{2}));
  EXPECT_EQ(trace.contents.at("target").to_int64s(), (std::vector<std::int64_t>{2, -1}));
  EXPECT_EQ(trace.contents.at("rest").to_int64s(), (std::vector<std::int64_t>{-1}));
  EXPECT_EQ(trace.contents.at("flag").to_int64s(), (std::vector<std::int64_t>{1}));
  EXPECT_FALSE(trace.contents.contains("y"));
  EXPECT_EQ(trace.shapes.at("zero"), Shape{});
}

TEST(TraceModel, LeavesOutLongContents) {
  const Model model = model_from_text(R"(
<ir_version: 8, opset_import: ["" : 17]>
g (int64[8] x) => (int64[8] y) { y = Neg(x) })");
  const Tensor x = Tensor::zeros(DType::kInt64, {8});
  EXPECT_TRUE(trace_model(model, {{"x", x}}, 8).contents.contains("y"));
  const Trace trace = trace_model(model, {{"x", x}}, 7);
  EXPECT_FALSE(trace.contents.contains("y"));
  EXPECT_EQ(trace.shapes.at("y"), Shape{8});
}

TEST(TraceModel, LeavesOutSequencesAndOmittedOutputs) {
  const Model model = model_from_text(R"(
<ir_version: 8, opset_import: ["" : 17]>
g (float[1, 2, 4, 4] x) => (float[1, 2, 2, 2] y, seq(float[1, 2, 2, 2]) s2)
<int64 first = {0}>
{
  p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (x)
  s = SequenceConstruct(p, p)
  e = SequenceAt(s, first)
  y = Relu(e)
  s2 = Identity(s)
})");
  const Trace trace = trace_model(model, {{"x", Tensor::zeros(DType::kFloat32, {1, 2, 4, 4})}});
  EXPECT_EQ(trace.shapes.at("p"), (Shape{1, 2, 2, 2}));
  EXPECT_EQ(trace.shapes.at("e"), (Shape{1, 2, 2, 2}));
  EXPECT_EQ(trace.shapes.at("y"), (Shape{1, 2, 2, 2}));
  EXPECT_FALSE(trace.shapes.contains("s"));
  EXPECT_FALSE(trace.shapes.contains("s2"));
}

TEST(TraceModel, LeavesOutAValueThatCannotBeAnOutput) {
  // An optional without a value is no tensor at run time.
  const Model model = model_from_text(R"(
<ir_version: 8, opset_import: ["" : 18]>
g (float[3] x) => (float[3] y)
{
  a = Abs(x)
  o = Optional(a)
  has = OptionalHasElement(o)
  b = OptionalGetElement(o)
  c = Neg(b)
  y = Exp(c)
})");
  const Trace trace = trace_model(model, {{"x", Tensor::zeros(DType::kFloat32, {3})}});
  EXPECT_FALSE(trace.shapes.contains("o"));
  for (const char* name : {"a", "b", "c", "y"}) EXPECT_EQ(trace.shapes.at(name), Shape{3}) << name;
  EXPECT_EQ(trace.dtypes.at("has"), DType::kBool);
}

TEST(TraceModel, TracesARealModelWhole) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  const Model model = load_model(shared / "models" / "cifar10_resnet20.onnx");
  const Trace trace = trace_model(model, random_inputs(model.graph.inputs));
  for (const Node& node : model.graph.nodes)
    for (const std::string& output : node.outputs)
      EXPECT_TRUE(output.empty() || trace.shapes.contains(output)) << output;
  EXPECT_EQ(trace.shapes.at(model.graph.outputs[0].name), (Shape{1, 10}));
}

TEST(TraceModel, SaysWhyAModelDoesNotRun) {
  const Model model = model_from_text(R"(
<ir_version: 8, opset_import: ["" : 17]>
g (float[N] x, float[M] z) => (float[K] y) { y = Add(x, z) })");
  const Tensor two = Tensor::zeros(DType::kFloat32, {2});
  expect_error([&] { (void)trace_model(model, {{"x", two}, {"z", Tensor::zeros(DType::kFloat32, {3})}}); },
               ErrorCode::kUnsupported, {"does not run"});
  expect_error([&] { (void)trace_model(model, {{"x", two}}); }, ErrorCode::kInvalidArgument, {"'z' is missing"});
}

}  // namespace
}  // namespace pare::testing
