#include "fit/value_store.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/fail.h"

namespace pare {
namespace {

/// A mapped file that is gone with the last tensor that looks at it.
class Spilled {
 public:
  Spilled(const std::filesystem::path& path, std::span<const std::byte> bytes) : size_(bytes.size()) {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) fail(ErrorCode::kIo, "{}: cannot be made: {}", path.string(), std::strerror(errno));
    ::unlink(path.c_str());
    for (std::size_t done = 0; done < size_;) {
      const ssize_t wrote = ::write(file, bytes.data() + done, size_ - done);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) {
        const int error = errno;
        ::close(file);
        fail(ErrorCode::kIo, "{}: cannot write activations: {}\n  remedy: fewer samples, or TMPDIR on a larger disk",
             path.parent_path().string(), std::strerror(error));
      }
      done += static_cast<std::size_t>(wrote);
    }
    data_ = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file, 0);
    ::close(file);
    if (data_ == MAP_FAILED) fail(ErrorCode::kIo, "{}: cannot be mapped: {}", path.string(), std::strerror(errno));
  }
  ~Spilled() { ::munmap(data_, size_); }
  Spilled(const Spilled&) = delete;
  Spilled& operator=(const Spilled&) = delete;
  [[nodiscard]] std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(data_), size_}; }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace

ValueStore::ValueStore(std::int64_t memory_bytes) : limit_(memory_bytes) {}
ValueStore::~ValueStore() = default;

Tensor ValueStore::spill(const Tensor& tensor) {
  if (folder_ == nullptr) folder_ = std::make_unique<TempFolder>();
  auto file = std::make_shared<Spilled>(folder_->path() / "activations", tensor.bytes());
  const std::span<const std::byte> bytes = file->bytes();
  return Tensor::view(tensor.dtype(), tensor.shape(), std::move(file), bytes);
}

void ValueStore::put(const std::string& name, std::size_t batch, const Tensor& tensor) {
  std::vector<Item>& items = values_[name];
  if (items.size() <= batch) items.resize(batch + 1);
  Item item{.tensor = tensor, .spilled = used_ + tensor.size_bytes() > limit_ && tensor.size_bytes() >= 65536};
  if (item.spilled) item.tensor = spill(tensor);
  (item.spilled ? spilled_ : used_) += tensor.size_bytes();
  items[batch] = std::move(item);
}

Tensor ValueStore::get(const std::string& name, std::size_t batch) const {
  const auto found = values_.find(name);
  if (found == values_.end() || found->second.size() <= batch || found->second[batch].tensor.empty())
    fail(ErrorCode::kInternal, "lockstep: value '{}' of batch {} is not held", name, batch);
  return found->second[batch].tensor;
}

std::vector<std::string> ValueStore::names() const {
  std::vector<std::string> names;
  for (const auto& [name, items] : values_) names.push_back(name);
  return names;
}

void ValueStore::drop(const std::string& name) {
  const auto found = values_.find(name);
  if (found == values_.end()) return;
  for (const Item& item : found->second) (item.spilled ? spilled_ : used_) -= item.tensor.size_bytes();
  values_.erase(found);
}

void ValueStore::drop(const std::string& name, std::size_t batch) {
  const auto found = values_.find(name);
  if (found == values_.end() || found->second.size() <= batch) return;
  Item& item = found->second[batch];
  (item.spilled ? spilled_ : used_) -= item.tensor.size_bytes();
  item = {};
}

void ValueStore::rest(const std::string& name, std::size_t batch) const {
  const auto found = values_.find(name);
  if (found == values_.end() || found->second.size() <= batch || !found->second[batch].spilled) return;
  const std::span<const std::byte> bytes = found->second[batch].tensor.bytes();
  ::madvise(const_cast<std::byte*>(bytes.data()), bytes.size(), MADV_DONTNEED);
}

}  // namespace pare
