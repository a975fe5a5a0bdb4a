#include "graph/external_data.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/fail.h"

namespace pare {
namespace fs = std::filesystem;

MappedFile::MappedFile(const fs::path& path) {
  // O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) fail(ErrorCode::kIo, "cannot read {}: {}", path.string(), std::strerror(errno));
  struct stat status = {};
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(descriptor);
    fail(ErrorCode::kIo, "cannot read {}: it is {}", path.string(),
         S_ISDIR(status.st_mode) ? "a folder\n  remedy: name the .onnx file in it"
                                 : "a pipe or device\n  remedy: save it as a file first");
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  void* data = size == 0 ? nullptr : mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  const int code = errno;
  close(descriptor);
  if (data == MAP_FAILED) fail(ErrorCode::kIo, "cannot map {}: {}", path.string(), std::strerror(code));
  bytes_ = {static_cast<const std::byte*>(data), size};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void MappedFile::forget(std::size_t offset, std::size_t size) const noexcept {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t begin = (offset + page - 1) / page * page, end = (offset + size) / page * page;
  if (begin < end) madvise(const_cast<std::byte*>(bytes_.data()) + begin, end - begin, MADV_DONTNEED);
}

namespace {

fs::path checked_path(const fs::path& folder, const std::string& location, bool allow_links,
                      const std::string& tensor) {
  const auto refuse = [&](const char* reason, const char* remedy) {
    fail(ErrorCode::kMalformedModel, "tensor '{}': external data '{}' {}\n  remedy: {}", tensor, location, reason,
         remedy);
  };
  if (folder.empty()) refuse("is beside no file: the model came from memory", "load the model from its file");
  if (location.empty()) refuse("has no file name", "export the model again");
  const fs::path relative(location);
  if (relative.is_absolute()) refuse("is an absolute path", "put the data beside the model and name it relatively");
  for (const fs::path& part : relative)
    if (part == "..") refuse("leads out of the model's folder", "put the data beside the model");
  const fs::path path = folder / relative;
  std::error_code error;
  if (!fs::exists(path, error)) refuse("is missing", "copy it beside the model file");
  const fs::path real = fs::canonical(path, error);
  const fs::path root = fs::canonical(folder, error);
  const auto [end, unused] = std::mismatch(root.begin(), root.end(), real.begin(), real.end());
  if (end != root.end() && !allow_links)
    refuse("is a link that leads out of the model's folder",
           "if you trust the file, allow it with --allow-external-links");
  if (!fs::is_regular_file(real, error)) refuse("is no regular file", "put the data file beside the model");
  return path;
}

}  // namespace

ExternalReader external_reader(fs::path folder, bool allow_external_links) {
  auto open_files = std::make_shared<std::map<std::string, std::shared_ptr<const MappedFile>>>();
  return [folder = std::move(folder), allow_external_links, open_files](const ExternalPlace& place, DType dtype,
                                                                        const Shape& shape, const std::string& name) {
    if (dtype_bits(dtype) == 0)
      fail(ErrorCode::kMalformedModel, "tensor '{}': {} cannot lie in external data", name, dtype_name(dtype));
    auto& file = (*open_files)[place.location];
    if (!file)
      file = std::make_shared<const MappedFile>(checked_path(folder, place.location, allow_external_links, name));
    const std::int64_t needed = (element_count(shape) * dtype_bits(dtype) + 7) / 8;
    const std::int64_t length = place.length < 0 ? needed : place.length;
    const auto available = static_cast<std::int64_t>(file->bytes().size());
    if (length != needed)
      fail(ErrorCode::kMalformedModel, "tensor '{}': {} {} takes {} bytes, its external data has {}", name,
           dtype_name(dtype), shape_text(shape), needed, length);
    if (place.offset > available || length > available - place.offset)
      fail(ErrorCode::kMalformedModel,
           "tensor '{}': {} bytes at offset {} lie beyond the end of '{}' ({} bytes)\n  remedy: the data file is "
           "truncated or "
           "not this model's; copy it again",
           name, length, place.offset, place.location, available);
    return Tensor::view(
        dtype, shape, file,
        file->bytes().subspan(static_cast<std::size_t>(place.offset), static_cast<std::size_t>(length)));
  };
}

}  // namespace pare
