// temp_folder.h - a folder for files in between, removed with everything in it.
#pragma once

#include <filesystem>

namespace pare {

/// In the system's temporary folder. Throws Error(kIo).
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace pare
