#include <algorithm>
#include <cstring>

#include "core/fail.h"
#include "data/npy.h"

namespace pare::data {
namespace {

constexpr std::uint32_t kEndMark = 0x06054b50, kEnd64Mark = 0x06064b50, kLocator64Mark = 0x07064b50;
constexpr std::uint32_t kEntryMark = 0x02014b50, kLocalMark = 0x04034b50;
constexpr std::int64_t kEndSize = 22, kLocator64Size = 20, kEntrySize = 46, kLocalSize = 30;

/// Reads a zip archive's directory, as far as NumPy writes such archives: stored or deflated, also beyond 4 GB.
class Zip {
 public:
  explicit Zip(const std::filesystem::path& path) : name_(path.filename().string()), file_(map_file(path)) {}
  [[nodiscard]] std::map<std::string, NpyArray> arrays() const;

 private:
  struct Entry {
    std::string name;
    std::uint16_t flags = 0, method = 0;
    std::uint32_t crc = 0;
    std::int64_t packed_size = 0, size = 0, offset = 0, next = 0;
  };
  template <class T>
  [[nodiscard]] T number(std::int64_t at) const {
    T value;
    std::memcpy(&value, file_->bytes(at, sizeof value).data(), sizeof value);
    return value;
  }
  [[nodiscard]] std::int64_t end_record() const;
  [[nodiscard]] Entry entry_at(std::int64_t at) const;
  void read_zip64(Entry& entry, std::int64_t at, std::int64_t end) const;
  [[nodiscard]] SharedBytes content(const Entry& entry) const;

  std::string name_;
  SharedBytes file_;
};

std::int64_t Zip::end_record() const {
  const std::int64_t least = std::max<std::int64_t>(0, file_->size() - kEndSize - 65535);
  for (std::int64_t at = file_->size() - kEndSize; at >= least; --at)
    if (number<std::uint32_t>(at) == kEndMark) return at;
  fail(ErrorCode::kIo, "{} is no .npz archive, or truncated: it does not end as one", name_);
}

void Zip::read_zip64(Entry& entry, std::int64_t at, std::int64_t end) const {
  while (at + 4 <= end) {
    const auto id = number<std::uint16_t>(at);
    const std::int64_t length = number<std::uint16_t>(at + 2);
    at += 4;
    if (id == 1) {
      // Only the fields that did not fit are there, in this order.
      for (std::int64_t* field : {&entry.size, &entry.packed_size, &entry.offset})
        if (*field == 0xffffffff) *field = static_cast<std::int64_t>(number<std::uint64_t>(at)), at += 8;
      return;
    }
    at += length;
  }
}

Zip::Entry Zip::entry_at(std::int64_t at) const {
  if (number<std::uint32_t>(at) != kEntryMark) fail(ErrorCode::kIo, "{} is damaged: its directory is broken", name_);
  Entry entry;
  entry.flags = number<std::uint16_t>(at + 8);
  entry.method = number<std::uint16_t>(at + 10);
  entry.crc = number<std::uint32_t>(at + 16);
  entry.packed_size = number<std::uint32_t>(at + 20);
  entry.size = number<std::uint32_t>(at + 24);
  const std::int64_t name_size = number<std::uint16_t>(at + 28), extra = number<std::uint16_t>(at + 30);
  entry.offset = number<std::uint32_t>(at + 42);
  const std::span<const std::byte> name = file_->bytes(at + kEntrySize, name_size);
  entry.name.assign(reinterpret_cast<const char*>(name.data()), name.size());
  read_zip64(entry, at + kEntrySize + name_size, at + kEntrySize + name_size + extra);
  entry.next = at + kEntrySize + name_size + extra + number<std::uint16_t>(at + 32);
  return entry;
}

SharedBytes Zip::content(const Entry& entry) const {
  if (number<std::uint32_t>(entry.offset) != kLocalMark)
    fail(ErrorCode::kIo, "{} is damaged: {} is not where the directory says", name_, entry.name);
  const std::int64_t start =
      entry.offset + kLocalSize + number<std::uint16_t>(entry.offset + 26) + number<std::uint16_t>(entry.offset + 28);
  SharedBytes packed = slice(file_, start, entry.packed_size);
  if ((entry.flags & 1) != 0) fail(ErrorCode::kUnsupported, "{} is encrypted", name_);
  if (entry.method == 0) return packed;
  if (entry.method != 8)
    fail(ErrorCode::kUnsupported, "{} in {} is packed by method {}\n  remedy: numpy.savez or numpy.savez_compressed",
         entry.name, name_, entry.method);
  return open_deflated({std::move(packed), entry.size, entry.crc, entry.name + " in " + name_});
}

std::map<std::string, NpyArray> Zip::arrays() const {
  if (file_->size() < kEndSize) fail(ErrorCode::kIo, "{} is no .npz archive: {} bytes", name_, file_->size());
  const std::int64_t end = end_record();
  std::int64_t count = number<std::uint16_t>(end + 10), at = number<std::uint32_t>(end + 16);
  const std::int64_t locator = end - kLocator64Size;
  if (locator >= 0 && number<std::uint32_t>(locator) == kLocator64Mark) {
    const auto end64 = static_cast<std::int64_t>(number<std::uint64_t>(locator + 8));
    if (number<std::uint32_t>(end64) != kEnd64Mark)
      fail(ErrorCode::kIo, "{} is damaged: its directory is broken", name_);
    count = static_cast<std::int64_t>(number<std::uint64_t>(end64 + 32));
    at = static_cast<std::int64_t>(number<std::uint64_t>(end64 + 48));
  }
  std::map<std::string, NpyArray> arrays;
  for (std::int64_t i = 0; i < count; ++i) {
    const Entry entry = entry_at(at);
    at = entry.next;
    if (!entry.name.ends_with(".npy")) continue;
    arrays.emplace(entry.name.substr(0, entry.name.size() - 4), read_npy(content(entry), entry.name + " in " + name_));
  }
  return arrays;
}

}  // namespace

std::map<std::string, NpyArray> read_npz(const std::filesystem::path& path) { return Zip(path).arrays(); }

}  // namespace pare::data
