#include "pare/inspect.h"

#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// ResNet-50 as torchvision has it (the 3 x 3 convolution of a block strides), BatchNormalization folded; every weight
/// looks at the same zeros.
class ResNet50 {
 public:
  ResNet50() {
    model.set_opset(13);
    graph().name = "resnet50";
    graph().inputs.push_back(
        info("x", {{.value = {}, .symbol = "N", .denotation = {}}, number(3), number(224), number(224)}));
    std::string value = conv("x", 3, 64, 7, 2, 3);
    value = node("MaxPool", {relu(value)}, {{"kernel_shape", {3, 3}}, {"strides", {2, 2}}, {"pads", {1, 1, 1, 1}}});
    std::int64_t channels = 64;
    const std::int64_t blocks[] = {3, 4, 6, 3};
    for (std::int64_t stage = 0; stage < 4; ++stage)
      for (std::int64_t block = 0; block < blocks[stage]; ++block) {
        const std::int64_t width = 64 << stage, stride = stage > 0 && block == 0 ? 2 : 1;
        std::string main = relu(conv(value, channels, width, 1, 1, 0));
        main = relu(conv(main, width, width, 3, stride, 1));
        main = conv(main, width, 4 * width, 1, 1, 0);
        if (block == 0) value = conv(value, channels, 4 * width, 1, stride, 0);
        value = relu(node("Add", {main, value}, {}));
        channels = 4 * width;
      }
    value = node("Flatten", {node("GlobalAveragePool", {value}, {})}, {});
    weight("fc.w", {1000, 2048}), weight("fc.b", {1000});
    value = node("Gemm", {value, "fc.w", "fc.b"}, {});
    graph().nodes.back().set_attribute("transB", std::int64_t{1});
    graph().outputs.push_back(info(value, {{.value = {}, .symbol = "N", .denotation = {}}, number(1000)}));
  }
  Model model;

 private:
  Graph& graph() { return model.graph; }
  static Dim number(std::int64_t value) { return {.value = value, .symbol = {}, .denotation = {}}; }
  static ValueInfo info(const std::string& name, std::vector<Dim> dims) {
    return {
        .name = name, .dtype = DType::kFloat32, .shape = std::move(dims), .doc = {}, .opaque_type = {}, .metadata = {}};
  }
  void weight(const std::string& name, const Shape& shape) {
    const auto bytes = static_cast<std::size_t>(element_count(shape)) * 4;
    graph().initializers.set(name, Tensor::view(DType::kFloat32, shape, zeros_, std::span(*zeros_).first(bytes)));
  }
  std::string node(const char* op, std::vector<std::string> inputs,
                   const std::vector<std::pair<const char*, std::vector<std::int64_t>>>& attributes) {
    Node made;
    made.op_type = op;
    made.inputs = std::move(inputs);
    made.outputs = {"v" + std::to_string(graph().nodes.size())};
    for (const auto& [name, values] : attributes) made.set_attribute(name, values);
    graph().nodes.push_back(made);
    return made.outputs[0];
  }
  std::string relu(const std::string& value) { return node("Relu", {value}, {}); }
  std::string conv(const std::string& value, std::int64_t in, std::int64_t out, std::int64_t kernel,
                   std::int64_t stride, std::int64_t pad) {
    const std::string name = "w" + std::to_string(graph().nodes.size());
    weight(name, {out, in, kernel, kernel}), weight(name + "b", {out});
    return node("Conv", {value, name, name + "b"}, {{"strides", {stride, stride}}, {"pads", {pad, pad, pad, pad}}});
  }
  std::shared_ptr<const std::vector<std::byte>> zeros_ =
      std::make_shared<const std::vector<std::byte>>(std::size_t{4} * 512 * 512 * 9);
};

TEST(InspectModel, CountsResNet50AsTheLiteratureDoes) {
  const ResNet50 net;
  check_model(net.model);
  const Inspection seen = inspect_model(net.model);
  EXPECT_EQ(seen.total_macs, 4089184256);              // convolutions and the fully connected layer, at 224 x 224
  EXPECT_EQ(seen.total_parameters, 25557032 - 26560);  // torch's count, its two BatchNorm vectors folded into one bias
  EXPECT_EQ(seen.unknown_macs, 0);
  EXPECT_EQ(seen.classes, 1000);
  EXPECT_EQ(inspect_model(net.model, {.batch = 4, .image_size = 0, .symbols = {}, .input_shapes = {}, .trace = nullptr})
                .total_macs,
            4 * 4089184256);
}

TEST(InspectModel, CountsTheCifarNetworksByHand) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  const Inspection twenty = inspect_model(load_model(shared / "models/cifar10_resnet20.onnx"));
  EXPECT_EQ(twenty.total_macs, 40551040);  // 442,368 + 14,155,776 + 2 * 12,976,128 + 640
  EXPECT_EQ(twenty.total_parameters, 269034);
  EXPECT_EQ(twenty.task_text, "classification into 10 classes");
  const Inspection more = inspect_model(load_model(shared / "models/cifar10_resnet56.onnx"));
  EXPECT_EQ(more.total_macs, 125485696);
}

const char* const kNet = R"(
  <ir_version: 8, opset_import: ["" : 13]>
  g (float[N, 2, 4, 4] x) => (float[N, 3] y)
  <float[2, 2, 1, 1] w = {1, 2, 3, 4}, float[2] b = {1, 2}, float[2] s = {1, 1}, float[3, 2] f = {1, 2, 3, 4, 5, 6},
   float[4] idle = {0, 0, 0, 0}, float half = {0.5}, int64[2] to = {0, -1}> {
    [c1] c = Conv(x, w, b)
    [n1] n = BatchNormalization(c, s, b, b, s)
    [m1] m = Mul(n, half)
    [p1] p = GlobalAveragePool(m)
    [r1] v = Reshape(p, to)
    [g1] y = Gemm <transB = 1> (v, f)
  })";

TEST(InspectModel, GivesEachNodeItsCosts) {
  const Inspection seen = inspect_model(model_from_text(kNet));
  ASSERT_EQ(seen.nodes.size(), 6U);
  const NodeCost& conv = seen.nodes[0];
  EXPECT_EQ(conv.label, "Conv 'c1'");
  EXPECT_THAT(conv.output_shapes, ElementsAre(std::optional(Shape{1, 2, 4, 4})));
  EXPECT_EQ(conv.macs, 2 * 16 * 2);
  EXPECT_EQ(conv.parameters, 6);
  EXPECT_EQ(conv.weight_bytes, 24);
  EXPECT_EQ(seen.nodes[1].parameters, 4);     // scale and shift, not mean and variance
  EXPECT_EQ(seen.nodes[1].weight_bytes, 16);  // s and b, each stored once
  EXPECT_EQ(seen.nodes[1].macs, 0);
  EXPECT_EQ(seen.nodes[2].parameters, 0);  // a factor of one half is no parameter
  EXPECT_EQ(seen.nodes[2].weight_bytes, 4);
  EXPECT_EQ(seen.nodes[4].parameters, 0);  // a shape
  EXPECT_EQ(seen.nodes[5].macs, 6);
  EXPECT_EQ(seen.total_macs, 70);
  EXPECT_EQ(seen.total_parameters, 4 + 2 + 2 + 6);  // b is shared by two nodes
  EXPECT_DOUBLE_EQ(conv.mac_share, 64.0 / 70);
  EXPECT_EQ(seen.weight_bytes, 4 * (4 + 2 + 2 + 6 + 4 + 1) + 16);
  EXPECT_THAT(seen.bytes_by_dtype, ElementsAre(std::pair(DType::kFloat32, 76), std::pair(DType::kInt64, 16)));
  EXPECT_THAT(seen.notes, ElementsAre(HasSubstr("1 stored tensor (16 bytes) that nothing reads")));
  EXPECT_EQ(seen.op_counts.size(), 6U);
}

TEST(InspectModel, DescribesInputsAndOutputs) {
  const Inspection seen = inspect_model(model_from_text(kNet));
  EXPECT_EQ(seen.inputs[0].declared, "float32 [N, 2, 4, 4]");
  EXPECT_EQ(seen.inputs[0].shape, (Shape{1, 2, 4, 4}));
  EXPECT_EQ(seen.outputs[0].declared, "float32 [N, 3]");
  EXPECT_EQ(seen.outputs[0].shape, (Shape{1, 3}));
}

TEST(InspectModel, SeesWeightsThroughDequantizeLinear) {
  const Inspection seen = inspect_model(model_from_text(R"(
    <ir_version: 8, opset_import: ["" : 13]>
    g (float[1, 2, 4, 4] x) => (float[] y)
    <int8[2, 2, 1, 1] q = {1, 2, 3, 4}, float[2] s = {0.1, 0.2}, int8[2] z = {0, 0}> {
      w = DequantizeLinear <axis = 0> (q, s, z)
      y = Conv(x, w)
    })"));
  EXPECT_EQ(seen.nodes[0].weight_bytes, 0);  // runs with no data: its tensors count where they are used
  EXPECT_EQ(seen.nodes[1].parameters, 4);
  EXPECT_EQ(seen.nodes[1].weight_bytes, 4 + 8 + 2);
  EXPECT_EQ(seen.nodes[1].macs, 64);
  EXPECT_EQ(seen.total_parameters, 4);
}

TEST(InspectModel, LeavesOpenWhatSizesWouldTell) {
  const Model model = model_from_text(R"(
    <ir_version: 8, opset_import: ["" : 13]>
    g (float[N, 1, H, W] x) => (float[] y) <float[1, 1, 1, 1] w = {1}> { y = Conv(x, w) })");
  const Inspection open = inspect_model(model);
  EXPECT_EQ(open.nodes[0].macs, std::nullopt);
  EXPECT_EQ(open.unknown_macs, 1);
  EXPECT_THAT(open.notes, ElementsAre(HasSubstr("input 'x' has open sizes (H, W)")));
  EXPECT_EQ(inspect_model(model, {.batch = 2, .image_size = 10, .symbols = {}, .input_shapes = {}, .trace = nullptr})
                .total_macs,
            200);
  EXPECT_EQ(
      inspect_model(model, {.batch = 1, .image_size = 10, .symbols = {{"W", 3}}, .input_shapes = {}, .trace = nullptr})
          .total_macs,
      30);
  EXPECT_EQ(
      inspect_model(
          model, {.batch = 1, .image_size = 0, .symbols = {}, .input_shapes = {{"x", {5, 1, 2, 2}}}, .trace = nullptr})
          .total_macs,
      20);
  Trace trace;
  trace.shapes["y"] = {1, 1, 7, 7};
  const Inspection traced =
      inspect_model(model, {.batch = 1, .image_size = 0, .symbols = {}, .input_shapes = {}, .trace = &trace});
  EXPECT_EQ(traced.total_macs, 49);
  EXPECT_THAT(traced.notes, IsEmpty());
}

TEST(InspectModel, CountsSubgraphsAndForeignOperatorsAsOneNode) {
  const Inspection seen = inspect_model(model_from_text(R"(
    <ir_version: 8, opset_import: ["" : 17, "com.acme" : 1, "own" : 1]>
    g (float[2, 3] x, bool cond) => (float[] y, float[] z, float[] u) <float[3, 2] outer = {1, 2, 3, 4, 5, 6}> {
      y = If(cond) <
        then_branch = t () => (float[2, 2] p) { p = MatMul(x, outer) },
        else_branch = e () => (float[2, 2] q) <float[3, 2] inner = {1, 2, 3, 4, 5, 6}> { q = MatMul(x, inner) }
      >
      z = com.acme.Secret(x)
      u = own.twice(x)
    }
    <domain: "own", opset_import: ["" : 17]> twice (v) => (r) { r = Add(v, v) })"));
  EXPECT_EQ(seen.nodes[0].macs, std::nullopt);
  EXPECT_THAT(seen.nodes[0].note, HasSubstr("holds a subgraph"));
  EXPECT_EQ(seen.nodes[0].parameters, 12);
  EXPECT_EQ(seen.nodes[0].weight_bytes, 48);
  EXPECT_EQ(seen.total_parameters, 12);
  EXPECT_EQ(seen.weight_bytes, 48);
  EXPECT_EQ(seen.nodes[1].macs, std::nullopt);
  EXPECT_THAT(seen.nodes[2].note, HasSubstr("function of the model"));
  EXPECT_EQ(seen.unknown_macs, 3);
}

TEST(InspectModel, SurvivesAbsurdSizes) {
  const Inspection seen = inspect_model(model_from_text(R"(
    <ir_version: 8, opset_import: ["" : 13]>
    g (float[4000000000, 4000000000] x, float[4000000000, 4000000000] z) => (float[] y) { y = MatMul(x, z) })"));
  EXPECT_EQ(seen.nodes[0].macs, std::nullopt);
}

}  // namespace
}  // namespace pare::testing
