#include "quantize/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/random.h"
#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

using ::testing::HasSubstr;

/// The same inputs again and again, as calibration data.
class Given : public Dataset {
 public:
  explicit Given(NamedTensors inputs) : inputs_(std::move(inputs)) {}
  [[nodiscard]] Task task() const override { return Task::kNone; }
  [[nodiscard]] std::int64_t size() const override { return 8; }
  [[nodiscard]] std::vector<std::string> class_names() const override { return {}; }
  [[nodiscard]] std::string description() const override { return "given inputs"; }
  [[nodiscard]] Batch batch(std::span<const std::int64_t> indices) const override {
    Batch batch;
    batch.inputs = inputs_;
    batch.size = static_cast<std::int64_t>(indices.size());
    return batch;
  }
  [[nodiscard]] std::string fingerprint() const override { return "given"; }

 private:
  NamedTensors inputs_;
};

Tensor random_tensor(Shape shape, double scale, std::uint64_t seed = 1) {
  Rng rng(seed);
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (float& value : values) value = static_cast<float>(rng.uniform(-scale, scale));
  return Tensor::of<float>(std::move(shape), values);
}

Model text_model(const std::string& text, const std::map<std::string, Shape>& weights = {}) {
  Model model = model_from_text(text);
  std::uint64_t seed = 1;
  for (const auto& [name, shape] : weights) model.graph.initializers.set(name, random_tensor(shape, 0.5, ++seed));
  return model;
}

StepResult converted(const Model& model, const std::map<std::string, std::string>& values = {},
                     const NamedTensors& data = {}) {
  const StepInfo step = convert();
  Context context;
  if (!data.empty()) context.data = std::make_shared<Given>(data);
  StepResult result = step.run(model, StepOptions(step.options, values), context);
  check_model(result.model);
  return result;
}
const std::map<std::string, std::string> kKeepIo = {{"keep-io", "true"}};

const Node& node_of(const Model& model, std::string_view name) {
  for (const Node& node : model.graph.nodes)
    if (node.name == name || node.op_type == name) return node;
  ADD_FAILURE() << "no node " << name << " in\n" << model_to_text(model);
  static const Node kNone;
  return kNone;
}

std::int64_t count(const Model& model, std::string_view op) {
  return std::count_if(model.graph.nodes.begin(), model.graph.nodes.end(),
                       [&](const Node& node) { return node.op_type == op; });
}
DType type_of(const Model& model, const std::string& value) {
  if (const Tensor* tensor = model.graph.initializers.find(value)) return tensor->dtype();
  const ValueTypes types = infer_types(model);
  const auto found = types.find(value);
  return found == types.end() ? DType::kUndefined : found->second.dtype;
}
DType input_type(const Model& model, std::string_view node, std::size_t index) {
  return type_of(model, node_of(model, node).input(index));
}
std::string reason(const StepResult& result, std::string_view op) {
  for (const NodeReason& skipped : result.skipped)
    if (skipped.op_type == op || skipped.node == op) return skipped.reason;
  return "(none)";
}

/// Both models on the same inputs, in ONNX Runtime with optimizations on and off; the worst difference of an output as
/// a share of its range.
double difference(const Model& before, const Model& after, const NamedTensors& inputs) {
  double worst = 0;
  const std::vector<Tensor> wanted = open_session(before)->run(inputs);
  NamedTensors fitting = inputs;
  for (auto& [name, tensor] : fitting)
    if (after.graph.find_input(name)->dtype == DType::kFloat16) {
      std::vector<std::byte> bytes(static_cast<std::size_t>(tensor.element_count()) * 2);
      const auto values = tensor.to_floats();
      for (std::size_t i = 0; i < values.size(); ++i) {
        const std::uint16_t half = float_to_half(values[i]);
        bytes[2 * i] = static_cast<std::byte>(half & 0xFF);
        bytes[2 * i + 1] = static_cast<std::byte>(half >> 8);
      }
      tensor = Tensor::from_bytes(DType::kFloat16, tensor.shape(), std::move(bytes));
    }
  for (const bool optimize : {true, false}) {
    SessionOptions options;
    options.optimize = optimize;
    const std::vector<Tensor> got = open_session(after, options)->run(fitting);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const auto a = wanted[i].to_floats(), b = got[i].to_floats();
      double range = 1e-30, gap = 0;
      for (std::size_t j = 0; j < a.size(); ++j) {
        if (std::isnan(a[j]) != std::isnan(b[j])) return 1e30;
        range = std::max(range, std::abs(static_cast<double>(a[j])));
        gap = std::max(gap, std::abs(static_cast<double>(a[j]) - b[j]));
      }
      worst = std::max(worst, gap / range);
    }
  }
  return worst;
}

constexpr const char* kTwoConvs = R"(<ir_version: 8, opset_import: ["" : 17]>
  net (float[N,3,8,8] x) => (float[N,4,8,8] y) {
    [conv1] a = Conv <pads = [1,1,1,1]> (x, w1, b1)
    [relu1] r = Relu (a)
    [conv2] y = Conv <pads = [1,1,1,1]> (r, w2)
  })";
Model two_convs() { return text_model(kTwoConvs, {{"w1", {8, 3, 3, 3}}, {"b1", {8}}, {"w2", {4, 8, 3, 3}}}); }

TEST(Convert, WeightsAndActivationsBecomeFloat16) {
  const Model model = two_convs();
  const StepResult result = converted(model);
  EXPECT_EQ(result.model.graph.inputs[0].dtype, DType::kFloat16);
  EXPECT_EQ(result.model.graph.outputs[0].dtype, DType::kFloat16);
  EXPECT_EQ(count(result.model, "Cast"), 0);
  for (const auto& entry : result.model.graph.initializers) EXPECT_EQ(entry.tensor.dtype(), DType::kFloat16);
  EXPECT_EQ(result.figures.at("weight_bytes_after") * 2, result.figures.at("weight_bytes_before"));
  EXPECT_EQ(result.done.size(), 3U);
  EXPECT_TRUE(result.skipped.empty());
  EXPECT_LT(difference(model, result.model, {{"x", random_tensor({2, 3, 8, 8}, 1)}}), 4e-3);
}

TEST(Convert, KeepIoLeavesTheInterfaceAndAddsOneCastAtEachBorder) {
  const Model model = two_convs();
  const StepResult result = converted(model, kKeepIo);
  EXPECT_EQ(result.model.graph.inputs[0].dtype, DType::kFloat32);
  EXPECT_EQ(result.model.graph.outputs[0].dtype, DType::kFloat32);
  EXPECT_EQ(result.model.graph.outputs[0].name, "y");
  EXPECT_EQ(count(result.model, "Cast"), 2);
  EXPECT_EQ(result.figures.at("casts_added"), 2);
  EXPECT_LT(difference(model, result.model, {{"x", random_tensor({2, 3, 8, 8}, 1)}}), 4e-3);
}

TEST(Convert, RunsInOpenVino) {
  std::string why;
  if (!runtime_available(Runtime::kOpenVino, &why)) GTEST_SKIP() << why;
  const Model model = two_convs();
  SessionOptions options;
  options.runtime = Runtime::kOpenVino;
  const NamedTensors inputs = {{"x", random_tensor({2, 3, 8, 8}, 1)}};
  const auto wanted = open_session(model)->run(inputs),
             got = open_session(converted(model, kKeepIo).model, options)->run(inputs);
  EXPECT_THAT(got[0].to_floats(), AllClose(wanted[0].to_floats(), {.atol = 0.05}));
}

TEST(Convert, OneCastServesAllReaders) {
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[N,3,8,8] x) => (float[N,4,8,8] y, float[N,4,8,8] z, float[N,4,8,8] u) {
      [a] y = Conv <pads = [1,1,1,1]> (x, w1)
      [b] z = Conv <pads = [1,1,1,1]> (x, w2)
      s = Softmax (x)
      [c] u = Conv <pads = [1,1,1,1]> (s, w2)
    })",
                                 {{"w1", {4, 3, 3, 3}}, {"w2", {4, 3, 3, 3}}});
  const StepResult result = converted(model, kKeepIo);
  // x -> half, s -> half, y, z, u -> float.
  EXPECT_EQ(count(result.model, "Cast"), 5);
  EXPECT_EQ(node_of(result.model, "a").input(0), node_of(result.model, "b").input(0));
  EXPECT_EQ(node_of(result.model, "Softmax").input(0), "x");
}

TEST(Convert, ExcludedNodesKeepTheirWeightsAndWhatTheyCompute) {
  const Model model = two_convs();
  const StepResult result = converted(model, {{"exclude", "conv1"}, {"keep-io", "true"}});
  EXPECT_TRUE(result.model.graph.initializers.find("w1")->same_as(*model.graph.initializers.find("w1")));
  EXPECT_EQ(result.model.graph.initializers.find("w2")->dtype(), DType::kFloat16);
  EXPECT_THAT(reason(result, "Conv"), HasSubstr("excluded by 'conv1'"));
}

TEST(Convert, OnlyTheNamedNodes) {
  const StepResult result = converted(two_convs(), {{"only", "conv2"}, {"keep-io", "true"}});
  EXPECT_EQ(result.done.size(), 1U);
  EXPECT_EQ(result.model.graph.initializers.find("w1")->dtype(), DType::kFloat32);
  EXPECT_EQ(result.model.graph.initializers.find("w2")->dtype(), DType::kFloat16);
}

TEST(Convert, UnknownNamesAreErrorsWithTheNearest) {
  expect_error([] { converted(two_convs(), {{"exclude", "conv3"}}); }, ErrorCode::kInvalidArgument,
               {"exclude", "conv3", "'conv1'"});
  expect_error([] { converted(two_convs(), {{"only", "Covn"}}); }, ErrorCode::kInvalidArgument, {"only", "'Conv'"});
}

TEST(Convert, EverythingExcludedIsTheSameModel) {  // D8
  const Model model = two_convs();
  for (const char* words : {"*", "Conv,Relu"}) {
    const StepResult result = converted(model, {{"exclude", words}});
    EXPECT_EQ(serialize_model(result.model), serialize_model(model));
    EXPECT_EQ(result.changes, 0);
  }
}

TEST(Convert, ResizeKeepsRoiScalesAndSizes) {  // D1
  for (const int opset : {11, 13, 18, 19})
    for (const bool sizes : {false, true})
      for (const bool empty_roi : {false, true}) {
        SCOPED_TRACE(fmt::format("opset {}, sizes {}, roi constant {}", opset, sizes, empty_roi));
        Model model = text_model(fmt::format(R"(<ir_version: 8, opset_import: ["" : {}]>
          net (float[1,3,8,8] x) => (float[1,4,16,16] y) {{
            a = Conv <pads = [1,1,1,1]> (x, w1)
            r = Resize <mode = "linear"> (a, {}, {})
            y = Conv <pads = [1,1,1,1]> (r, w2)
          }})",
                                             opset, opset == 11 || empty_roi ? "roi" : "",
                                             sizes ? (opset == 11 ? "none, sizes" : ", sizes") : "scales"),
                                 {{"w1", {8, 3, 3, 3}}, {"w2", {4, 8, 3, 3}}});
        model.graph.initializers.set("roi", Tensor::of<float>({0}, {}));
        model.graph.initializers.set("none", Tensor::of<float>({0}, {}));
        model.graph.initializers.set("scales", Tensor::of<float>({4}, {1, 1, 2, 2}));
        model.graph.initializers.set("sizes", Tensor::of<std::int64_t>({4}, {1, 8, 16, 16}));
        const StepResult result = converted(model, kKeepIo);
        EXPECT_EQ(input_type(result.model, "Resize", 0), DType::kFloat16);
        for (const char* name : {"roi", "none", "scales"}) EXPECT_EQ(type_of(result.model, name), DType::kFloat32);
        EXPECT_EQ(type_of(result.model, "sizes"), DType::kInt64);
        EXPECT_LT(difference(model, result.model, {{"x", random_tensor({1, 3, 8, 8}, 1)}}), 4e-3);
      }
}

TEST(Convert, CastsToFloatAreRewrittenWhereAllReadersTakeFloat16) {  // D2
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (uint8[1,3,8,8] x) => (float[1,4,8,8] y) {
      f = Cast <to = 1> (x)
      s = Mul (f, scale)
      y = Conv <pads = [1,1,1,1]> (s, w1)
    })",
                                 {{"w1", {4, 3, 3, 3}}, {"scale", {1, 3, 1, 1}}});
  const StepResult result = converted(model);
  EXPECT_EQ(node_of(result.model, "Cast").int_or("to", 0), 10);
  EXPECT_EQ(count(result.model, "Cast"), 1);
  std::vector<std::uint8_t> pixels(192);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i);
  EXPECT_LT(difference(model, result.model, {{"x", Tensor::of<std::uint8_t>({1, 3, 8, 8}, pixels)}}), 4e-3);
}

TEST(Convert, WideIntegersStayFloat32UnlessSeenSmall) {  // D2, D14
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (int64[1,3,8,8] x) => (float[1,4,8,8] y) {
      f = Cast <to = 1> (x)
      s = Mul (f, scale)
      y = Conv <pads = [1,1,1,1]> (s, w1)
    })",
                                 {{"w1", {4, 3, 3, 3}}, {"scale", {1, 3, 1, 1}}});
  std::vector<std::int64_t> values(192, 100);
  const NamedTensors small = {{"x", Tensor::of<std::int64_t>({1, 3, 8, 8}, values)}};
  EXPECT_EQ(node_of(converted(model, {}, small).model, "Cast").int_or("to", 0), 10);
  values[5] = 4095;
  const NamedTensors large = {{"x", Tensor::of<std::int64_t>({1, 3, 8, 8}, values)}};
  const StepResult result = converted(model, {}, large);
  EXPECT_THAT(reason(result, "Cast"), HasSubstr("int64"));
  EXPECT_EQ(input_type(result.model, "Mul", 0), DType::kFloat32);
  EXPECT_EQ(input_type(result.model, "Conv", 0), DType::kFloat16);
  EXPECT_LT(difference(model, result.model, large), 4e-3);
}

TEST(Convert, GeneratorsStayFloat32AndConstantOfShapeIsRewritten) {  // D2
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[4,4] x) => (float[4,4] y, float[4,4] z) {
      e = EyeLike <dtype = 1> (x)
      n = RandomNormal <shape = [4,4], dtype = 1, seed = 1.0> ()
      shape = Constant <value = int64[2] {4, 4}> ()
      c = ConstantOfShape <value = float[1] {0.5}> (shape)
      a = MatMul (x, e)
      b = MatMul (a, c)
      y = MatMul (b, w)
      z = Identity (n)
    })",
                                 {{"w", {4, 4}}});
  const StepResult result = converted(model, kKeepIo);
  EXPECT_EQ(node_of(result.model, "EyeLike").int_or("dtype", 0), 1);
  EXPECT_EQ(node_of(result.model, "RandomNormal").int_or("dtype", 0), 1);
  EXPECT_EQ(std::get<Tensor>(node_of(result.model, "ConstantOfShape").find_attribute("value")->value).dtype(),
            DType::kFloat16);
  const Tensor x = random_tensor({4, 4}, 1);
  EXPECT_LT(difference(model, result.model, {{"x", x}}), 4e-3);
}

TEST(Convert, NodesAreInOrderEvenIfTheFileIsNot) {  // D3
  Model model = two_convs();
  std::rotate(model.graph.nodes.begin(), model.graph.nodes.begin() + 1, model.graph.nodes.end());
  sort_topologically(model.graph);
  const StepResult result = converted(model, kKeepIo);
  Graph graph = result.model.graph;
  EXPECT_FALSE(sort_topologically(graph));
  EXPECT_EQ(graph.nodes.front().op_type, "Cast");
  EXPECT_EQ(graph.nodes.back().op_type, "Cast");
}

TEST(Convert, NoCastsBetweenNodesThatStayFloat32) {  // D4
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[2,8] x) => (float[2,8] y) {
      a = MatMul (x, w)
      b = Softmax (a)
      r = Relu (b)
      c = Reshape (r, shape)
      d = LogSoftmax (c)
      y = MatMul (d, w)
    }
  )",
                                 {{"w", {8, 8}}});
  Model with_shape = model;
  with_shape.graph.initializers.set("shape", Tensor::of<std::int64_t>({2}, {2, 8}));
  const StepResult result = converted(with_shape, kKeepIo);
  EXPECT_EQ(count(result.model, "Cast"), 4);  // both borders, into b and out of d
  EXPECT_THAT(reason(result, "Relu"), HasSubstr("Casts"));
  EXPECT_THAT(reason(result, "Softmax"), HasSubstr("exponentials"));
}

TEST(Convert, CastsToFloat16AndBackVanish) {  // D4
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[2,8] x) => (float[2,8] y) {
      a = MatMul (x, w)
      h = Cast <to = 10> (a)
      f = Cast <to = 1> (h)
      y = MatMul (f, w)
    })",
                                 {{"w", {8, 8}}});
  const StepResult result = converted(model);
  EXPECT_EQ(count(result.model, "Cast"), 0);
  EXPECT_LT(difference(model, result.model, {{"x", random_tensor({2, 8}, 1)}}), 4e-3);
}

TEST(Convert, MeansOverLargeOrUnknownAreasStayFloat32) {  // D5
  for (const char* shape : {"1,3,512,512", "1,3,H,W"})
    for (const char* mean : {"ReduceMean <axes = [2,3]>", "GlobalAveragePool", "ReduceL1 <axes = [-1,-2]>"}) {
      SCOPED_TRACE(fmt::format("{} of [{}]", mean, shape));
      const Model model = text_model(fmt::format(R"(<ir_version: 8, opset_import: ["" : 17]>
        net (float[{}] x) => (float[1,4,1,1] y) {{
          c = Conv (x, w1)
          m = {} (c)
          y = Conv (m, w2)
        }})",
                                                 shape, mean),
                                     {{"w1", {3, 3, 1, 1}}, {"w2", {4, 3, 1, 1}}});
      const NamedTensors inputs = {{"x", Tensor::of<float>({1, 3, 512, 512}, std::vector<float>(3 * 512 * 512, 0.5F))}};
      const StepResult result = converted(model, kKeepIo, inputs);
      EXPECT_THAT(reason(result, std::string(mean).substr(0, std::string(mean).find(' '))), HasSubstr("area"));
      EXPECT_LT(difference(model, result.model, inputs), 4e-3);
    }
}

TEST(Convert, SmallMeansBecomeFloat16UnlessTheirSumsGrow) {  // D5
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[1,3,8,8] x) => (float[1,4,1,1] y) {
      c = Conv (x, w1)
      m = GlobalAveragePool (c)
      y = Conv (m, w2)
    })",
                                 {{"w1", {3, 3, 1, 1}}, {"w2", {4, 3, 1, 1}}});
  const NamedTensors usual = {{"x", random_tensor({1, 3, 8, 8}, 1)}},
                     large = {{"x", random_tensor({1, 3, 8, 8}, 5000)}};
  EXPECT_TRUE(converted(model, {}, usual).skipped.empty());
  EXPECT_THAT(reason(converted(model, {}, large), "GlobalAveragePool"), HasSubstr("sums 64 elements"));
}

TEST(Convert, VariancesStayFloat32) {  // D6
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[1,4,8,8] x) => (float[1,4,8,8] y) {
      c = Conv (x, w)
      n = InstanceNormalization (c, one, zero)
      m = ReduceMean <axes = [1,2,3]> (n)
      d = Sub (n, m)
      q = Mul (d, d)
      v = ReduceMean <axes = [1,2,3]> (q)
      s = Sqrt (v)
      g = Div (d, s)
      y = Conv (g, w)
    })",
                                 {{"w", {4, 4, 1, 1}}, {"one", {4}}, {"zero", {4}}});
  const NamedTensors inputs = {{"x", random_tensor({1, 4, 8, 8}, 300)}};
  const StepResult result = converted(model, kKeepIo, inputs);
  EXPECT_THAT(reason(result, "InstanceNormalization"), HasSubstr("products"));
  EXPECT_THAT(reason(result, "Mul"), HasSubstr("squares"));
  EXPECT_EQ(type_of(result.model, "one"), DType::kFloat32);
  EXPECT_LT(difference(model, result.model, inputs), 1e-2);
}

TEST(Convert, ValuesSeenBeyondHalfTheRangeStayFloat32) {  // D7
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[1,3,8,8] x) => (float[1,4,8,8] y) {
      [big] c = Conv (x, w1)
      [relu] r = Relu (c)
      [scale] s = Mul (r, small)
      [last] y = Conv (s, w2)
    })",
                                 {{"w1", {4, 3, 1, 1}}, {"small", {1, 4, 1, 1}}, {"w2", {4, 4, 1, 1}}});
  Model scaled = model;
  scaled.graph.initializers.set("w1", random_tensor({4, 3, 1, 1}, 100));
  scaled.graph.initializers.set("small", random_tensor({1, 4, 1, 1}, 1e-3));
  const NamedTensors inputs = {{"x", random_tensor({1, 3, 8, 8}, 1000)}};
  const StepResult result = converted(scaled, kKeepIo, inputs);
  EXPECT_THAT(reason(result, "Conv"), HasSubstr("'c' reaches"));
  EXPECT_THAT(reason(result, "Relu"), HasSubstr("'c' reaches"));
  EXPECT_EQ(result.model.graph.initializers.find("w2")->dtype(), DType::kFloat16);
  EXPECT_LT(difference(scaled, result.model, inputs), 4e-3);
  // The same network on small inputs has nothing to fear.
  EXPECT_TRUE(converted(scaled, kKeepIo, {{"x", random_tensor({1, 3, 8, 8}, 1)}}).skipped.empty());
}

TEST(Convert, InputsBeyondTheRangeStayFloat32WithoutKeepIo) {  // D7
  const NamedTensors inputs = {{"x", random_tensor({1, 3, 8, 8}, 60000)}};
  const StepResult result = converted(text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[1,3,8,8] x) => (float[1,3,8,8] y, float[1,4,8,8] z) {
      n = Mul (x, small)
      y = Conv (n, w1)
      z = Conv (n, w2)
    })",
                                                 {{"small", {1}}, {"w1", {3, 3, 1, 1}}, {"w2", {4, 3, 1, 1}}}),
                                      {}, inputs);
  EXPECT_EQ(result.model.graph.inputs[0].dtype, DType::kFloat32);
}

TEST(Convert, TinyConstantsKeepTheirNodeInFloat32) {  // D9
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[2,8] x) => (float[2,8] y) {
      a = MatMul (x, w)
      s = ReduceSum <keepdims = 1> (a, axis)
      e = Add (s, epsilon)
      d = Div (a, e)
      y = MatMul (d, w)
    }
  )",
                                 {{"w", {8, 8}}});
  Model with = model;
  with.graph.initializers.set("axis", Tensor::of<std::int64_t>({1}, {1}));
  with.graph.initializers.set("epsilon", Tensor::of<float>({1}, {1e-12F}));
  const NamedTensors zero = {{"x", Tensor::of<float>({2, 8}, std::vector<float>(16, 0.0F))}};
  const StepResult result = converted(with, kKeepIo, zero);
  EXPECT_THAT(reason(result, "Add"), HasSubstr("'epsilon' holds 1e-12"));
  EXPECT_LT(difference(with, result.model, zero), 1e-6);
}

TEST(Convert, TinySumsAreNotHandedToADivisionInFloat16) {  // D9
  // The sum itself is 1e-12 on this data; a Cast to float16 before the division would make it 0.
  Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[2,8] x) => (float[2,8] y) {
      e = Add (x, epsilon)
      d = Div (x, e)
      y = MatMul (d, w)
    })",
                           {{"w", {8, 8}}});
  model.graph.initializers.set("epsilon", Tensor::of<float>({1}, {1e-12F}));
  const StepResult result =
      converted(model, kKeepIo, {{"x", Tensor::of<float>({2, 8}, std::vector<float>(16, 0.25F))}});
  EXPECT_LT(difference(model, result.model, {{"x", Tensor::of<float>({2, 8}, std::vector<float>(16, 0.0F))}}), 1e-6);
}

TEST(Convert, WhatLeadsFromATinyConstantToADivisionStaysFloat32) {  // D9
  // The usual export of "divide by the norm": norm -> Clip(1e-12) -> Expand -> Div.
  Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[2,8] x) => (float[2,8] y) {
      a = MatMul (x, w)
      n = ReduceMax <axes = [1]> (a)
      c = Clip (n, epsilon)
      e = Expand (c, shape)
      d = Div (a, e)
      y = MatMul (d, w)
    })",
                           {{"w", {8, 8}}});
  model.graph.initializers.set("epsilon", Tensor::of<float>({}, {1e-12F}));
  model.graph.initializers.set("shape", Tensor::of<std::int64_t>({2}, {2, 8}));
  const NamedTensors usual = {{"x", random_tensor({2, 8}, 1)}};
  const StepResult result = converted(model, kKeepIo, usual);
  for (const char* op : {"Clip", "Expand", "Div"}) EXPECT_NE(reason(result, op), "(none)") << op;
  EXPECT_EQ(result.model.graph.initializers.find("w")->dtype(), DType::kFloat16);
  const NamedTensors zero = {{"x", Tensor::of<float>({2, 8}, std::vector<float>(16, 0.0F))}};
  EXPECT_LT(difference(model, result.model, zero), 1e-6);
}

TEST(Convert, TinyBiasesAreRoundedAway) {
  Model model = two_convs();
  model.graph.initializers.set("b1", Tensor::of<float>({8}, std::vector<float>(8, 1e-6F)));
  EXPECT_TRUE(converted(model).skipped.empty());
}

TEST(Convert, SigmoidBeforeAFloat32OutputStaysFloat32) {
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[1,3,8,8] x) => (float[1,4,8,8] y, float[1,8,8,4] z) {
      a = Conv (x, w)
      g = Sigmoid (a)
      b = Mul (a, g)
      y = Sigmoid (b)
      s = Sigmoid (a)
      z = Transpose <perm = [0,2,3,1]> (s)
    })",
                                 {{"w", {4, 3, 1, 1}}});
  EXPECT_EQ(converted(model, kKeepIo).figures.at("nodes_float32"), 3);  // y, s and the Transpose behind it
  EXPECT_EQ(converted(model).figures.at("nodes_float32"), 0);
}

TEST(Convert, ClipWithATinyLowerBoundStaysFloat32) {  // D9, attribute form
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 10]>
    net (float[2,8] x) => (float[2,8] y) {
      a = MatMul (x, w)
      c = Clip <min = 1e-12, max = 6.0> (a)
      d = Div (a, c)
      y = MatMul (d, w)
    })",
                                 {{"w", {8, 8}}});
  EXPECT_THAT(reason(converted(model, kKeepIo), "Clip"), HasSubstr("attribute 'min'"));
}

TEST(Convert, LargeConstantsKeepTheirNodeInFloat32) {  // D10
  Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[1,3,8,8] x) => (float[1,4,8,8] y) {
      n = Div (x, full)
      y = Conv (n, w)
    })",
                           {{"w", {4, 3, 1, 1}}});
  model.graph.initializers.set("full", Tensor::of<float>({1}, {65535}));
  const NamedTensors inputs = {{"x", Tensor::of<float>({1, 3, 8, 8}, std::vector<float>(192, 65535.0F))}};
  for (const bool keep_io : {true, false}) {
    const StepResult result = converted(model, {{"keep-io", keep_io ? "true" : "false"}}, inputs);
    EXPECT_THAT(reason(result, "Div"), HasSubstr("65535"));
    EXPECT_EQ(result.model.graph.initializers.find("full")->dtype(), DType::kFloat32);
    EXPECT_EQ(result.model.graph.inputs[0].dtype, DType::kFloat32);
    EXPECT_LT(difference(model, result.model, inputs), 4e-3);
  }
}

TEST(Convert, SentinelsAreComparedInFloat32) {  // D10
  Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[1,3,8,8] x) => (float[1,4,8,8] y) {
      m = Equal (x, nodata)
      c = Where (m, zero, x)
      y = Conv (c, w)
    })",
                           {{"w", {4, 3, 1, 1}}});
  model.graph.initializers.set("nodata", Tensor::of<float>({}, {-9999}));
  model.graph.initializers.set("zero", Tensor::of<float>({}, {0}));
  std::vector<float> pixels(192, 0.5F);
  pixels[3] = -9999;
  const NamedTensors inputs = {{"x", Tensor::of<float>({1, 3, 8, 8}, pixels)}};
  for (const bool keep_io : {true, false}) {
    const StepResult result = converted(model, {{"keep-io", keep_io ? "true" : "false"}}, inputs);
    EXPECT_THAT(reason(result, "Equal"), HasSubstr("whole numbers"));
    EXPECT_EQ(input_type(result.model, "Equal", 0), DType::kFloat32);
    EXPECT_EQ(result.model.graph.inputs[0].dtype, DType::kFloat32);
    EXPECT_EQ(result.model.graph.outputs[0].dtype, keep_io ? DType::kFloat32 : DType::kFloat16);
    EXPECT_LT(difference(model, result.model, inputs), 4e-3);
  }
}

TEST(Convert, BodiesOfIfStayFloat32WithWhatTheyCapture) {  // D11
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[2,8] x, bool on) => (float[2,8] y) {
      a = MatMul (x, w)
      b = If (on) <
        then_branch = yes () => (float[2,8] t) { t = Add (a, w2) },
        else_branch = no () => (float[2,8] e) { e = Sub (a, x) }
      >
      c = MatMul (b, w)
      d = Add (c, a)
      y = Add (d, w2)
    })",
                                 {{"w", {8, 8}}, {"w2", {2, 8}}});
  for (const bool keep_io : {true, false}) {
    const StepResult result = converted(model, {{"keep-io", keep_io ? "true" : "false"}});
    EXPECT_THAT(reason(result, "If"), HasSubstr("body"));
    EXPECT_EQ(result.model.graph.initializers.find("w2")->dtype(), DType::kFloat32);
    EXPECT_EQ(result.model.graph.initializers.find("w2_fp16")->dtype(), DType::kFloat16);
    for (const bool on : {true, false})
      EXPECT_LT(difference(model, result.model, {{"x", random_tensor({2, 8}, 1)}, {"on", Tensor::scalar<bool>(on)}}),
                4e-3);
  }
}

TEST(Convert, OneWeightForBothTypesIsStoredTwice) {  // D11
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[2,8] x) => (float[2,8] y) {
      [first] a = MatMul (x, w)
      [second] y = MatMul (a, w)
    })",
                                 {{"w", {8, 8}}});
  const StepResult result = converted(model, {{"exclude", "first"}, {"keep-io", "true"}});
  EXPECT_TRUE(result.model.graph.initializers.find("w")->same_as(*model.graph.initializers.find("w")));
  EXPECT_EQ(node_of(result.model, "second").input(1), "w_fp16");
  EXPECT_LT(difference(model, result.model, {{"x", random_tensor({2, 8}, 1)}}), 4e-3);
}

TEST(Convert, AnOutputThatIsAWeightOrAnInputIsLeft) {  // D11
  Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[2,8] x) => (float[2,8] y, float[8,8] w, float[2,8] x) {
      y = MatMul (x, w)
    })",
                           {{"w", {8, 8}}});
  const StepResult result = converted(model, kKeepIo);
  EXPECT_EQ(result.model.graph.initializers.find("w")->dtype(), DType::kFloat32);
  EXPECT_EQ(result.model.graph.initializers.find("w_fp16")->dtype(), DType::kFloat16);
  EXPECT_LT(difference(model, result.model, {{"x", random_tensor({2, 8}, 1)}}), 4e-3);
}

TEST(Convert, SaysThatFloat16IsNoSpeedOnX86) {  // D12
  const StepResult result = converted(two_convs());
  EXPECT_THAT(result.notes, ::testing::Contains(HasSubstr("time it before")));
}

TEST(Convert, CountsWeightsThatVanish) {  // D13
  Model model = two_convs();
  std::vector<float> weights = model.graph.initializers.find("w1")->to_floats();
  weights[0] = 1e-9F;
  weights[7] = -2e-8F;
  model.graph.initializers.set("w1", Tensor::of<float>({8, 3, 3, 3}, weights));
  const StepResult result = converted(model);
  EXPECT_EQ(result.figures.at("weights_to_zero"), 2);
  EXPECT_THAT(result.notes, ::testing::Contains(HasSubstr("2 of 512 weights")));
}

TEST(Convert, CoordinatesStayFloat32UntilAWeightedSum) {  // D14
  Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[1,4096] x) => (float[1,4096] boxes, float[1,8] y) {
      h = Sigmoid (x)
      p = Add (h, ramp)
      boxes = Mul (p, stride)
      y = MatMul (h, w)
    })",
                           {{"w", {4096, 8}}});
  std::vector<float> ramp(4096);
  for (std::size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<float>(i);
  model.graph.initializers.set("ramp", Tensor::of<float>({4096}, ramp));
  model.graph.initializers.set("stride", Tensor::of<float>({1}, {2}));
  const NamedTensors inputs = {{"x", random_tensor({1, 4096}, 1)}};
  const StepResult result = converted(model, {}, inputs);
  EXPECT_THAT(reason(result, "Add"), HasSubstr("'ramp'"));
  EXPECT_THAT(reason(result, "Mul"), HasSubstr("positions"));
  EXPECT_EQ(result.model.graph.outputs[0].dtype, DType::kFloat32);
  EXPECT_EQ(result.model.graph.outputs[1].dtype, DType::kFloat16);
  EXPECT_EQ(result.model.graph.initializers.find("ramp")->dtype(), DType::kFloat32);
  EXPECT_LT(difference(model, result.model, inputs), 4e-3);
}

TEST(Convert, SizesComputedInFloatsStayFloat32) {  // D14
  const Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[1,3,H,W] x) => (float[1,4,h,w] y) {
      s = Shape (x)
      f = Cast <to = 1> (s)
      g = Mul (f, factor)
      i = Floor (g)
      sizes = Cast <to = 7> (i)
      c = Conv <pads = [1,1,1,1]> (x, w1)
      y = Resize <mode = "nearest"> (c, , , sizes)
    })",
                                 {{"w1", {4, 3, 3, 3}}});
  Model with = model;
  with.graph.initializers.set("factor", Tensor::of<float>({4}, {1, 4.0F / 3, 2, 2}));
  const NamedTensors inputs = {{"x", random_tensor({1, 3, 31, 33}, 1)}};
  const StepResult result = converted(with, {}, inputs);
  EXPECT_EQ(input_type(result.model, "Mul", 0), DType::kFloat32);
  EXPECT_LT(difference(with, result.model, inputs), 4e-3);
}

TEST(Convert, UnknownDomainsStayFloat32WithCastsAround) {
  Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
    net (float[1,3,8,8] x) => (float[1,4,8,8] y) {
      a = Conv (x, w1)
      b = com.microsoft.FusedConv <activation = "Relu"> (a, w2)
      y = Conv (b, w2)
    })",
                           {{"w1", {4, 3, 1, 1}}, {"w2", {4, 4, 1, 1}}});
  const StepResult result = converted(model, kKeepIo, {{"x", random_tensor({1, 3, 8, 8}, 1)}});
  EXPECT_THAT(reason(result, "FusedConv"), HasSubstr("does not define com.microsoft.FusedConv"));
  EXPECT_EQ(result.done.size(), 2U);
  EXPECT_LT(difference(model, result.model, {{"x", random_tensor({1, 3, 8, 8}, 1)}}), 4e-3);
}

TEST(Convert, QuantizedArithmeticIsLeft) {
  Model model = text_model(R"(<ir_version: 10, opset_import: ["" : 21]>
    net (float[1,3,8,8] x) => (float[1,4,8,8] y) {
      q = QuantizeLinear (x, scale, zero)
      d = DequantizeLinear (q, scale, zero)
      y = Conv (d, w)
    })",
                           {{"w", {4, 3, 1, 1}}});
  model.graph.initializers.set("scale", Tensor::of<float>({}, {0.01F}));
  model.graph.initializers.set("zero", Tensor::of<std::uint8_t>({}, {128}));
  const StepResult result = converted(model, kKeepIo);
  EXPECT_THAT(reason(result, "DequantizeLinear"), HasSubstr("quantized already"));
  EXPECT_EQ(type_of(result.model, "scale"), DType::kFloat32);
  EXPECT_LT(difference(model, result.model, {{"x", random_tensor({1, 3, 8, 8}, 1)}}), 4e-3);
}

TEST(Convert, ConstantNodesAndWeightsListedAsInputsAreConverted) {
  Model model = text_model(R"(<ir_version: 3, opset_import: ["" : 9]>
    net (float[2,8] x) => (float[2,8] y) {
      k = Constant <value = float[1] {0.5}> ()
      a = MatMul (x, w)
      y = Mul (a, k)
    })",
                           {{"w", {8, 8}}});
  model.weights_as_inputs.push_back({.name = "w",
                                     .dtype = DType::kFloat32,
                                     .shape = std::vector<Dim>{{8, "", ""}, {8, "", ""}},
                                     .doc = {},
                                     .opaque_type = {},
                                     .metadata = {}});
  const StepResult result = converted(model);
  EXPECT_EQ(result.model.weights_as_inputs[0].dtype, DType::kFloat16);
  EXPECT_EQ(std::get<Tensor>(node_of(result.model, "Constant").find_attribute("value")->value).dtype(),
            DType::kFloat16);
  EXPECT_LT(difference(model, result.model, {{"x", random_tensor({2, 8}, 1)}}), 4e-3);
}

TEST(Convert, BatchNormalizationIsConvertedUnlessItsVarianceLosesDigits) {
  Model model = text_model(R"(<ir_version: 8, opset_import: ["" : 15]>
    net (float[1,3,8,8] x) => (float[1,4,8,8] y) {
      c = Conv (x, w)
      y = BatchNormalization (c, s, b, m, v)
    })",
                           {{"w", {4, 3, 1, 1}}, {"s", {4}}, {"b", {4}}, {"m", {4}}});
  model.graph.initializers.set("v", Tensor::of<float>({4}, {0.5F, 1, 2, 3e-9F}));
  const NamedTensors inputs = {{"x", random_tensor({1, 3, 8, 8}, 1)}};
  const StepResult usual = converted(model, {}, inputs);
  EXPECT_TRUE(usual.skipped.empty());
  EXPECT_LT(difference(model, usual.model, inputs), 1e-2);
  for (Node& node : model.graph.nodes)
    if (node.is("BatchNormalization")) node.set_attribute("epsilon", 1e-9F);
  EXPECT_THAT(reason(converted(model, {}, inputs), "BatchNormalization"), HasSubstr("loses digits"));
}

TEST(Convert, OldOperatorSetsAreRefusedWithTheRemedy) {
  Model model = two_convs();
  model.set_opset(5);
  expect_error([&] { converted(model); }, ErrorCode::kUnsupported, {"operator set 5", "raise_opset"});
}

TEST(Convert, SaysWhatTheRangesWereMeasuredOn) {
  EXPECT_THAT(converted(two_convs()).notes, ::testing::Contains(HasSubstr("one made-up input")));
  EXPECT_THAT(converted(two_convs(), {{"allow-random", "true"}}).notes, ::testing::Contains(HasSubstr("8 random")));
  EXPECT_THAT(converted(two_convs(), {}, {{"x", random_tensor({1, 3, 8, 8}, 1)}}).notes,
              ::testing::Contains(HasSubstr("8 samples of given inputs")));
}

TEST(Convert, TheSameModelGivesTheSameFile) {
  EXPECT_EQ(serialize_model(converted(two_convs(), kKeepIo).model),
            serialize_model(converted(two_convs(), kKeepIo).model));
}

}  // namespace
}  // namespace pare::testing
