#include "quantize/weights.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/fail.h"

namespace pare {
namespace {

constexpr double kMaxWeight = 127;
// 255 * 128 = 32640 is the largest pair sum below 2^15.
constexpr double kMaxPair = 128;

/// Element (outer, channel, inner) of a tensor seen as three dimensions around the channel axis.
struct ChannelView {
  std::int64_t outer = 1, channels = 1, inner = 1;
};

ChannelView view_of(const Shape& shape, std::optional<std::int64_t> axis) {
  ChannelView view;
  if (!axis) {
    view.inner = element_count(shape);
    return view;
  }
  for (std::int64_t d = 0; d < static_cast<std::int64_t>(shape.size()); ++d) {
    const std::int64_t size = shape[static_cast<std::size_t>(d)];
    if (d < *axis) view.outer *= size;
    if (d == *axis) view.channels = size;
    if (d > *axis) view.inner *= size;
  }
  return view;
}

template <class F>
void for_channel(const ChannelView& view, std::int64_t channel, F&& visit) {
  for (std::int64_t o = 0; o < view.outer; ++o) {
    const std::int64_t start = (o * view.channels + channel) * view.inner;
    for (std::int64_t i = start; i < start + view.inner; ++i) visit(static_cast<std::size_t>(i));
  }
}

/// The two largest magnitudes of a channel among its positive and among its negative weights.
struct Magnitudes {
  double first[2] = {0, 0}, second[2] = {0, 0};

  [[nodiscard]] double largest() const { return std::max(first[0], first[1]); }
  [[nodiscard]] double pair() const { return std::max(first[0] + second[0], first[1] + second[1]); }
  [[nodiscard]] bool pair_overflows(double scale) const {
    for (const int sign : {0, 1})
      if (std::nearbyint(first[sign] / scale) + std::nearbyint(second[sign] / scale) > kMaxPair) return true;
    return false;
  }
};

Magnitudes magnitudes(std::span<const float> weights, const ChannelView& view, std::int64_t channel) {
  Magnitudes found;
  bool finite = true;
  for_channel(view, channel, [&](std::size_t i) {
    const double value = weights[i];
    finite = finite && std::isfinite(value);
    const int sign = value < 0 ? 1 : 0;
    const double size = std::fabs(value);
    if (size > found.first[sign]) {
      found.second[sign] = found.first[sign];
      found.first[sign] = size;
    } else if (size > found.second[sign]) {
      found.second[sign] = size;
    }
  });
  if (!finite) fail(ErrorCode::kNumeric, "channel {} of the weights holds NaN or infinity", channel);
  return found;
}

}  // namespace

std::optional<std::int64_t> output_axis(const Node& node, std::int64_t weight_rank) {
  if (node.is("ConvTranspose")) {
    if (node.int_or("group", 1) != 1) return std::nullopt;
    return 1;
  }
  if (node.is("Gemm")) return node.int_or("transB", 0) != 0 ? 0 : 1;
  if (node.is("MatMul")) {
    if (weight_rank != 2) return std::nullopt;
    return 1;
  }
  return 0;
}

QuantizedWeights quantize_weights(const Tensor& weights, const WeightOptions& options) {
  const auto data = weights.data<float>();
  const ChannelView view = view_of(weights.shape(), options.axis);
  QuantizedWeights result;
  result.axis = options.axis;
  result.scales.reserve(static_cast<std::size_t>(view.channels));
  std::vector<std::int8_t> values(data.size());
  for (std::int64_t channel = 0; channel < view.channels; ++channel) {
    const Magnitudes size = magnitudes(data, view, channel);
    double scale = size.largest() / kMaxWeight;
    if (!options.floors.empty()) {
      // One scale for all must satisfy the floor of every channel.
      const double floor = options.axis ? options.floors[static_cast<std::size_t>(channel)]
                                        : *std::max_element(options.floors.begin(), options.floors.end());
      scale = std::max(scale, floor);
    }
    if (options.limit_pairs && scale > 0 && size.pair_overflows(scale)) {
      // Rounding may add half a step to each of the two.
      scale = size.pair() / (kMaxPair - 1);
      ++result.narrowed;
    }
    if (!(scale >= std::numeric_limits<float>::min())) scale = 1;
    const auto rounded = static_cast<float>(scale);
    for_channel(view, channel, [&](std::size_t i) {
      const double steps = std::nearbyint(static_cast<double>(data[i]) / static_cast<double>(rounded));
      values[i] = static_cast<std::int8_t>(std::clamp(steps, -kMaxWeight, kMaxWeight));
    });
    result.scales.push_back(rounded);
  }
  result.values = Tensor::of(weights.shape(), values);
  return result;
}

std::vector<double> bias_floor(const std::vector<float>& bias, float input_scale) {
  std::vector<double> floors;
  floors.reserve(bias.size());
  for (const float value : bias)
    floors.push_back(std::fabs(static_cast<double>(value)) / (static_cast<double>(input_scale) * 0x1p29));
  return floors;
}

QuantizedBias quantize_bias(const std::vector<float>& bias, float input_scale,
                            const std::vector<float>& weight_scales) {
  QuantizedBias result;
  std::vector<std::int32_t> values;
  for (std::size_t i = 0; i < bias.size(); ++i) {
    const float weight_scale = weight_scales[weight_scales.size() == 1 ? 0 : i];
    const float scale = input_scale * weight_scale;
    if (!std::isfinite(bias[i])) fail(ErrorCode::kNumeric, "element {} of the bias is NaN or infinite", i);
    const double steps = scale > 0 ? std::nearbyint(static_cast<double>(bias[i]) / static_cast<double>(scale)) : 0;
    values.push_back(static_cast<std::int32_t>(std::clamp(steps, -0x1p30, 0x1p30)));
    result.scales.push_back(scale > 0 ? scale : 1);
  }
  result.values = Tensor::of({static_cast<std::int64_t>(values.size())}, values);
  return result;
}

Tensor quantize_constant(const Tensor& constant, float scale, std::uint8_t zero_point) {
  std::vector<std::uint8_t> values;
  for (const float value : constant.data<float>()) {
    const double steps = std::nearbyint(static_cast<double>(value) / static_cast<double>(scale)) + zero_point;
    values.push_back(static_cast<std::uint8_t>(std::clamp(steps, 0.0, 255.0)));
  }
  return Tensor::of(constant.shape(), values);
}

}  // namespace pare
