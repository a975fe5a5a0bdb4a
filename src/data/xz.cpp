#include <lzma.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

#include "core/fail.h"
#include "data/byte_source.h"
#include "data/temporary.h"

namespace pare::data {
namespace {

const std::uint8_t* raw(const std::byte* bytes) { return reinterpret_cast<const std::uint8_t*>(bytes); }

const char* reason(lzma_ret code) {
  switch (code) {
    case LZMA_FORMAT_ERROR:
      return "this is not an xz file";
    case LZMA_OPTIONS_ERROR:
      return "packed with an option that is not known here";
    case LZMA_BUF_ERROR:
      return "the file ends too early";
    case LZMA_MEM_ERROR:
    case LZMA_MEMLIMIT_ERROR:
      return "not enough memory";
    default:
      return "the file is damaged or truncated";
  }
}

struct Stream {
  lzma_stream stream = LZMA_STREAM_INIT;
  Stream() = default;
  ~Stream() { lzma_end(&stream); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
};

struct Block {
  std::int64_t packed_offset = 0, packed_size = 0, offset = 0, size = 0;
  lzma_vli unpadded_size = 0;
  lzma_check check = LZMA_CHECK_NONE;
  std::mutex mutex;
  std::atomic<bool> done = false;
};

class XzSource final : public ByteSource {
 public:
  explicit XzSource(const std::filesystem::path& path)
      : name_(path.string()), file_(map_file(path)), size_(read_index()), unpacked_(size_) {}
  [[nodiscard]] std::int64_t size() const override { return size_; }
  [[nodiscard]] std::span<const std::byte> bytes(std::int64_t offset, std::int64_t count) const override {
    if (offset < 0 || count < 0 || count > size_ || offset > size_ - count)
      fail(ErrorCode::kIo, "{} unpacks to {} bytes, {} bytes at {} were expected", name_, size_, count, offset);
    for (const auto& block : blocks_)
      if (block->offset < offset + count && offset < block->offset + block->size) ensure(*block);
    return {unpacked_.data() + offset, static_cast<std::size_t>(count)};
  }

 private:
  std::int64_t read_index();
  void ensure(Block& block) const;
  void unpack(Block& block) const;
  [[noreturn]] void fail_xz(lzma_ret code) const { fail(ErrorCode::kIo, "cannot unpack {}: {}", name_, reason(code)); }

  std::string name_;
  SharedBytes file_;
  std::vector<std::unique_ptr<Block>> blocks_;
  std::int64_t size_ = 0;
  mutable TemporaryBytes unpacked_;
};

// The index at the end of the file lists its blocks: sizes are known, and blocks readable in any order, without
// unpacking.
std::int64_t XzSource::read_index() {
  const std::span<const std::byte> packed = file_->bytes(0, file_->size());
  Stream reader;
  lzma_index* index = nullptr;
  lzma_ret code = lzma_file_info_decoder(&reader.stream, &index, std::uint64_t{64} << 20, packed.size());
  reader.stream.next_in = raw(packed.data());
  reader.stream.avail_in = packed.size();
  while (code == LZMA_OK) {
    code = lzma_code(&reader.stream, LZMA_FINISH);
    if (code != LZMA_SEEK_NEEDED) continue;
    const std::uint64_t position = std::min<std::uint64_t>(reader.stream.seek_pos, packed.size());
    reader.stream.next_in = raw(packed.data()) + position;
    reader.stream.avail_in = packed.size() - position;
    code = LZMA_OK;
  }
  if (code != LZMA_STREAM_END) fail_xz(code);
  const std::unique_ptr<lzma_index, void (*)(lzma_index*)> owner(index,
                                                                 [](lzma_index* i) { lzma_index_end(i, nullptr); });
  lzma_index_iter at;
  lzma_index_iter_init(&at, index);
  while (!lzma_index_iter_next(&at, LZMA_INDEX_ITER_NONEMPTY_BLOCK)) {
    auto block = std::make_unique<Block>();
    block->packed_offset = static_cast<std::int64_t>(at.block.compressed_file_offset);
    block->packed_size = static_cast<std::int64_t>(at.block.total_size);
    block->offset = static_cast<std::int64_t>(at.block.uncompressed_file_offset);
    block->size = static_cast<std::int64_t>(at.block.uncompressed_size);
    block->unpadded_size = at.block.unpadded_size;
    block->check = at.stream.flags->check;
    blocks_.push_back(std::move(block));
  }
  return static_cast<std::int64_t>(lzma_index_uncompressed_size(index));
}

void XzSource::ensure(Block& block) const {
  if (block.done.load(std::memory_order_acquire)) return;
  const std::lock_guard lock(block.mutex);
  if (block.done.load(std::memory_order_relaxed)) return;
  unpack(block);
  block.done.store(true, std::memory_order_release);
}

void XzSource::unpack(Block& block) const {
  const std::span<const std::byte> packed = file_->bytes(block.packed_offset, block.packed_size);
  lzma_filter filters[LZMA_FILTERS_MAX + 1] = {};
  lzma_block header = {};
  header.check = block.check;
  header.filters = filters;
  header.header_size = lzma_block_header_size_decode(std::to_integer<std::uint32_t>(packed[0]));
  lzma_ret code = header.header_size <= packed.size() ? lzma_block_header_decode(&header, nullptr, raw(packed.data()))
                                                      : LZMA_DATA_ERROR;
  if (code == LZMA_OK) code = lzma_block_compressed_size(&header, block.unpadded_size);
  Stream reader;
  if (code == LZMA_OK) code = lzma_block_decoder(&reader.stream, &header);
  std::vector<std::byte> chunk(std::size_t{1} << 18);
  std::int64_t written = 0;
  reader.stream.next_in = raw(packed.data()) + header.header_size;
  reader.stream.avail_in = packed.size() - header.header_size;
  try {
    while (code == LZMA_OK) {
      reader.stream.next_out = reinterpret_cast<std::uint8_t*>(chunk.data());
      reader.stream.avail_out = chunk.size();
      code = lzma_code(&reader.stream, LZMA_FINISH);
      const std::size_t made = chunk.size() - reader.stream.avail_out;
      if (written + static_cast<std::int64_t>(made) > block.size) code = LZMA_DATA_ERROR;
      if (code == LZMA_OK || code == LZMA_STREAM_END)
        unpacked_.write(block.offset + written, std::span(chunk).first(made));
      written += static_cast<std::int64_t>(made);
    }
  } catch (...) {
    lzma_filters_free(filters, nullptr);
    throw;
  }
  lzma_filters_free(filters, nullptr);
  if (code != LZMA_STREAM_END || written != block.size) fail_xz(code == LZMA_STREAM_END ? LZMA_DATA_ERROR : code);
}

}  // namespace

SharedBytes open_xz(const std::filesystem::path& path) { return std::make_shared<XzSource>(path); }

}  // namespace pare::data
