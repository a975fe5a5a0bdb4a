// atomic_file.h - files appear whole or not at all.
#pragma once

#include <filesystem>
#include <fstream>
#include <ostream>
#include <string_view>

namespace pare {

/// Written beside the target under a temporary name; commit() flushes it to disk and renames it over the target.
/// Destroyed without commit it leaves nothing. A target that is a symbolic link is replaced, what it pointed to stays.
/// Pipes and devices are written to directly. Throws Error(kIo): folder missing, read-only, disk full.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path target);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(std::string_view bytes);
  void write(const void* data, std::size_t size_bytes);
  [[nodiscard]] std::int64_t written() const noexcept { return written_; }
  /// Flushes and closes but does not rename yet: after this only the rename can fail.
  void close();
  void commit();
  [[nodiscard]] const std::filesystem::path& temporary() const noexcept { return temporary_; }

 private:
  [[noreturn]] void fail_io(const char* action) const;
  std::filesystem::path target_, temporary_;
  int descriptor_ = -1;
  std::int64_t written_ = 0;
  bool committed_ = false;
};

void write_file_atomically(const std::filesystem::path& target, std::string_view content);
/// Throws Error(kIo).
[[nodiscard]] std::string read_whole_file(const std::filesystem::path& path);

}  // namespace pare
