// gdal_file.h - files opened through GDAL without a word on the terminal; included only in builds with GDAL.
#pragma once

#include <cpl_error.h>
#include <gdal.h>

#include <filesystem>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "pare/tensor.h"

namespace pare::data {

/// While it lives, GDAL's messages of this thread go here instead of to the terminal.
class QuietErrors {
 public:
  QuietErrors() { CPLPushErrorHandlerEx(&QuietErrors::take, this); }
  ~QuietErrors() { CPLPopErrorHandler(); }
  QuietErrors(const QuietErrors&) = delete;
  QuietErrors& operator=(const QuietErrors&) = delete;
  /// libjpeg fills what a truncated file lacks with gray and calls that a warning.
  [[nodiscard]] bool failed() const { return failed_ || text_.find("Premature end") != std::string::npos; }
  [[nodiscard]] std::string text() const { return text_.empty() ? "unknown kind of file" : text_; }

 private:
  static void CPL_STDCALL take(CPLErr severity, CPLErrorNum, const char* message);
  std::string text_;
  bool failed_ = false;
};

struct CloseGdalFile {
  void operator()(GDALDatasetH dataset) const { GDALClose(dataset); }
};
using GdalFile = std::unique_ptr<std::remove_pointer_t<GDALDatasetH>, CloseGdalFile>;

/// Null if it cannot be opened; `drivers` null: by any driver. `look_beside`: also what lies in files beside it (world
/// files, .aux.xml), for which the whole folder is listed.
[[nodiscard]] GdalFile open_gdal(const std::filesystem::path& path, const char* const* drivers, bool look_beside);
/// The type in which values of a stored type are read.
[[nodiscard]] std::pair<GDALDataType, DType> read_type(GDALDataType stored);

}  // namespace pare::data
