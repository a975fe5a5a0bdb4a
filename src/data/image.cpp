#include "data/image.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstring>

#include "core/fail.h"

namespace pare::data {
namespace {

template <class T, class Out, class Convert>
void read_channel(const Image& image, std::int64_t channel, Out* out, Convert convert) {
  const std::int64_t stride = image.channels_last ? image.channels : 1;
  const std::int64_t first = image.channels_last ? channel : channel * image.pixel_count();
  const std::byte* at = image.data + first * static_cast<std::int64_t>(sizeof(T));
  for (std::int64_t i = 0; i < image.pixel_count(); ++i, at += stride * static_cast<std::int64_t>(sizeof(T))) {
    T value;
    std::memcpy(&value, at, sizeof value);
    out[i] = convert(value);
  }
}

template <class Out>
void read_as(const Image& image, std::int64_t channel, Out* out) {
  const auto plain = [](auto value) { return static_cast<Out>(value); };
  switch (image.dtype) {
    case DType::kBool:
    case DType::kUint8:
      return read_channel<std::uint8_t>(image, channel, out, plain);
    case DType::kInt8:
      return read_channel<std::int8_t>(image, channel, out, plain);
    case DType::kUint16:
      return read_channel<std::uint16_t>(image, channel, out, plain);
    case DType::kInt16:
      return read_channel<std::int16_t>(image, channel, out, plain);
    case DType::kUint32:
      return read_channel<std::uint32_t>(image, channel, out, plain);
    case DType::kInt32:
      return read_channel<std::int32_t>(image, channel, out, plain);
    case DType::kInt64:
      return read_channel<std::int64_t>(image, channel, out, plain);
    case DType::kFloat32:
      return read_channel<float>(image, channel, out, plain);
    case DType::kFloat64:
      return read_channel<double>(image, channel, out, plain);
    case DType::kFloat16:
      return read_channel<std::uint16_t>(image, channel, out,
                                         [](std::uint16_t bits) { return static_cast<Out>(half_to_float(bits)); });
    default:
      fail(ErrorCode::kUnsupported, "samples of type {} cannot be read", dtype_name(image.dtype));
  }
}

}  // namespace

std::string Image::size_text() const {
  if (array_shape.empty()) return fmt::format("{} x {} x {}", channels, height, width);
  std::string text;
  for (const std::int64_t dim : array_shape) text += (text.empty() ? "" : " x ") + std::to_string(dim);
  return text;
}

Image image_from_array(DType dtype, const Shape& shape, bool channels_last) {
  Image image;
  image.dtype = dtype;
  image.channels_last = channels_last;
  if (shape.size() == 2) {
    image.channels = 1, image.height = shape[0], image.width = shape[1];
    image.channels_last = false;
  } else if (shape.size() == 3) {
    image.channels = channels_last ? shape[2] : shape[0];
    image.height = channels_last ? shape[0] : shape[1];
    image.width = channels_last ? shape[1] : shape[2];
  } else {
    image.channels_last = false;
    image.array_shape = shape;
    if (shape.empty()) image.array_shape = {1};
    image.channels = image.array_shape[0];
    image.height = 1;
    image.width = element_count(Shape(image.array_shape.begin() + 1, image.array_shape.end()));
  }
  return image;
}

void read_floats(const Image& image, std::int64_t channel, float* out) { read_as(image, channel, out); }

std::vector<std::int64_t> read_labels(const Image& image, const std::string& what) {
  if (image.channels != 1)
    fail(
        ErrorCode::kInvalidArgument,
        "{} has {} bands; a mask has one, whose values are the classes\n  remedy: store the class numbers as a gray or "
        "palette image",
        what, image.channels);
  std::vector<std::int64_t> labels(static_cast<std::size_t>(image.pixel_count()));
  if (!is_float(image.dtype)) {
    read_as(image, 0, labels.data());
    return labels;
  }
  std::vector<double> values(labels.size());
  read_as(image, 0, values.data());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] != std::floor(values[i]) || std::abs(values[i]) > 1e15)
      fail(ErrorCode::kInvalidArgument, "{} holds {}, which is no class number", what, values[i]);
    labels[i] = static_cast<std::int64_t>(values[i]);
  }
  return labels;
}

bool is_image_name(const std::filesystem::path& path) {
  static constexpr std::array kKnown = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"};
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::find(kKnown.begin(), kKnown.end(), extension) != kKnown.end();
}

std::vector<std::filesystem::path> images_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (!entry.path().filename().string().starts_with('.') && is_image_name(entry.path()) && entry.is_regular_file())
      found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace pare::data
