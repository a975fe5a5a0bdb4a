// byte_source.h - bytes of a file, plain or packed, of which only what is asked for is read or unpacked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace pare::data {

/// May be used from several threads at once. Spans stay valid as long as the source lives.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  [[nodiscard]] virtual std::int64_t size() const = 0;
  /// Throws Error(kIo) naming the file: beyond the end, damaged, no space to unpack.
  [[nodiscard]] virtual std::span<const std::byte> bytes(std::int64_t offset, std::int64_t count) const = 0;
};
using SharedBytes = std::shared_ptr<const ByteSource>;

[[nodiscard]] SharedBytes map_file(const std::filesystem::path& path);
/// A part of another source.
[[nodiscard]] SharedBytes slice(SharedBytes source, std::int64_t offset, std::int64_t size);
/// Each block of the file is unpacked when a byte of it is first asked for.
[[nodiscard]] SharedBytes open_xz(const std::filesystem::path& path);
/// Unpacked from the start as far as asked for. The file's size says where it ends, so a truncated file shows its wrong
/// size at once or an error when the end is reached.
[[nodiscard]] SharedBytes open_gzip(const std::filesystem::path& path);

/// A raw deflate stream inside another source.
struct Deflated {
  SharedBytes source;  ///< the packed bytes alone
  std::int64_t size = 0;
  std::uint32_t crc = 0;
  std::string label;  ///< "x.npy in data.npz"
};
[[nodiscard]] SharedBytes open_deflated(Deflated member);
/// By the name's end: .xz, .gz, else plain.
[[nodiscard]] SharedBytes open_bytes(const std::filesystem::path& path);

}  // namespace pare::data
