#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <vector>

#include "core/fail.h"
#include "data/byte_source.h"
#include "data/temporary.h"

namespace pare::data {
namespace {

/// One deflate stream, raw or with gzip's header and trailer, unpacked from its start as far as asked for.
class InflateSource final : public ByteSource {
 public:
  InflateSource(Deflated member, bool gzip)
      : member_(std::move(member)), gzip_(gzip), unpacked_(member_.size), chunk_(std::size_t{1} << 17) {
    if (inflateInit2(&stream_, gzip ? 31 : -MAX_WBITS) != Z_OK)
      fail(ErrorCode::kIo, "cannot unpack {}: not enough memory", member_.label);
  }
  ~InflateSource() override { inflateEnd(&stream_); }
  InflateSource(const InflateSource&) = delete;
  InflateSource& operator=(const InflateSource&) = delete;

  [[nodiscard]] std::int64_t size() const override { return member_.size; }
  [[nodiscard]] std::span<const std::byte> bytes(std::int64_t offset, std::int64_t count) const override {
    if (offset < 0 || count < 0 || count > member_.size || offset > member_.size - count)
      fail(ErrorCode::kIo, "{} unpacks to {} bytes, {} bytes at {} were expected", member_.label, member_.size, count,
           offset);
    if (ready_.load(std::memory_order_acquire) < offset + count) {
      const std::lock_guard lock(mutex_);
      while (ready_.load(std::memory_order_relaxed) < offset + count) unpack_some();
    }
    return {unpacked_.data() + offset, static_cast<std::size_t>(count)};
  }

 private:
  void unpack_some() const;
  void check_trailer() const;
  [[noreturn]] void fail_inflate(const char* why) const {
    fail(ErrorCode::kIo, "cannot unpack {}: {}", member_.label, why);
  }

  Deflated member_;
  bool gzip_;
  mutable std::mutex mutex_;
  mutable z_stream stream_ = {};
  mutable std::int64_t consumed_ = 0;
  mutable std::uint32_t crc_ = 0;
  mutable std::atomic<std::int64_t> ready_ = 0;
  mutable TemporaryBytes unpacked_;
  mutable std::vector<std::byte> chunk_;
};

void InflateSource::unpack_some() const {
  // zlib counts in 32 bits: packed bytes are handed over in pieces.
  const std::int64_t piece = std::min<std::int64_t>(member_.source->size() - consumed_, std::int64_t{1} << 20);
  const std::span<const std::byte> packed = member_.source->bytes(consumed_, piece);
  stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data()));
  stream_.avail_in = static_cast<uInt>(piece);
  stream_.next_out = reinterpret_cast<Bytef*>(chunk_.data());
  stream_.avail_out = static_cast<uInt>(chunk_.size());
  const int code = inflate(&stream_, Z_NO_FLUSH);
  consumed_ += piece - stream_.avail_in;
  const std::size_t made = chunk_.size() - stream_.avail_out;
  const std::int64_t ready = ready_.load(std::memory_order_relaxed);
  const std::int64_t after = ready + static_cast<std::int64_t>(made);
  if (gzip_ && code == Z_DATA_ERROR && after == member_.size) fail_inflate("its checksum does not fit");
  if (code != Z_OK && code != Z_STREAM_END)
    fail_inflate(code == Z_BUF_ERROR ? "the file ends too early" : "the file is damaged or truncated");
  if (after > member_.size) fail_inflate("it is longer than it says");
  if (code == Z_STREAM_END && after < member_.size) fail_inflate("it is shorter than it says");
  unpacked_.write(ready, std::span<const std::byte>(chunk_).first(made));
  if (!gzip_) {
    crc_ =
        static_cast<std::uint32_t>(crc32(crc_, reinterpret_cast<const Bytef*>(chunk_.data()), static_cast<uInt>(made)));
    if (after == member_.size && crc_ != member_.crc) fail_inflate("its checksum does not fit");
  }
  if (gzip_ && after == member_.size && code == Z_OK) check_trailer();
  ready_.store(after, std::memory_order_release);
}

// zlib compares the checksum only once it is asked for more than the stream holds.
void InflateSource::check_trailer() const {
  Bytef beyond = 0;
  int code = Z_OK;
  stream_.avail_out = 1;
  while (code == Z_OK && stream_.avail_out != 0) {
    const std::int64_t piece = std::min<std::int64_t>(member_.source->size() - consumed_, 64);
    const std::span<const std::byte> packed = member_.source->bytes(consumed_, piece);
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data()));
    stream_.avail_in = static_cast<uInt>(piece);
    stream_.next_out = &beyond;
    stream_.avail_out = 1;
    code = inflate(&stream_, Z_NO_FLUSH);
    consumed_ += piece - stream_.avail_in;
  }
  if (code == Z_OK) fail_inflate("it is longer than it says");
  if (code != Z_STREAM_END) fail_inflate("its checksum does not fit");
}

}  // namespace

SharedBytes open_gzip(const std::filesystem::path& path) {
  SharedBytes file = map_file(path);
  if (file->size() < 18) fail(ErrorCode::kIo, "cannot unpack {}: the file ends too early", path.string());
  const std::span<const std::byte> magic = file->bytes(0, 2);
  if (magic[0] != std::byte{0x1f} || magic[1] != std::byte{0x8b})
    fail(ErrorCode::kIo, "cannot unpack {}: this is not a gzip file", path.string());
  std::uint32_t size = 0;
  std::memcpy(&size, file->bytes(file->size() - 4, 4).data(), sizeof size);
  return std::make_shared<InflateSource>(
      Deflated{.source = std::move(file), .size = size, .crc = 0, .label = path.string()}, true);
}

SharedBytes open_deflated(Deflated member) { return std::make_shared<InflateSource>(std::move(member), false); }

}  // namespace pare::data
