// image.h - one sample as it is stored: pixels of some type in some memory order, before any preparation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "pare/tensor.h"

namespace pare::data {

/// Pixels that lie in a mapped file need not be aligned: read them through load_element().
struct Image {
  DType dtype = DType::kUndefined;
  std::int64_t channels = 0, height = 0, width = 0;
  bool channels_last = false;         ///< pixel by pixel, else plane by plane
  std::shared_ptr<const void> owner;  ///< keeps `data` alive
  const std::byte* data = nullptr;    ///< null in a description of samples that were not read
  bool photo = false;                 ///< from an image file: gray may stand for colour, alpha be left out
  std::int64_t alpha = -1;            ///< the channel that is no colour
  Shape array_shape;                  ///< not an image but an array of this shape, held as [first, 1, the rest]

  [[nodiscard]] std::int64_t pixel_count() const noexcept { return height * width; }
  [[nodiscard]] std::int64_t size_bytes() const { return channels * height * width * dtype_bits(dtype) / 8; }
  /// "3 x 28 x 28".
  [[nodiscard]] std::string size_text() const;
};

/// Row-major bytes as an image: [H, W], [C, H, W] or [H, W, C]; other ranks become an array.
[[nodiscard]] Image image_from_array(DType dtype, const Shape& shape, bool channels_last);

/// Elements first, first + stride, ... as float.
void read_floats(const Image& image, std::int64_t channel, float* out);
/// The only channel as whole numbers. Throws Error(kInvalidArgument) naming `what` on fractions and on several
/// channels.
[[nodiscard]] std::vector<std::int64_t> read_labels(const Image& image, const std::string& what);

/// What decodable files end with, in lower case and with the dot.
[[nodiscard]] bool is_image_name(const std::filesystem::path& path);
/// The image files right in a folder, hidden ones left out, sorted by name.
[[nodiscard]] std::vector<std::filesystem::path> images_in(const std::filesystem::path& folder);

/// Whether this build can decode image files.
[[nodiscard]] bool can_decode_images() noexcept;
/// JPEG, PNG, TIFF, BMP. A palette is looked up, unless `indices`: then the stored numbers are wanted (masks). May be
/// called from several threads. Throws Error(kIo) naming the file, Error(kUnsupported) in a build without GDAL.
[[nodiscard]] Image decode_image(const std::filesystem::path& path, bool indices = false);

}  // namespace pare::data
