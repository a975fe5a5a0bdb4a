#include "data/byte_source.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/fail.h"

namespace pare::data {
namespace {

class MappedFile final : public ByteSource {
 public:
  explicit MappedFile(const std::filesystem::path& path) : name_(path.string()) {
    const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status = {};
    if (descriptor < 0 || fstat(descriptor, &status) != 0) fail_open(descriptor);
    size_ = status.st_size;
    void* mapped = nullptr;
    if (size_ > 0) mapped = mmap(nullptr, static_cast<std::size_t>(size_), PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (mapped == MAP_FAILED) fail_open(descriptor);
    data_ = static_cast<const std::byte*>(mapped);
    close(descriptor);
  }
  ~MappedFile() override {
    if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), static_cast<std::size_t>(size_));
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  [[nodiscard]] std::int64_t size() const override { return size_; }
  [[nodiscard]] std::span<const std::byte> bytes(std::int64_t offset, std::int64_t count) const override {
    if (offset < 0 || count < 0 || count > size_ || offset > size_ - count)
      fail(ErrorCode::kIo, "{} ends at byte {}, {} bytes at {} were expected", name_, size_, count, offset);
    return {data_ + offset, static_cast<std::size_t>(count)};
  }

 private:
  [[noreturn]] void fail_open(int descriptor) const {
    const int error = errno;
    if (descriptor >= 0) close(descriptor);
    fail(ErrorCode::kIo, "cannot read {}: {}", name_, std::strerror(error));
  }
  std::string name_;
  std::int64_t size_ = 0;
  const std::byte* data_ = nullptr;
};

class Slice final : public ByteSource {
 public:
  Slice(SharedBytes source, std::int64_t offset, std::int64_t size)
      : source_(std::move(source)), offset_(offset), size_(size) {}
  [[nodiscard]] std::int64_t size() const override { return size_; }
  [[nodiscard]] std::span<const std::byte> bytes(std::int64_t offset, std::int64_t count) const override {
    if (offset < 0 || count < 0 || count > size_ || offset > size_ - count)
      fail(ErrorCode::kIo, "the data ends at byte {}, {} bytes at {} were expected", size_, count, offset);
    return source_->bytes(offset_ + offset, count);
  }

 private:
  SharedBytes source_;
  std::int64_t offset_, size_;
};

}  // namespace

SharedBytes map_file(const std::filesystem::path& path) { return std::make_shared<MappedFile>(path); }

SharedBytes slice(SharedBytes source, std::int64_t offset, std::int64_t size) {
  (void)source->bytes(offset, 0);
  if (size < 0 || size > source->size() - offset) (void)source->bytes(offset, size);
  return std::make_shared<Slice>(std::move(source), offset, size);
}

SharedBytes open_bytes(const std::filesystem::path& path) {
  if (path.extension() == ".xz") return open_xz(path);
  if (path.extension() == ".gz") return open_gzip(path);
  return map_file(path);
}

}  // namespace pare::data
