// The part of InputPlan that runs for every sample.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/fail.h"
#include "data/input_plan.h"

namespace pare::data {
namespace {

constexpr std::int64_t kMostTables = 64;  // 64 KB: beyond that tables leave the first cache and gain nothing

std::byte* store(DType dtype, float value, std::byte* out) {
  const auto put = [&](auto stored) {
    std::memcpy(out, &stored, sizeof stored);
    return out + sizeof stored;
  };
  switch (dtype) {
    case DType::kFloat16:
      return put(float_to_half(value));
    case DType::kBFloat16:
      return put(float_to_bfloat16(value));
    case DType::kFloat64:
      return put(static_cast<double>(value));
    case DType::kUint8:
      return put(static_cast<std::uint8_t>(std::clamp(std::nearbyint(value), 0.0f, 255.0f)));
    default:
      return put(value);
  }
}

}  // namespace

bool InputPlan::is_nodata(float value) const {
  return preprocess_.nodata && (std::isnan(value) || value == static_cast<float>(*preprocess_.nodata));
}

double InputPlan::normalized(double value, std::int64_t channel) const {
  const auto at = static_cast<std::size_t>(channel);
  return (value * preprocess_.scale.value_or(1) - mean_[at]) * inverse_std_[at];
}

InputLayout InputPlan::layout() const {
  InputLayout layout{.channels_last = channels_last_};
  if (!is_float(dtype_) || preprocess_.nodata) return layout;
  for (std::int64_t channel = 0; channel < channels_; ++channel)
    layout.padding.push_back(static_cast<float>(normalized(0, channel)));
  return layout;
}

void InputPlan::make_tables() {
  const auto per_channel = [&](const std::vector<double>& values, double fallback) {
    std::vector<double> result(static_cast<std::size_t>(channels_), values.size() == 1 ? values[0] : fallback);
    return values.size() > 1 ? values : result;
  };
  mean_ = per_channel(preprocess_.mean, 0);
  inverse_std_ = per_channel(preprocess_.std_dev, 1);
  for (double& value : inverse_std_) value = 1 / value;
  if (dtype_ != DType::kFloat32 || channels_ > kMostTables) return;
  tables_.resize(static_cast<std::size_t>(channels_));
  for (std::int64_t channel = 0; channel < channels_; ++channel)
    for (int value = 0; value < 256; ++value) {
      const bool missing = is_nodata(static_cast<float>(value));
      tables_[static_cast<std::size_t>(channel)][static_cast<std::size_t>(value)] =
          missing ? 0.0f : static_cast<float>(normalized(value, channel));
    }
}

void InputPlan::write(const Image& image, std::byte* out) const {
  const std::vector<std::int64_t> sources = *channels_for(image, channels_);
  const bool resizes = size_of(image) != PlaneSize{image.height, image.width};
  if (!is_float(dtype_) && !resizes) return write_bytes(image, sources, out);
  if (image.dtype == DType::kUint8 && !tables_.empty() && !resizes && !mixes_gray(image))
    return write_by_table(image, sources, reinterpret_cast<float*>(out));
  write_general(image, sources, out);
}

void InputPlan::write_by_table(const Image& image, const std::vector<std::int64_t>& sources, float* out) const {
  const std::int64_t pixels = image.pixel_count();
  const std::int64_t read_step = image.channels_last ? image.channels : 1;
  const std::int64_t write_step = channels_last_ ? channels_ : 1;
  for (std::int64_t channel = 0; channel < channels_; ++channel) {
    const std::int64_t source = sources[static_cast<std::size_t>(channel)];
    const auto* from =
        reinterpret_cast<const std::uint8_t*>(image.data) + (image.channels_last ? source : source * pixels);
    const float* table = tables_[static_cast<std::size_t>(channel)].data();
    float* to = out + (channels_last_ ? channel : channel * pixels);
    if (read_step == 1 && write_step == 1)
      for (std::int64_t i = 0; i < pixels; ++i) to[i] = table[from[i]];
    else
      for (std::int64_t i = 0; i < pixels; ++i) to[i * write_step] = table[from[i * read_step]];
  }
}

void InputPlan::write_bytes(const Image& image, const std::vector<std::int64_t>& sources, std::byte* out) const {
  const std::int64_t pixels = image.pixel_count(), width = dtype_bits(dtype_) / 8;
  for (std::int64_t channel = 0; channel < channels_; ++channel) {
    const std::int64_t source = sources[static_cast<std::size_t>(channel)];
    for (std::int64_t i = 0; i < pixels; ++i) {
      const std::int64_t from = image.channels_last ? i * image.channels + source : source * pixels + i;
      const std::int64_t to = channels_last_ ? i * channels_ + channel : channel * pixels + i;
      std::memcpy(out + to * width, image.data + from * width, static_cast<std::size_t>(width));
    }
  }
}

std::vector<float> InputPlan::prepared_plane(const Image& image, const std::vector<std::int64_t>& sources,
                                             std::int64_t channel) const {
  const auto pixels = static_cast<std::size_t>(image.pixel_count());
  std::vector<float> plane(pixels);
  if (mixes_gray(image)) {
    static constexpr float kWeights[] = {0.299f, 0.587f, 0.114f};  // ITU-R 601, as every image library
    std::vector<float> color(pixels);
    std::vector<bool> missing(pixels);
    for (std::size_t k = 0; k < 3; ++k) {
      read_floats(image, sources[k], color.data());
      for (std::size_t i = 0; i < pixels; ++i) {
        if (is_nodata(color[i])) missing[i] = true;
        plane[i] += kWeights[k] * color[i];
      }
    }
    for (std::size_t i = 0; i < pixels; ++i)
      if (missing[i]) plane[i] = static_cast<float>(*preprocess_.nodata);
  } else {
    read_floats(image, sources[static_cast<std::size_t>(channel)], plane.data());
  }
  const PlaneSize size = size_of(image), stored{image.height, image.width};
  if (size != stored) {
    // The value that normalizes to 0 takes the place of nodata, so that neighbours mix with it and not with -9999.
    const auto zero = static_cast<float>(mean_[static_cast<std::size_t>(channel)] / preprocess_.scale.value_or(1));
    for (float& value : plane)
      if (is_nodata(value)) value = zero;
    plane = resize_bilinear(plane, stored, size);
    for (float& value : plane) value = static_cast<float>(normalized(value, channel));
    return plane;
  }
  for (float& value : plane) value = is_nodata(value) ? 0.0f : static_cast<float>(normalized(value, channel));
  return plane;
}

void InputPlan::write_general(const Image& image, const std::vector<std::int64_t>& sources, std::byte* out) const {
  const std::int64_t width = dtype_bits(dtype_) / 8;
  for (std::int64_t channel = 0; channel < channels_; ++channel) {
    const std::vector<float> plane = prepared_plane(image, sources, channel);
    const auto pixels = static_cast<std::int64_t>(plane.size());
    std::byte* at = out + (channels_last_ ? channel : channel * pixels) * width;
    const std::int64_t step = (channels_last_ ? channels_ : 1) * width;
    for (const float value : plane) {
      store(dtype_, value, at);
      at += step;
    }
  }
}

}  // namespace pare::data
