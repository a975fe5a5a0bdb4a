#include "quantize/bias_correct.h"

#include "pare/model_io.h"
#include "quantize/samples.h"
#include "support/support.h"

namespace pare::testing {
namespace {

TEST(BiasCorrect, MeasuresTheShiftThatRoundedWeightsCause) {
  // Channel 0: one large weight makes the step 1/127, so that the others lose 0.4 steps each; inputs are positive.
  Model model = model_from_text(R"(<ir_version: 8, opset_import: ["": 17]>
  g (float[N,3,4,4] x) => (float[N,2,4,4] y) { y = Conv(x, w, b) })");
  const float step = 1.0f / 127;
  model.graph.initializers.set("w", Tensor::of<float>({2, 3, 1, 1}, {1, 10.4f * step, 5.4f * step, 1, 0, 0}));
  model.graph.initializers.set("b", Tensor::of<float>({2}, {0.5f, 0}));
  const Plan plan = plan_quantization(
      model.graph, {.target = &onnxruntime_target(), .user_reasons = {}, .float_outputs = false, .ranges = nullptr});
  const Ranges ranges = {{"x", {0, 1}}, {"y", {0, 4}}};
  const ListDataset data("x", random_samples({1, 3, 4, 4}, 60, 3, 0, 1));
  const auto shift = measure_bias_shift(model, plan, ranges, false, data, {}, silent_progress());
  ASSERT_EQ(shift.size(), 1u);
  EXPECT_NEAR(shift.at(0)[0], 0.8 * step * 0.5, 0.15 * step);
  EXPECT_NEAR(shift.at(0)[1], 0, 0.1 * step);
}

TEST(BiasCorrect, BringsTheMeanOfEveryLayerCloserToTheFloatNetwork) {
  for (const int opset : {17, 18}) {
    Model model = model_from_text(fmt::format(R"(<ir_version: 8, opset_import: ["": {}]>
    g (float[N,4,6,6] x) => (float[N,6] y) {{
      a = Conv<pads = [1,1,1,1]>(x, w0, b0)
      b = Relu(a)
      c = Conv<group = 4>(b, w1)
      d = Relu(c)
      p = GlobalAveragePool(d)
      q = Flatten(p)
      y = Gemm(q, w2, b2)
    }})",
                                              opset));
    add_weights(model, {{"w0", {4, 4, 3, 3}}, {"b0", {4}}, {"w1", {4, 1, 3, 3}}, {"w2", {4, 6}}, {"b2", {6}}}, 9);
    const auto data = std::make_shared<ListDataset>("x", random_samples({1, 4, 6, 6}, 80, 5), Task::kClassification);
    const auto shift_of = [&](const Model& quantized) {
      const auto real = open_session(model), other = open_session(quantized);
      std::vector<double> sum(6, 0);
      for (std::int64_t i = 0; i < data->size(); ++i) {
        const Batch batch = data->batch(std::vector<std::int64_t>{i});
        const Tensor a = real->run(batch.inputs)[0], b = other->run(batch.inputs)[0];
        for (std::size_t k = 0; k < 6; ++k) sum[k] += a.data<float>()[k] - b.data<float>()[k];
      }
      double total = 0;
      for (const double value : sum) total += std::fabs(value) / static_cast<double>(data->size());
      return total;
    };
    const double plain = shift_of(run_quantize(model, data).model);
    const double corrected = shift_of(run_quantize(model, data, {{"bias-correction", "on"}}).model);
    EXPECT_LT(corrected, 0.7 * plain) << "opset " << opset;
  }
}

}  // namespace
}  // namespace pare::testing
