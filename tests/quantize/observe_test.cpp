#include "quantize/observe.h"

#include <limits>

#include "pare/measure.h"
#include "pare/model_io.h"
#include "quantize/samples.h"
#include "support/support.h"

namespace pare::testing {
namespace {

Model small_net(const char* shape = "N,2,H,W") {
  Model model = model_from_text(fmt::format(R"(<ir_version: 8, opset_import: ["": 17]>
  g (float[{}] x) => (float[N,4,H,W] y) {{
    a = Conv<pads = [1,1,1,1]>(x, w0)
    b = Relu(a)
    y = Conv(b, w1)
  }})",
                                            shape));
  add_weights(model, {{"w0", {4, 2, 3, 3}}, {"w1", {4, 4, 1, 1}}});
  return model;
}

StatsByValue observed(const Model& model, const std::vector<Tensor>& samples, std::int64_t count = 100) {
  ObserveOptions options;
  options.samples = count;
  return observe(model, {"x", "b", "y"}, ListDataset("x", samples), options, silent_progress());
}

bool same(const StatsByValue& a, const StatsByValue& b) {
  for (const auto& [value, stats] : a) {
    const ActivationStats& other = b.at(value);
    if (stats.low != other.low || stats.high != other.high || !(stats.histogram == other.histogram)) return false;
  }
  return a.size() == b.size();
}

TEST(Observe, GivesTheSameTableForEveryOrderOfTheSamples) {
  std::vector<Tensor> samples = random_samples({1, 2, 9, 7}, 12, 1);
  const StatsByValue forward = observed(small_net(), samples);
  std::reverse(samples.begin(), samples.end());
  std::swap(samples[3], samples[8]);
  EXPECT_TRUE(same(forward, observed(small_net(), samples)));
  samples[0] = samples[1];
  EXPECT_FALSE(same(forward, observed(small_net(), samples)));
}

TEST(Observe, SeesInputsInnerValuesAndOutputs) {
  const StatsByValue stats = observed(small_net(), random_samples({1, 2, 5, 5}, 4, 2));
  EXPECT_EQ(stats.at("x").count, 4 * 2 * 25);
  EXPECT_EQ(stats.at("b").count, 4 * 4 * 25);
  EXPECT_EQ(stats.at("b").low, 0);
  EXPECT_EQ(stats.at("y").histogram.count(), 4 * 4 * 25);
}

TEST(Observe, TakesSamplesOfDifferentShapes) {
  std::vector<Tensor> samples = random_samples({1, 2, 8, 8}, 1, 3);
  samples.push_back(random_samples({1, 2, 12, 10}, 1, 4)[0]);
  EXPECT_EQ(observed(small_net(), samples).at("x").count, 2 * 64 + 2 * 120);
}

TEST(Observe, FillsAFixedBatchAndRefusesTooFewSamples) {
  const Model model = small_net("4,2,H,W");
  EXPECT_EQ(observed(model, random_samples({1, 2, 4, 4}, 10, 5)).at("x").count, 8 * 2 * 16);
  expect_error([&] { (void)observed(model, random_samples({1, 2, 4, 4}, 3, 5)); }, ErrorCode::kInvalidArgument,
               {"3 there", "takes 4"});
}

TEST(Observe, NamesTheValueThatIsNotANumber) {
  std::vector<Tensor> samples = random_samples({1, 2, 4, 4}, 3, 6);
  std::vector<float> values(32, 1.0f);
  values[5] = std::numeric_limits<float>::quiet_NaN();
  samples[1] = Tensor::of({1, 2, 4, 4}, values);
  expect_error([&] { (void)observed(small_net(), samples); }, ErrorCode::kNumeric, {"'x'", "sample 1", "remedy"});
}

TEST(Observe, NeedsNoMoreMemoryForMoreSamples) {
  const Model model = small_net();
  const Tensor sample = random_samples({1, 2, 256, 256}, 1, 7)[0];
  (void)observed(model, std::vector<Tensor>(3, sample));
  const std::int64_t few = peak_memory_bytes();
  (void)observed(model, std::vector<Tensor>(60, sample));
  EXPECT_LT(peak_memory_bytes() - few, 8'000'000);
}

}  // namespace
}  // namespace pare::testing
