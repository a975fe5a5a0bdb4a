// raster.h - a raster file of any number of bands, read window by window.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pare/tensor.h"

namespace pare::data {

struct RasterInfo {
  std::int64_t height = 0, width = 0;
  std::vector<DType> dtypes;                  ///< one per band: what decode_image() would read
  std::vector<std::optional<double>> nodata;  ///< one per band, as the file declares it
  std::int64_t alpha = -1;                    ///< the band that is no measurement, from 0
  std::optional<std::array<double, 6>> transform;
  [[nodiscard]] std::int64_t bands() const { return static_cast<std::int64_t>(dtypes.size()); }
  [[nodiscard]] std::string size_text() const;
};

struct Window {
  std::int64_t top = 0, left = 0, height = 0, width = 0;
  [[nodiscard]] std::int64_t pixel_count() const { return height * width; }
};

/// May be used from several threads at once: each takes a handle of its own.
class Raster {
 public:
  /// Throws Error(kIo) naming the file, Error(kUnsupported) in a build without GDAL. `keep_open`: handles are kept for
  /// the next window; not for thousands of files.
  Raster(std::filesystem::path path, bool keep_open);
  ~Raster();
  Raster(const Raster&) = delete;
  Raster& operator=(const Raster&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] const RasterInfo& info() const noexcept { return info_; }
  /// Planes of `bands` (from 0), converted to `dtype`: one of uint8, uint16, int16, int32, uint32, float32, float64.
  void read(const Window& window, const std::vector<std::int64_t>& bands, DType dtype, std::byte* out) const;

 private:
  struct Handles;
  std::filesystem::path path_;
  RasterInfo info_;
  std::unique_ptr<Handles> handles_;
};

}  // namespace pare::data
