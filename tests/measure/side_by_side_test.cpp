#include "measure/side_by_side.h"

#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

Model matrix_product() {
  Model model = model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[1,32] x) => (float[1,32] y) { h = MatMul (x, w) y = Relu (h) })");
  model.graph.initializers.set("w", Tensor::of<float>({32, 32}, std::vector<float>(32 * 32, 0.1F)));
  return model;
}

TEST(SideBySide, SaysItInOneSentence) {
  SideBySide timed{.speed = {}, .timed_with = "ONNX Runtime 1.0, 1 thread"};
  timed.speed.ratio = 1.316;
  timed.speed.interval = {1.294, 1.335};
  EXPECT_EQ(timed.text(), "measured 1.32 times as fast as before (1.29 to 1.33), ONNX Runtime 1.0, 1 thread, batch 1");
}

TEST(SideBySide, ExtraOutputsOfOneOfThemDoNotMatter) {
  const Model model = matrix_product();
  Model renamed = model;
  for (Node& node : renamed.graph.nodes)
    for (auto* values : {&node.inputs, &node.outputs})
      for (std::string& value : *values)
        if (value == "h") value = "g";
  SessionOptions session;
  session.extra_outputs = {"h"};
  const BenchmarkOptions brief{.budget_s = 0.02, .min_blocks = 5, .min_block_ms = 0.5};
  const SideBySide timed = time_side_by_side(model, renamed, probe_inputs(model), session, {.benchmark = brief});
  EXPECT_EQ(timed.timed_with, open_session(model)->description());
  EXPECT_GT(timed.speed.ratio, 0);
  EXPECT_LE(timed.speed.interval.low, timed.speed.interval.high);
}

TEST(SideBySide, TakesMoreTimeUntilTheIntervalIsNarrow) {
  struct Counter : ProgressSink {
    void begin(std::string_view, std::int64_t, std::string_view) override { ++tasks; }
    void advance(std::int64_t) override {}
    void end() override {}
    void note(std::string_view) override {}
    void warning(std::string_view) override {}
    [[nodiscard]] bool cancelled() const override { return false; }
    int tasks = 0;
  };
  const Model model = matrix_product();
  const auto comparisons = [&](double most_s, double narrow) {
    Counter counter;
    SideBySideOptions options{.benchmark = {.budget_s = 0.01, .min_blocks = 5, .min_block_ms = 0.1}};
    options.most_s = most_s;
    options.narrow = narrow;
    (void)time_side_by_side(model, model, probe_inputs(model), {}, options, counter);
    return counter.tasks;
  };
  EXPECT_EQ(comparisons(0, 0), 1);
  EXPECT_EQ(comparisons(0.04, 0), 3);  // 0.01, 0.02, 0.04 s: no interval is narrower than nothing
  EXPECT_EQ(comparisons(0.04, 1e9), 1);
}

}  // namespace
}  // namespace pare::testing
