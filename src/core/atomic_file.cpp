#include "core/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <sstream>

#include "core/fail.h"

namespace pare {

AtomicFile::AtomicFile(std::filesystem::path target) : target_(std::move(target)) {
  const std::filesystem::path folder = target_.has_parent_path() ? target_.parent_path() : std::filesystem::path(".");
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored))
    fail(ErrorCode::kIo, "cannot write {}: there is no folder {}\n  remedy: make it, or choose another output",
         target_.string(), folder.string());
  if (std::filesystem::is_directory(target_, ignored))
    fail(ErrorCode::kIo, "cannot write {}: it is a folder\n  remedy: name a file", target_.string());
  // Pipes and devices (/dev/stdout) are written to, not replaced by a file.
  if (std::filesystem::exists(target_, ignored) && !std::filesystem::is_regular_file(target_, ignored)) {
    descriptor_ = ::open(target_.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor_ < 0) fail_io("write");
    return;
  }
  // A target that exists but may not be written stays as it is, although its folder would allow a rename over it.
  if (std::filesystem::exists(target_, ignored) && access(target_.c_str(), W_OK) != 0) fail_io("write");
  std::string pattern = (folder / ("." + target_.filename().string() + ".XXXXXX")).string();
  descriptor_ = mkstemp(pattern.data());
  if (descriptor_ < 0) fail_io("write");
  temporary_ = pattern;
  const mode_t mask = umask(0);
  umask(mask);
  // Some file systems know no modes: the file is no worse for it.
  static_cast<void>(fchmod(descriptor_, 0666 & ~mask));
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!committed_ && !temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::string_view bytes) { write(bytes.data(), bytes.size()); }

void AtomicFile::write(const void* data, std::size_t size_bytes) {
  const char* next = static_cast<const char*>(data);
  while (size_bytes > 0) {
    const ssize_t done = ::write(descriptor_, next, size_bytes);
    if (done < 0) {
      if (errno == EINTR) continue;
      fail_io("write");
    }
    next += done;
    size_bytes -= static_cast<std::size_t>(done);
    written_ += done;
  }
}

void AtomicFile::close() {
  if (descriptor_ < 0) return;
  if (fsync(descriptor_) != 0 && errno != EINVAL && errno != EROFS) fail_io("write");
  const int descriptor = descriptor_;
  descriptor_ = -1;
  if (::close(descriptor) != 0) fail_io("write");
}

void AtomicFile::commit() {
  close();
  if (temporary_.empty()) return;
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail_io("replace");
  committed_ = true;
}

void AtomicFile::fail_io(const char* action) const {
  const int code = errno;
  const char* remedy = code == ENOSPC || code == EDQUOT                   ? "free some space, or choose another place"
                       : code == EACCES || code == EROFS || code == EPERM ? "choose a place that you may write to"
                                                                          : "choose another output";
  fail(ErrorCode::kIo, "cannot {} {}: {}\n  remedy: {}", action, target_.string(), std::strerror(code), remedy);
}

void write_file_atomically(const std::filesystem::path& target, std::string_view content) {
  AtomicFile file(target);
  file.write(content);
  file.commit();
}

std::string read_whole_file(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) fail(ErrorCode::kIo, "cannot read {}: no such file", path.string());
  if (std::filesystem::is_directory(path, ignored))
    fail(ErrorCode::kIo, "cannot read {}: it is a folder", path.string());
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  if (!in || in.bad()) fail(ErrorCode::kIo, "cannot read {}: {}", path.string(), std::strerror(errno));
  return std::move(out).str();
}

}  // namespace pare
