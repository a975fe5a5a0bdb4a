#include "quantize/summary.h"

#include "pare/model_io.h"
#include "quantize/samples.h"
#include "support/support.h"

namespace pare::testing {
namespace {

TEST(Summary, CountsFloatIslandsBetweenIntegerNodes) {
  Model model = model_from_text(R"(<ir_version: 8, opset_import: ["": 17]>
  g (float[N,2,4,4] x) => (float[N,2,4,4] y) {
    s = Abs(x)
    a = Conv(s, w0)
    b = HardSwish(a)
    c = Neg(b)
    d = Conv(c, w1)
    e = Elu(d)
    f = Conv(e, w2)
    y = Exp(f)
  })");
  add_weights(model, {{"w0", {2, 2, 1, 1}}, {"w1", {2, 2, 1, 1}}, {"w2", {2, 2, 1, 1}}});
  const Plan plan = plan_quantization(
      model.graph, {.target = &onnxruntime_target(), .user_reasons = {}, .float_outputs = false, .ranges = nullptr});
  const IntegerSummary summary = summarize(model.graph, plan);
  EXPECT_EQ(summary.quantized_ops, 3);
  EXPECT_EQ(summary.float_ops, 5);
  EXPECT_EQ(summary.islands, 2);
}

}  // namespace
}  // namespace pare::testing
