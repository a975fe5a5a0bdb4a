// One small network per operator: converted, loaded, run in both runtimes, close to the float one.
#include <fmt/format.h>

#include <cmath>

#include "core/random.h"
#include "pare/model_io.h"
#include "quantize/convert.h"
#include "support/support.h"

namespace pare::testing {
namespace {

struct Case {
  std::string name;
  int opset;
  std::string output;  ///< type of y
  std::string nodes;   ///< from h (float[1,4,8,8]) to y
  bool half = true;    ///< whether the operator is expected to become float16
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

Tensor random_tensor(Shape shape, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (float& value : values) value = static_cast<float>(rng.uniform(-1, 1));
  return Tensor::of<float>(std::move(shape), values);
}

const std::vector<Case>& cases() {
  static const std::string kMap = "float[1,4,8,8]";
  static const std::vector<Case> kCases = {
      {"ConvTranspose", 11, "float[1,4,17,17]", "y = ConvTranspose <strides = [2,2]> (h, w44)"},
      {"PRelu", 9, kMap, "y = PRelu (h, c411)"},
      {"Clip6", 6, kMap, "y = Clip <min = -0.5, max = 0.5> (h)"},
      {"Clip11", 11, kMap, "y = Clip (h, low, high)"},
      {"HardSwish", 14, kMap, "y = HardSwish (h)"},
      {"HardSigmoid", 6, kMap, "y = HardSigmoid (h)"},
      {"Gelu", 20, kMap, "y = Gelu (h)"},
      {"Mish", 18, kMap, "y = Mish (h)"},
      {"Erf", 13, kMap, "y = Erf (h)"},
      {"Elu", 6, kMap, "y = Elu (h)"},
      {"Selu", 6, kMap, "y = Selu (h)"},
      {"Celu", 12, kMap, "y = Celu (h)", false},
      {"ThresholdedRelu", 10, kMap, "y = ThresholdedRelu (h)"},
      {"Where", 16, kMap, "q = Less (h, low)\n y = Where (q, high, h)"},
      {"Pad2", 10, "float[1,4,10,10]", "y = Pad <pads = [0,0,1,1,0,0,1,1], value = 0.5> (h)"},
      {"Pad13", 13, "float[1,4,10,10]", "y = Pad (h, pads, low)"},
      {"TopK", 11, "float[1,4,8,2]", "y, i = TopK (h, two)"},
      {"Gemm", 13, "float[1,4]", "f = Flatten (h)\n y = Gemm <transB = 1> (f, w4x256, c4)"},
      {"Einsum", 12, "float[1,4,8,8]", "y = Einsum <equation = \"nchw,dc->ndhw\"> (h, m44)"},
      {"DepthToSpace", 13, "float[1,1,16,16]", "y = DepthToSpace <blocksize = 2> (h)"},
      {"SpaceToDepth", 13, "float[1,16,4,4]", "y = SpaceToDepth <blocksize = 2> (h)"},
      {"Upsample9", 9, "float[1,4,16,16]", "y = Upsample (h, scales)"},
      {"Resize10", 10, "float[1,4,16,16]", "y = Resize (h, scales)"},
      {"Split13", 13, "float[1,2,8,8]", "a, b = Split <axis = 1> (h, halves)\n y = Add (a, b)"},
      {"Split18", 18, "float[1,2,8,8]", "a, b = Split <axis = 1, num_outputs = 2> (h)\n y = Mul (a, b)"},
      {"Tile", 13, "float[1,4,8,16]", "y = Tile (h, repeats)"},
      {"Expand", 13, "float[2,4,8,8]", "y = Expand (h, twice)"},
      {"GatherElements", 13, "float[1,4,8,8]",
       "i, j = TopK <axis = 3> (h, eight)\n y = GatherElements <axis = 3> (h, j)"},
      {"MaxPool", 12, "float[1,4,4,4]", "y = MaxPool <kernel_shape = [2,2], strides = [2,2]> (h)"},
      {"AveragePool", 11, "float[1,4,7,7]", "y = AveragePool <kernel_shape = [2,2]> (h)"},
      {"GlobalMaxPool", 1 + 8, "float[1,4,1,1]", "y = GlobalMaxPool (h)"},
      {"LpPool", 11, "float[1,4,7,7]", "y = LpPool <kernel_shape = [2,2]> (h)", false},
      {"Dropout", 13, kMap, "y = Dropout (h, low)"},
      {"ReduceMax13", 13, "float[1,4,1,1]", "y = ReduceMax <axes = [2,3]> (h)"},
      {"ReduceMean18", 18, "float[1,4,1,1]", "y = ReduceMean (h, axes23)"},
      {"ReduceL2", 13, "float[1,4,1,1]", "y = ReduceL2 <axes = [2,3]> (h)", false},
      {"CumSum", 14, kMap, "y = CumSum (h, axis)"},
      {"GridSample", 16, "float[1,4,2,2]", "y = GridSample (h, grid)"},
      {"Trilu", 14, kMap, "y = Trilu (h)"},
      {"Round", 11, kMap, "y = Round (h)"},
      {"Mod", 13, kMap, "y = Mod <fmod = 1> (h, high)"},
      {"Pow", 13, kMap, "y = Pow (h, two_float)"},
      {"SumMeanMaxMin", 13, kMap, "a = Sum (h, h, x)\n b = Mean (a, h)\n d = Max (b, h, x)\n y = Min (d, h)"},
      {"BatchNormalization9", 9, kMap, "y = BatchNormalization (h, c4, c4, c4, ones4)"},
      {"BatchNormalization15", 15, kMap, "y = BatchNormalization (h, c4, c4, c4, ones4)"},
      {"InstanceNormalization", 6, kMap, "y = InstanceNormalization (h, c4, c4)", false},
      {"LayerNormalization", 17, kMap, "y = LayerNormalization (h, c8, c8)", false},
      {"GroupNormalization", 21, kMap, "y = GroupNormalization <num_groups = 2> (h, c4, c4)", false},
      {"LRN", 13, kMap, "y = LRN <size = 3> (h)", false},
      {"LpNormalization", 1 + 8, kMap, "y = LpNormalization <axis = 1> (h)", false},
      {"Softplus", 1 + 8, kMap, "y = Softplus (h)", false},
      {"LogSoftmax", 13, kMap, "y = LogSoftmax (h)", false},
      {"Lstm", 14, "float[8,1,4,4]", "s = Reshape (h, sequence)\n y = LSTM <hidden_size = 4> (s, lstm_w, lstm_r)"},
      {"Gru", 14, "float[8,1,4,4]", "s = Reshape (h, sequence)\n y = GRU <hidden_size = 4> (s, gru_w, gru_r)"},
      {"OneHot", 11, kMap, "i = ArgMax <axis = 3, keepdims = 0> (h)\n o = OneHot (i, eight, on_off)\n y = Mul (o, h)"},
      {"ScatterND", 16, kMap, "y = ScatterND (h, place, row)"},
      {"RoiAlign", 16, "float[1,4,2,2]", "y = RoiAlign <output_height = 2, output_width = 2> (h, roi, zero1)", false},
      {"CastLike", 15, kMap, "i = Shape (h)\n f = CastLike (i, h)\n t = Reshape (f, shape411)\n y = Mul (h, t)"},
      {"NotEqualIsNan", 13, kMap, "n = IsNaN (h)\n y = Where (n, low, h)"},
      {"SequenceOps", 13, kMap, "s = SequenceConstruct (h, h)\n y = SequenceAt (s, zero)", false},
      {"Identity", 16, kMap, "y = Identity (h)"},
      {"Optional", 16, kMap, "p = Optional (h)\n y = OptionalGetElement (p)", false},
  };
  return kCases;
}

Model build(const Case& one) {
  Model model = model_from_text(
      fmt::format("<ir_version: 8, opset_import: [\"\" : {}]>\n net (float[1,4,8,8] x) => ({} y, float[1,4,8,8] g) {{\n"
                  "h = Conv <pads = [1,1,1,1]> (x, w44)\n {}\n g = Conv <pads = [1,1,1,1]> (h, w44)\n}}",
                  one.opset, one.output, one.nodes));
  Initializers& weights = model.graph.initializers;
  const auto floats = [&](const char* name, Shape shape) { weights.set(name, random_tensor(std::move(shape), 3)); };
  const auto ints = [&](const char* name, const std::vector<std::int64_t>& values) {
    weights.set(name, Tensor::of<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
  };
  floats("w44", {4, 4, 3, 3}), floats("c411", {4, 1, 1}), floats("w4x256", {4, 256}), floats("c4", {4});
  floats("c8", {8}), floats("m44", {4, 4}), floats("grid", {1, 2, 2, 2}), floats("row", {1, 4, 8, 8});
  floats("lstm_w", {1, 16, 8}), floats("lstm_r", {1, 16, 4}), floats("gru_w", {1, 12, 8}), floats("gru_r", {1, 12, 4});
  weights.set("low", Tensor::scalar(0.25F));
  weights.set("high", Tensor::scalar(0.75F));
  weights.set("two_float", Tensor::scalar(2.0F));
  weights.set("ones4", Tensor::of<float>({4}, {1, 1, 1, 1}));
  weights.set("on_off", Tensor::of<float>({2}, {0, 1}));
  weights.set("roi", Tensor::of<float>({1, 4}, {0, 0, 6, 6}));
  weights.set("scales", Tensor::of<float>({4}, {1, 1, 2, 2}));
  weights.set("axis", Tensor::scalar<std::int64_t>(3));
  weights.set("zero", Tensor::scalar<std::int64_t>(0));
  ints("two", {2}), ints("eight", {8}), ints("zero1", {0}), ints("axes23", {2, 3}), ints("halves", {2, 2});
  ints("pads", {0, 0, 1, 1, 0, 0, 1, 1}), ints("repeats", {1, 1, 1, 2}), ints("twice", {2, 4, 8, 8});
  ints("sequence", {8, 4, 8}), ints("shape411", {1, 4, 1, 1});
  weights.set("place", Tensor::of<std::int64_t>({1, 1}, {0}));
  // What no node reads would be carried along and confuse the figures.
  const GraphIndex index(model.graph);
  weights.keep_if([&](const std::string& name) { return !index.uses(name).empty(); });
  return model;
}

double worst_share(const std::vector<Tensor>& wanted, const std::vector<Tensor>& got) {
  double worst = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto a = wanted[i].to_floats(), b = got[i].to_floats();
    double range = 1e-30, gap = 0;
    for (std::size_t j = 0; j < a.size(); ++j) {
      range = std::max(range, std::abs(static_cast<double>(a[j])));
      const double difference = std::abs(static_cast<double>(a[j]) - b[j]);
      if (!(difference <= gap)) gap = difference;
    }
    worst = std::max(worst, gap / range);
  }
  return worst;
}

std::unique_ptr<Session> open_in_openvino(const Model& model) {
  SessionOptions options;
  options.runtime = Runtime::kOpenVino;
  options.force_float32 = true;
  return open_session(model, options);
}
/// Null: OpenVINO is not there, or does not take the operator in float32 either.
std::unique_ptr<Session> reference_in_openvino(const Model& model) {
  if (!runtime_available(Runtime::kOpenVino)) return nullptr;
  try {
    return open_in_openvino(model);
  } catch (const Error&) {
    return nullptr;
  }
}

class ConvertOperators : public ::testing::TestWithParam<Case> {};

TEST_P(ConvertOperators, LoadAndStayClose) {
  const Case& one = GetParam();
  const Model model = build(one);
  const StepInfo step = convert();
  Context context;
  const NamedTensors inputs = {{"x", random_tensor({1, 4, 8, 8}, 9)}};
  for (const bool keep_io : {true, false}) {
    const StepResult result =
        step.run(model, StepOptions(step.options, {{"keep-io", keep_io ? "true" : "false"}}), context);
    check_model(result.model);
    EXPECT_GT(result.changes, 0) << "the Conv at the end at least";
    const std::string op = model.graph.nodes[model.graph.nodes.size() - 2].op_type;
    const bool is_half =
        std::any_of(result.done.begin(), result.done.end(), [&](const NodeReason& done) { return done.op_type == op; });
    EXPECT_EQ(is_half, one.half) << model_to_text(result.model);
    if (!keep_io) continue;
    const std::vector<Tensor> wanted = open_session(model)->run(inputs);
    for (const bool optimize : {true, false}) {
      SessionOptions options;
      options.optimize = optimize;
      // A value near a half may be rounded to either side.
      EXPECT_LT(worst_share(wanted, open_session(result.model, options)->run(inputs)),
                one.name == "Round" ? 0.5 : 2e-2);
    }
    const auto reference = reference_in_openvino(model);
    if (!reference) continue;
    EXPECT_LT(worst_share(reference->run(inputs), open_in_openvino(result.model)->run(inputs)),
              one.name == "Round" ? 0.5 : 2e-2);
  }
}

INSTANTIATE_TEST_SUITE_P(Operators, ConvertOperators, ::testing::ValuesIn(cases()),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace pare::testing
