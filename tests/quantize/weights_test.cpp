#include "quantize/weights.h"

#include <limits>

#include "pare/model_io.h"
#include "quantize/samples.h"
#include "support/support.h"

namespace pare::testing {
namespace {

double snr_db(const Tensor& weights, const QuantizedWeights& quantized, std::int64_t channel, std::int64_t size) {
  double signal = 0, noise = 0;
  for (std::int64_t i = channel * size; i < (channel + 1) * size; ++i) {
    const double real = weights.data<float>()[static_cast<std::size_t>(i)];
    const double back = quantized.values.data<std::int8_t>()[static_cast<std::size_t>(i)] *
                        static_cast<double>(quantized.scales[static_cast<std::size_t>(channel)]);
    signal += real * real;
    noise += (real - back) * (real - back);
  }
  return 10 * std::log10(signal / noise);
}

TEST(Weights, KeepThirtyDecibelsInDepthwiseChannelsOfVeryDifferentSize) {
  Rng rng(1);
  std::vector<float> values;
  for (int c = 0; c < 4; ++c)
    for (int i = 0; i < 9; ++i) values.push_back(static_cast<float>(rng.uniform(-1, 1) * (c % 2 == 0 ? 10 : 0.02)));
  const Tensor weights = Tensor::of({4, 1, 3, 3}, values);
  const QuantizedWeights quantized = quantize_weights(weights, {.axis = 0});
  ASSERT_EQ(quantized.scales.size(), 4u);
  for (int c = 0; c < 4; ++c) EXPECT_GT(snr_db(weights, quantized, c, 9), 30) << "channel " << c;
}

TEST(Weights, OfAChannelOfZerosGetScaleOneAndStayZero) {
  const QuantizedWeights quantized = quantize_weights(Tensor::of<float>({2, 2}, {0, 0, 1, -1}), {.axis = 0});
  EXPECT_EQ(quantized.scales[0], 1);
  EXPECT_EQ(quantized.values.data<std::int8_t>()[0], 0);
  EXPECT_EQ(quantized.values.data<std::int8_t>()[2], 127);
  EXPECT_EQ(quantized.values.data<std::int8_t>()[3], -127);
}

TEST(Weights, ThatWereZeroStayZero) {
  Rng rng(2);
  std::vector<float> values;
  for (int i = 0; i < 400; ++i) values.push_back(i % 2 == 0 ? 0.0f : static_cast<float>(rng.uniform(0.5, 1)));
  const QuantizedWeights quantized = quantize_weights(Tensor::of({4, 100}, values), {.axis = 0});
  for (std::size_t i = 0; i < 400; i += 2) EXPECT_EQ(quantized.values.data<std::int8_t>()[i], 0);
}

TEST(Weights, RoundHalfToEven) {
  // Largest 127, so the scale is 1.
  const QuantizedWeights quantized =
      quantize_weights(Tensor::of<float>({1, 6}, {127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f}), {.axis = 0});
  const auto values = quantized.values.data<std::int8_t>();
  EXPECT_EQ(std::vector<int>(values.begin(), values.end()), (std::vector<int>{127, 0, 2, 2, 0, -2}));
}

TEST(Weights, ChannelsOfATransposedConvolutionLieOnAxisOne) {
  const auto text = [](const char* attribute) {
    return model_from_text(
        std::string("<ir_version: 8, opset_import: [\"\": 17]> g (float[1,3,4,4] x, float[3,4,2,2] w) "
                    "=> (float[N,M,H,W] y) { y = ConvTranspose") +
        attribute + "(x, w) }");
  };
  EXPECT_EQ(output_axis(text("").graph.nodes[0], 4), 1);
  EXPECT_EQ(output_axis(text("<group = 3>").graph.nodes[0], 4), std::nullopt);
}

TEST(Weights, PairsStayBelowSixteenBitsWhereTheyCouldNot) {
  Rng rng(3);
  const Tensor weights = random_tensor({8, 32}, rng);
  const QuantizedWeights free = quantize_weights(weights, {.axis = 0});
  const QuantizedWeights safe = quantize_weights(weights, {.axis = 0, .limit_pairs = true});
  const auto worst = [](const QuantizedWeights& quantized, int channel) {
    int most = 0;
    const auto values = quantized.values.data<std::int8_t>();
    for (int i = 0; i < 32; ++i)
      for (int k = i + 1; k < 32; ++k)
        most = std::max(most, std::abs(255 * (values[static_cast<std::size_t>(channel * 32 + i)] +
                                              values[static_cast<std::size_t>(channel * 32 + k)])));
    return most;
  };
  EXPECT_GT(worst(free, 0), 32767);
  EXPECT_EQ(free.narrowed, 0);
  EXPECT_EQ(safe.narrowed, 8);
  for (int c = 0; c < 8; ++c) EXPECT_LE(worst(safe, c), 32767);
}

TEST(Weights, ThatCannotOverflowKeepAllBits) {
  const QuantizedWeights safe =
      quantize_weights(Tensor::of<float>({1, 3}, {1.0f, -0.9f, 0.001f}), {.axis = 0, .limit_pairs = true});
  EXPECT_EQ(safe.narrowed, 0);
  EXPECT_EQ(safe.values.data<std::int8_t>()[0], 127);
}

TEST(Weights, WithNaNAreRefused) {
  expect_error([] { (void)quantize_weights(Tensor::of<float>({1, 2}, {1, std::nanf("")}), {.axis = 0}); },
               ErrorCode::kNumeric, {"channel 0", "NaN"});
}

TEST(Bias, StaysFarInsideInt32WhenWeightsAreTiny) {
  const std::vector<float> bias = {5, -4.5f};
  const Tensor weights = Tensor::of<float>({2, 1}, {1e-7f, 1});
  const QuantizedWeights quantized = quantize_weights(weights, {.axis = 0, .floors = bias_floor(bias, 0.5f)});
  const QuantizedBias stored = quantize_bias(bias, 0.5f, quantized.scales);
  for (std::size_t c = 0; c < 2; ++c) {
    EXPECT_LE(std::abs(stored.values.data<std::int32_t>()[c]), 1 << 30);
    EXPECT_NEAR(stored.values.data<std::int32_t>()[c] * static_cast<double>(stored.scales[c]), bias[c], 1e-5);
  }
  // The weight itself is still there.
  EXPECT_GT(quantized.values.data<std::int8_t>()[0], 0);
}

}  // namespace
}  // namespace pare::testing
