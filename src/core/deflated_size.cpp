#include "core/deflated_size.h"

#include <zlib.h>

#include <algorithm>
#include <vector>

#include "core/fail.h"

namespace pare {

std::int64_t deflated_size(std::string_view bytes) {
  z_stream stream = {};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    fail(ErrorCode::kIo, "cannot pack {} bytes: not enough memory", bytes.size());
  std::vector<Bytef> chunk(std::size_t{1} << 16);
  std::int64_t size = 0;
  std::size_t consumed = 0;
  int status = Z_OK;
  while (status != Z_STREAM_END) {
    // zlib counts in 32 bits.
    const std::size_t piece = std::min<std::size_t>(bytes.size() - consumed, std::size_t{1} << 20);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + consumed));
    stream.avail_in = static_cast<uInt>(piece);
    consumed += piece;
    const int flush = consumed == bytes.size() ? Z_FINISH : Z_NO_FLUSH;
    do {
      stream.next_out = chunk.data();
      stream.avail_out = static_cast<uInt>(chunk.size());
      status = deflate(&stream, flush);
      size += static_cast<std::int64_t>(chunk.size() - stream.avail_out);
    } while (stream.avail_out == 0);
  }
  deflateEnd(&stream);
  return size;
}

}  // namespace pare
