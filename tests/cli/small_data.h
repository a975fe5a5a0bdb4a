// small_data.h - a labelled .npz archive, written without a library: stored entries of two .npy arrays.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "core/random.h"
#include "support/support.h"

namespace pare::testing {

inline std::string npy_text(const std::string& descr, const std::string& shape, const void* data, std::size_t size) {
  std::string header = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }";
  while ((10 + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::string text = "\x93NUMPY";
  text += '\x01';
  text += '\0';
  text += static_cast<char>(header.size() & 255);
  text += static_cast<char>(header.size() >> 8);
  return text + header + std::string(static_cast<const char*>(data), size);
}

inline std::string zip_text(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string body, directory;
  const auto put = [](std::string& to, std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) to += static_cast<char>(value >> (8 * i) & 255);
  };
  for (const auto& [name, content] : entries) {
    const auto offset = body.size();
    const auto crc = crc32(0, reinterpret_cast<const Bytef*>(content.data()), static_cast<uInt>(content.size()));
    std::string common;
    for (const int value : {20, 0, 0, 0, 0}) put(common, static_cast<std::uint64_t>(value), 2);
    put(common, crc, 4), put(common, content.size(), 4), put(common, content.size(), 4), put(common, name.size(), 2),
        put(common, 0, 2);
    body += "PK\x03\x04" + common + name + content;
    directory += "PK\x01\x02";
    put(directory, 20, 2);
    directory += common;
    put(directory, 0, 2), put(directory, 0, 2), put(directory, 0, 2), put(directory, 0, 4), put(directory, offset, 4);
    directory += name;
  }
  std::string end = "PK\x05\x06";
  put(end, 0, 4), put(end, entries.size(), 2), put(end, entries.size(), 2), put(end, directory.size(), 4),
      put(end, body.size(), 4), put(end, 0, 2);
  return body + directory + end;
}

/// Images 3 x 8 x 8 of two classes: uniform noise, brighter in channel 0 (class 0) or in channel 1 (class 1).
inline void write_small_data(const std::filesystem::path& path, int samples = 24, int channels = 3) {
  Rng rng(1);
  std::vector<float> x;
  std::vector<std::int64_t> y;
  for (int i = 0; i < samples; ++i) {
    y.push_back(i % 2);
    for (int c = 0; c < channels; ++c)
      for (int p = 0; p < 64; ++p) x.push_back(static_cast<float>(rng.uniform() + (c == i % 2 ? 0.7 : 0.0)));
  }
  const std::string count = std::to_string(samples);
  write_file(path, zip_text({{"x.npy", npy_text("<f4", "(" + count + ", " + std::to_string(channels) + ", 8, 8)",
                                                x.data(), 4 * x.size())},
                             {"y.npy", npy_text("<i8", "(" + count + ",)", y.data(), 8 * y.size())}}));
}

}  // namespace pare::testing
