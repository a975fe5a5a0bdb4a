#include <algorithm>
#include <cctype>

#include "core/fail.h"
#include "data/image.h"

#if PARE_WITH_GDAL
#include "data/gdal_file.h"
#endif

namespace pare::data {

#if PARE_WITH_GDAL
namespace {

/// Palette numbers as red, green and blue planes.
void look_up_palette(Image& image, GDALColorTableH table) {
  const std::size_t pixels = static_cast<std::size_t>(image.pixel_count());
  auto colors = std::make_shared<std::vector<std::byte>>(3 * pixels);
  const int count = GDALGetColorEntryCount(table);
  for (std::size_t i = 0; i < pixels; ++i) {
    const int index = std::to_integer<int>(image.data[i]);
    const GDALColorEntry* entry = index < count ? GDALGetColorEntry(table, index) : nullptr;
    if (entry == nullptr) continue;
    (*colors)[i] = static_cast<std::byte>(entry->c1);
    (*colors)[pixels + i] = static_cast<std::byte>(entry->c2);
    (*colors)[2 * pixels + i] = static_cast<std::byte>(entry->c3);
  }
  image.data = colors->data();
  image.owner = std::move(colors);
  image.channels = 3;
}

/// Gray PNG files of 1, 2 or 4 bits hold 0 to 1, 3 or 15: widened to 0 to 255 as every viewer shows them.
void widen_gray(std::vector<std::byte>& bytes, GDALRasterBandH band) {
  const char* bits = GDALGetMetadataItem(band, "NBITS", "IMAGE_STRUCTURE");
  const int count = bits == nullptr ? 8 : std::atoi(bits);
  if (count < 1 || count >= 8) return;
  const int top = (1 << count) - 1;
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(std::to_integer<int>(byte) * 255 / top);
}

bool has_driver(GDALDatasetH dataset, std::string_view name) {
  return GDALGetDriverShortName(GDALGetDatasetDriver(dataset)) == name;
}

}  // namespace

bool can_decode_images() noexcept { return true; }

Image decode_image(const std::filesystem::path& path, bool indices) {
  QuietErrors errors;
  static const char* const kDrivers[] = {"JPEG", "PNG", "GTiff", "BMP", nullptr};
  const GdalFile dataset = open_gdal(path, kDrivers, false);
  const auto fail_decode = [&](const std::string& why) {
    fail(ErrorCode::kIo, "cannot decode {}: {}", path.string(), why);
  };
  if (dataset == nullptr) fail_decode(errors.text());
  Image image;
  image.channels = GDALGetRasterCount(dataset.get());
  image.width = GDALGetRasterXSize(dataset.get());
  image.height = GDALGetRasterYSize(dataset.get());
  if (image.channels == 0) fail_decode("it holds no bands");
  const GDALRasterBandH first = GDALGetRasterBand(dataset.get(), 1);
  if (GDALDataTypeIsComplex(GDALGetRasterDataType(first))) fail_decode("its values are complex numbers");
  const auto [read_as, dtype] = read_type(GDALGetRasterDataType(first));
  image.dtype = dtype;
  image.photo = !has_driver(dataset.get(), "GTiff");
  for (int band = 1; band <= image.channels; ++band)
    if (GDALGetRasterColorInterpretation(GDALGetRasterBand(dataset.get(), band)) == GCI_AlphaBand)
      image.alpha = band - 1;

  auto bytes = std::make_shared<std::vector<std::byte>>(static_cast<std::size_t>(image.size_bytes()));
  const int width = static_cast<int>(image.width), height = static_cast<int>(image.height);
  const CPLErr code = GDALDatasetRasterIOEx(dataset.get(), GF_Read, 0, 0, width, height, bytes->data(), width, height,
                                            read_as, static_cast<int>(image.channels), nullptr, 0, 0, 0, nullptr);
  if (code != CE_None || errors.failed()) fail_decode(errors.text());
  const GDALColorTableH palette = GDALGetRasterColorTable(first);
  if (image.photo && !indices && palette == nullptr) widen_gray(*bytes, first);
  image.data = bytes->data();
  image.owner = std::move(bytes);
  if (!indices && palette != nullptr && image.channels == 1 && dtype == DType::kUint8) look_up_palette(image, palette);
  return image;
}

#else

bool can_decode_images() noexcept { return false; }

Image decode_image(const std::filesystem::path& path, bool) {
  fail(ErrorCode::kUnsupported,
       "cannot decode {}: this build of pare reads no image files\n  remedy: build with -DPARE_WITH_GDAL=ON, or store "
       "the "
       "samples as .npz",
       path.string());
}

#endif

}  // namespace pare::data
