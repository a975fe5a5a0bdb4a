// samples.h - tiny files of the formats that datasets read, written by hand so that the tests need no library for them.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "core/base64.h"
#include "pare/dataset.h"
#include "support/support.h"

namespace pare::testing {

inline std::string from_base64(std::string_view text) {
  const std::vector<std::byte> bytes = base64_decode(text);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class T>
std::string little_endian(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}
inline std::string big_endian(std::uint32_t value) {
  const std::string bytes = little_endian(value);
  return {bytes.rbegin(), bytes.rend()};
}

inline std::uint32_t crc_of(const std::string& bytes) {
  std::uint32_t crc = ~0U;
  for (const unsigned char byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xEDB88320U & (~(crc & 1) + 1));
  }
  return ~crc;
}

/// Deflate without compression: one stored block.
inline std::string stored_deflate(const std::string& bytes) {
  const auto size = static_cast<std::uint16_t>(bytes.size());
  return std::string("\x01") + little_endian(size) + little_endian(static_cast<std::uint16_t>(~size)) + bytes;
}

inline std::string gzip_file(const std::string& bytes) {
  return std::string("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10) + stored_deflate(bytes) + little_endian(crc_of(bytes)) +
         little_endian(static_cast<std::uint32_t>(bytes.size()));
}

struct Png {
  int width = 0, height = 0, channels = 1;  ///< 1 gray, 2 gray and alpha, 3 colour, 4 colour and alpha
  std::string pixels = {};                  ///< row by row, channels together
  int bits = 8;                             ///< below 8: `pixels` holds packed rows
  std::string palette = {};                 ///< red, green, blue; makes the one channel an index
};

inline std::string png_file(const Png& png) {
  const auto chunk = [](const std::string& type, const std::string& body) {
    return big_endian(static_cast<std::uint32_t>(body.size())) + type + body + big_endian(crc_of(type + body));
  };
  const std::size_t stride = static_cast<std::size_t>((png.width * png.channels * png.bits + 7) / 8);
  std::string rows;
  std::uint32_t a = 1, b = 0;
  for (int y = 0; y < png.height; ++y)
    rows += std::string(1, '\0') + png.pixels.substr(static_cast<std::size_t>(y) * stride, stride);
  for (const unsigned char byte : rows) a = (a + byte) % 65521, b = (b + a) % 65521;
  static constexpr char kColorTypes[] = {0, 0, 4, 2, 6};
  const char color_type = png.palette.empty() ? kColorTypes[png.channels] : '\3';
  std::string header =
      big_endian(static_cast<std::uint32_t>(png.width)) + big_endian(static_cast<std::uint32_t>(png.height));
  header += static_cast<char>(png.bits);
  header += color_type;
  header += std::string(3, '\0');
  std::string file = "\x89PNG\r\n\x1a\n" + chunk("IHDR", header);
  if (!png.palette.empty()) file += chunk("PLTE", png.palette);
  return file + chunk("IDAT", "\x78\x01" + stored_deflate(rows) + big_endian(b << 16 | a)) + chunk("IEND", "");
}

/// What makes a TIFF file a raster of the Earth.
struct GeoTags {
  std::string nodata = {};                               ///< as text; empty: not declared
  std::optional<std::pair<double, double>> corner = {};  ///< of the upper left pixel, of side 30
};

/// Uncompressed, one strip, bands together in each pixel. T: uint8, uint16, int16, float.
template <class T>
std::string tiff_file(int width, int height, int bands, const std::vector<T>& values, const GeoTags& geo = {}) {
  std::string pixels;
  for (const T value : values) pixels += little_endian(value);
  const std::uint32_t start = 8, after = start + static_cast<std::uint32_t>(pixels.size() + pixels.size() % 2);
  constexpr std::uint16_t kBits = sizeof(T) * 8;
  constexpr std::uint16_t kFormat = std::is_floating_point_v<T> ? 3 : std::is_signed_v<T> ? 2 : 1;
  std::string bits, formats;
  for (int i = 0; i < bands; ++i) bits += little_endian(kBits), formats += little_endian(kFormat);
  std::string entries;
  std::uint16_t count = 0;
  const auto entry = [&](std::uint16_t tag, std::uint16_t type, std::uint32_t number, std::uint32_t value) {
    entries += little_endian(tag) + little_endian(type) + little_endian(number) + little_endian(value);
    ++count;
  };
  const auto shorts = [&](std::uint16_t tag, std::uint16_t value, std::uint32_t offset) {
    const bool inside = bands <= 2;
    const std::uint32_t packed = bands == 2 ? value | static_cast<std::uint32_t>(value) << 16 : value;
    entry(tag, 3, static_cast<std::uint32_t>(bands), inside ? packed : offset);
  };
  entry(256, 4, 1, static_cast<std::uint32_t>(width));
  entry(257, 4, 1, static_cast<std::uint32_t>(height));
  shorts(258, kBits, after);
  entry(259, 3, 1, 1);
  entry(262, 3, 1, 1);
  entry(273, 4, 1, start);
  entry(277, 3, 1, static_cast<std::uint32_t>(bands));
  entry(278, 4, 1, static_cast<std::uint32_t>(height));
  entry(279, 4, 1, static_cast<std::uint32_t>(pixels.size()));
  entry(284, 3, 1, 1);
  shorts(339, kFormat, after + static_cast<std::uint32_t>(bits.size()));
  std::string tail;
  const auto far = [&](std::uint16_t tag, std::uint16_t type, std::uint32_t number, const std::string& bytes) {
    entry(tag, type, number, static_cast<std::uint32_t>(after + bits.size() + formats.size() + tail.size()));
    tail += bytes;
  };
  if (geo.corner) {
    const auto doubles = [](std::initializer_list<double> numbers) {
      std::string bytes;
      for (const double number : numbers) bytes += little_endian(number);
      return bytes;
    };
    far(33550, 12, 3, doubles({30, 30, 0}));
    far(33922, 12, 6, doubles({0, 0, 0, geo.corner->first, geo.corner->second, 0}));
  }
  if (!geo.nodata.empty()) {  // padded with zeros to more than the 4 bytes that would lie in the entry itself
    const std::string text = geo.nodata + std::string(8 - geo.nodata.size() % 2, '\0');
    far(42113, 2, static_cast<std::uint32_t>(text.size()), text);
  }
  if (pixels.size() % 2 == 1) pixels += '\0';
  const auto directory = static_cast<std::uint32_t>(after + bits.size() + formats.size() + tail.size());
  return std::string("II\x2a\0", 4) + little_endian(directory) + pixels + bits + formats + tail + little_endian(count) +
         entries + std::string(4, '\0');
}

template <class T>
std::string npy_file(const std::string& descr, const std::string& shape, const std::vector<T>& values,
                     const std::string& fortran = "False") {
  std::string header = "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }";
  while ((header.size() + 11) % 64 != 0) header += ' ';
  header += '\n';
  std::string file =
      std::string("\x93NUMPY\1\0", 8) + little_endian(static_cast<std::uint16_t>(header.size())) + header;
  for (const T value : values) file += little_endian(value);
  return file;
}

/// A zip archive of stored members.
inline std::string npz_file(const std::vector<std::pair<std::string, std::string>>& members) {
  std::string file, directory;
  for (const auto& [name, content] : members) {
    const auto size = static_cast<std::uint32_t>(content.size());
    const std::string sizes = little_endian(crc_of(content)) + little_endian(size) + little_endian(size);
    const std::string middle =
        std::string("\x14\0\0\0\0\0\0\0\x21\0", 10) + sizes + little_endian(static_cast<std::uint16_t>(name.size()));
    directory += std::string("PK\1\2\x14\0", 6) + middle + std::string(12, '\0') +
                 little_endian(static_cast<std::uint32_t>(file.size())) + name;
    file += "PK\3\4" + middle + std::string(2, '\0') + name + content;
  }
  const auto count = little_endian(static_cast<std::uint16_t>(members.size()));
  const auto start = little_endian(static_cast<std::uint32_t>(file.size()));
  return file + directory + std::string("PK\5\6\0\0\0\0", 8) + count + count +
         little_endian(static_cast<std::uint32_t>(directory.size())) + start + std::string(2, '\0');
}

inline std::string idx_file(const std::vector<std::uint32_t>& dims, const std::string& values) {
  std::string file("\0\0\x08", 3);
  file += static_cast<char>(dims.size());
  for (const std::uint32_t dim : dims) file += big_endian(dim);
  return file + values;
}

/// Record `i` has label i % 10 and planes of 10 i, 10 i + 1, 10 i + 2.
inline std::string cifar_file(int records) {
  std::string file;
  for (int i = 0; i < records; ++i) {
    file += static_cast<char>(i % 10);
    for (int plane = 0; plane < 3; ++plane) file += std::string(1024, static_cast<char>(10 * i + plane));
  }
  return file;
}
/// cifar_file(3) in three xz blocks.
inline constexpr const char* kCifarXz =
    "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4A+fACFdAABv/f//"
    "o7eA1K42iEEny8qWjCB0C8pboSRttIMc0bviAAAAAADf6xISsbsouAIAIQEWAAAAdC/lo+AP"
    "nwAjXQAFbpoL3/98HR3UiJzg/Bxt46PoiYxCUtfgO6y10JEI2Fq/4AAA8cthB3lImzwCACEBFgAAAHQv5aPgBMIADl0ACu9cFt//d/jwW/"
    "Ba+wAAAADmdT8Q"
    "hDgeXgADPaAfP6AfKsMJAIEQJhYUFzswAwAAAAAEWVo=";
/// numpy.savez_compressed(x=arange(120, float32) as [2, 3, 4, 5], y=[1, 0]).
inline constexpr const char* kCompressedNpz =
    "UEsDBC0AAAAIAAAAIQAlXW3J//////////8FABQAeC5ucHkBABAAYAIAAAAAAAAvAQAAAAAAAJ3IwUeDcRzH8V90SDrs0KFDh98hnsVzmFokozVJ"
    "h8pzKIpoj/bMDtMezzOJikcyk2QqmSSTZJJMkkkySSbJJJkkk2SSdOzYu/6EPr6vD9/P2tDIoDZWI6bFrBIy7ElL6ZKKL+xVVKmEY1bc0qcmYlbI"
    "+N379KhtsNsR3TT43W2qbFelV5Udraqcl/9IvfiL0035OTjIoIAKRI8QLkh44IeGIEw4SCKFNDLIIoc8CiiihDIqqOIL3xABIWpRhwa40IgmNEOi"
    "BW6o8MCLTvjgRy/6MQANwxjFOIIIIYIoTMQxgzk4WMAiEkhiCctYQQqrWMcG0tjEFraRwQ52sYcs9nGAQ+RwhGOcII9TnOEcBVzgElco4ho3uEUJ"
    "d7jHA8p4xBOeUcELXvGGKt7xgc/AD1BLAwQtAAAACAAAACEAcfs5q///////////BQAUAHkubnB5AQAQAJAAAAAAAAAASAAAAAAAAACb7BfqGxDJ"
    "yFDGUK2eklqcXKRupaBuk2mhrqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RpGOpo6CrUKFAAuRgZUAABQSwECLQMtAAAACAAAACEAJV1t"
    "yS8BAABgAgAABQAAAAAAAAAAAAAAgAEAAAAAeC5ucHlQSwECLQMtAAAACAAAACEAcfs5q0gAAACQAAAABQAAAAAAAAAAAAAAgAFmAQAAeS5ucHlQ"
    "SwUGAAAAAAIAAgBmAAAA5QEAAAAA";
/// 8 x 8 pixels, gray from 0 to about 224 along the diagonal; and 8 x 8 of (200, 100, 50).
inline constexpr const char* kGrayJpeg =
    "/9j/4AAQSkZJRgABAQAAAQABAAD/"
    "2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1tdhbWGkJ6jq62rZ4C8ybqmx5moq6T/"
    "wAALCAAIAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAA//EABgQAAIDAAAAAAAAAAAAAAAAAAAEBSEx/9oACAEBAAA/ACj0Mo//2Q==";
inline constexpr const char* kColorJpeg =
    "/9j/4AAQSkZJRgABAQAAAQABAAD/"
    "2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMUFRUVDA8XGBYUGBIUFRT/"
    "2wBDAQMEBAUEBQkFBQkUDQsNFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBT/"
    "wAARCAAIAAgDAREAAhEBAxEB/8QA"
    "FAABAAAAAAAAAAAAAAAAAAAABP/EABQQAQAAAAAAAAAAAAAAAAAAAAD/xAAVAQEBAAAAAAAAAAAAAAAAAAAHCP/"
    "EABQRAQAAAAAAAAAAAAAAAAAAAAD/2gAM"
    "AwEAAhEDEQA/ACA9SD//2Q==";

/// The network's input as a model would declare it; -1 is a symbolic dimension.
inline ValueInfo input_info(const std::string& name, const Shape& shape, DType dtype = DType::kFloat32) {
  ValueInfo info;
  info.name = name;
  info.dtype = dtype;
  info.shape.emplace();
  for (const std::int64_t dim : shape) {
    Dim entry;
    if (dim >= 0) entry.value = dim;
    if (dim < 0) entry.symbol = "N";
    info.shape->push_back(entry);
  }
  return info;
}

inline Batch batch_of(const Dataset& dataset, const std::vector<std::int64_t>& indices) {
  return dataset.batch(indices);
}

}  // namespace pare::testing
