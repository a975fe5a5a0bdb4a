// external_data.h - weights that lie in files beside the model: mapped into memory, never outside the model's folder.
#pragma once

#include <filesystem>
#include <map>
#include <memory>

#include "graph/proto.h"

namespace pare {

/// Read-only view of a whole file. Throws Error(kIo).
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }
  /// Gives the memory of whole pages within that range back; they are read again if they are looked at again.
  void forget(std::size_t offset, std::size_t size) const noexcept;

 private:
  std::span<const std::byte> bytes_;
};

/// Reads beside `folder` (empty: refuses all). Absolute paths, "..", and links that lead out of the folder (unless
/// allowed) are refused, as are places beyond the end of the file.
[[nodiscard]] ExternalReader external_reader(std::filesystem::path folder, bool allow_external_links);

}  // namespace pare
