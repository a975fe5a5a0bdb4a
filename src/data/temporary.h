// temporary.h - room on disk for unpacked bytes: a file without a name, seen through a memory map.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace pare::data {

/// The file takes space only as far as it is written, and is gone with the object, also after a crash.
class TemporaryBytes {
 public:
  /// Throws Error(kIo).
  explicit TemporaryBytes(std::int64_t size);
  ~TemporaryBytes();
  TemporaryBytes(const TemporaryBytes&) = delete;
  TemporaryBytes& operator=(const TemporaryBytes&) = delete;
  /// Throws Error(kIo) when the disk is full. Different parts may be written from different threads.
  void write(std::int64_t offset, std::span<const std::byte> bytes);
  /// Zero where nothing was written.
  [[nodiscard]] const std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::int64_t size() const noexcept { return size_; }

 private:
  std::int64_t size_ = 0;
  int descriptor_ = -1;
  const std::byte* data_ = nullptr;
};

}  // namespace pare::data
