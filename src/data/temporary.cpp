#include "data/temporary.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "core/fail.h"

namespace pare::data {
namespace {

[[noreturn]] void fail_temporary(const char* action) {
  const int error = errno;
  fail(ErrorCode::kIo,
       "cannot {} a temporary file in {}: {}\n  remedy: free some space there, or unpack the data first", action,
       std::filesystem::temp_directory_path().string(), std::strerror(error));
}

}  // namespace

TemporaryBytes::TemporaryBytes(std::int64_t size) : size_(size) {
  std::string name = (std::filesystem::temp_directory_path() / "pare_XXXXXX").string();
  descriptor_ = mkostemp(name.data(), O_CLOEXEC);
  if (descriptor_ < 0) fail_temporary("make");
  unlink(name.c_str());
  void* mapped = MAP_FAILED;
  if (ftruncate(descriptor_, size) == 0 && size > 0)
    mapped = mmap(nullptr, static_cast<std::size_t>(size), PROT_READ, MAP_SHARED, descriptor_, 0);
  if (size > 0 && mapped == MAP_FAILED) {
    close(descriptor_);
    fail_temporary("map");
  }
  if (size > 0) data_ = static_cast<const std::byte*>(mapped);
}

TemporaryBytes::~TemporaryBytes() {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), static_cast<std::size_t>(size_));
  close(descriptor_);
}

// Written with pwrite and not through the map: a full disk is then an error code and not a SIGBUS.
void TemporaryBytes::write(std::int64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(descriptor_, bytes.data(), bytes.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail_temporary("write");
    offset += written;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

}  // namespace pare::data
