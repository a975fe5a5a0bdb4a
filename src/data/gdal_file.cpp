#if PARE_WITH_GDAL
#include "data/gdal_file.h"

#include <mutex>

namespace pare::data {

void CPL_STDCALL QuietErrors::take(CPLErr severity, CPLErrorNum, const char* message) {
  auto* self = static_cast<QuietErrors*>(CPLGetErrorHandlerUserData());
  if (severity < CE_Warning) return;
  const bool first_failure = severity >= CE_Failure && !self->failed_;
  if (self->text_.empty() || first_failure) self->text_ = message;
  self->failed_ = self->failed_ || first_failure;
}

GdalFile open_gdal(const std::filesystem::path& path, const char* const* drivers, bool look_beside) {
  static std::once_flag once;
  std::call_once(once, [] { GDALAllRegister(); });
  static const char* const kNoSiblings[] = {nullptr};
  return GdalFile(GDALOpenEx(path.c_str(), GDAL_OF_RASTER | GDAL_OF_READONLY | GDAL_OF_VERBOSE_ERROR, drivers, nullptr,
                             look_beside ? nullptr : kNoSiblings));
}

std::pair<GDALDataType, DType> read_type(GDALDataType stored) {
  switch (stored) {
    case GDT_Byte:
      return {GDT_Byte, DType::kUint8};
    case GDT_UInt16:
      return {GDT_UInt16, DType::kUint16};
    case GDT_Int16:
      return {GDT_Int16, DType::kInt16};
    case GDT_Int32:
      return {GDT_Int32, DType::kInt32};
    case GDT_UInt32:
      return {GDT_UInt32, DType::kUint32};
    default:
      return {GDT_Float32, DType::kFloat32};
  }
}

}  // namespace pare::data
#endif
