// temp_folder.h - a folder of our own for files that a runtime insists on; gone with everything in it when destroyed.
#pragma once

#include <filesystem>

namespace pare {

class TempFolder {
 public:
  /// Throws Error(kIo).
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace pare
