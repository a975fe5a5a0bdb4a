#include "data/raster.h"

#include <mutex>

#include "core/fail.h"
#if PARE_WITH_GDAL
#include "data/gdal_file.h"
#endif

namespace pare::data {

std::string RasterInfo::size_text() const { return fmt::format("{} x {}", height, width); }

#if PARE_WITH_GDAL

struct Raster::Handles {
  bool keep = false;
  std::mutex mutex;
  std::vector<GdalFile> idle;

  GdalFile take(const std::filesystem::path& path) {
    {
      const std::lock_guard lock(mutex);
      if (!idle.empty()) {
        GdalFile file = std::move(idle.back());
        idle.pop_back();
        return file;
      }
    }
    return open_gdal(path, nullptr, keep);
  }
  void give_back(GdalFile file) {
    const std::lock_guard lock(mutex);
    if (keep) idle.push_back(std::move(file));
  }
};

namespace {

GDALDataType gdal_type(DType dtype) {
  switch (dtype) {
    case DType::kUint8:
      return GDT_Byte;
    case DType::kUint16:
      return GDT_UInt16;
    case DType::kInt16:
      return GDT_Int16;
    case DType::kInt32:
      return GDT_Int32;
    case DType::kUint32:
      return GDT_UInt32;
    case DType::kFloat64:
      return GDT_Float64;
    default:
      return GDT_Float32;
  }
}

[[noreturn]] void fail_read(const std::filesystem::path& path, const std::string& why) {
  fail(ErrorCode::kIo, "cannot read {}: {}", path.string(), why);
}

RasterInfo read_info(GDALDatasetH file, const std::filesystem::path& path) {
  RasterInfo info;
  info.height = GDALGetRasterYSize(file);
  info.width = GDALGetRasterXSize(file);
  const int bands = GDALGetRasterCount(file);
  if (bands == 0) fail_read(path, "it holds no bands");
  for (int i = 1; i <= bands; ++i) {
    const GDALRasterBandH band = GDALGetRasterBand(file, i);
    const GDALDataType type = GDALGetRasterDataType(band);
    if (GDALDataTypeIsComplex(type)) fail_read(path, fmt::format("the values of band {} are complex numbers", i));
    info.dtypes.push_back(read_type(type).second);
    int declared = 0;
    const double nodata = GDALGetRasterNoDataValue(band, &declared);
    info.nodata.push_back(declared != 0 ? std::optional(nodata) : std::nullopt);
    if (GDALGetRasterColorInterpretation(band) == GCI_AlphaBand) info.alpha = i - 1;
  }
  std::array<double, 6> transform = {};
  if (GDALGetGeoTransform(file, transform.data()) == CE_None) info.transform = transform;
  return info;
}

}  // namespace

Raster::Raster(std::filesystem::path path, bool keep_open)
    : path_(std::move(path)), handles_(std::make_unique<Handles>()) {
  handles_->keep = keep_open;
  const QuietErrors errors;
  GdalFile file = handles_->take(path_);
  if (file == nullptr) fail_read(path_, errors.text());
  info_ = read_info(file.get(), path_);
  handles_->give_back(std::move(file));
}

void Raster::read(const Window& window, const std::vector<std::int64_t>& bands, DType dtype, std::byte* out) const {
  const QuietErrors errors;
  GdalFile file = handles_->take(path_);
  if (file == nullptr) fail_read(path_, errors.text());
  std::vector<int> numbers;
  for (const std::int64_t band : bands) numbers.push_back(static_cast<int>(band) + 1);
  const int height = static_cast<int>(window.height), width = static_cast<int>(window.width);
  const CPLErr code = GDALDatasetRasterIOEx(
      file.get(), GF_Read, static_cast<int>(window.left), static_cast<int>(window.top), width, height, out, width,
      height, gdal_type(dtype), static_cast<int>(numbers.size()), numbers.data(), 0, 0, 0, nullptr);
  if (code != CE_None || errors.failed()) fail_read(path_, errors.text());
  handles_->give_back(std::move(file));
}

#else

struct Raster::Handles {};

Raster::Raster(std::filesystem::path path, bool) : path_(std::move(path)) {
  fail(ErrorCode::kUnsupported,
       "cannot read {}: this build of pare reads no rasters\n  remedy: build with -DPARE_WITH_GDAL=ON, or store the "
       "samples as .npz",
       path_.string());
}

void Raster::read(const Window&, const std::vector<std::int64_t>&, DType, std::byte*) const {}

#endif

Raster::~Raster() = default;

}  // namespace pare::data
