// npz_file.h - writes arrays as NumPy's .npz (a zip archive without compression), and reads the words of the command.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace drawing {

template <class T>
std::string little_endian(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

inline std::uint32_t checksum(const std::string& bytes) {
  static const std::vector<std::uint32_t> table = [] {
    std::vector<std::uint32_t> entries;
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t entry = i;
      for (int bit = 0; bit < 8; ++bit) entry = (entry >> 1) ^ ((entry & 1) != 0 ? 0xEDB88320U : 0U);
      entries.push_back(entry);
    }
    return entries;
  }();
  std::uint32_t crc = ~0U;
  for (const char byte : bytes) crc = table[(crc ^ static_cast<unsigned char>(byte)) & 0xFFU] ^ (crc >> 8);
  return ~crc;
}

/// The content of a .npy file.
template <class T>
std::string npy(const std::vector<std::int64_t>& shape, const std::vector<T>& values) {
  const std::string kind = std::is_floating_point_v<T> ? "f" : std::is_signed_v<T> ? "i" : "u";
  std::string sides;
  for (const std::int64_t side : shape) sides += std::to_string(side) + ", ";
  std::string header = "{'descr': '" + std::string(sizeof(T) == 1 ? "|" : "<") + kind + std::to_string(sizeof(T)) +
                       "', 'fortran_order': False, 'shape': (" + sides + "), }";
  header.resize((10 + header.size() + 1 + 63) / 64 * 64 - 10 - 1, ' ');
  header += '\n';
  std::string bytes =
      std::string("\x93NUMPY\x01\0", 8) + little_endian(static_cast<std::uint16_t>(header.size())) + header;
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  return bytes;
}

/// Throws std::runtime_error if the file cannot be written. Archives below 4 GB.
inline void write_npz(const std::string& path, const std::map<std::string, std::string>& arrays) {
  std::string body, directory;
  for (const auto& [name, bytes] : arrays) {
    const std::string file = name + ".npy";
    const auto size = static_cast<std::uint32_t>(bytes.size());
    // Version 2.0, no flags, stored, 1980-01-01; checksum, sizes, length of the name, no extra field.
    const std::string common = std::string("\x14\0\0\0\0\0\0\0\x21\0", 10) + little_endian(checksum(bytes)) +
                               little_endian(size) + little_endian(size) +
                               little_endian(static_cast<std::uint16_t>(file.size())) + std::string(2, '\0');
    const auto offset = static_cast<std::uint32_t>(body.size());
    directory += std::string("PK\x01\x02\x14\0", 6) + common + std::string(10, '\0') + little_endian(offset) + file;
    body += std::string("PK\x03\x04", 4) + common + file + bytes;
  }
  const auto count = little_endian(static_cast<std::uint16_t>(arrays.size()));
  std::ofstream out(path, std::ios::binary);
  out << body << directory << std::string("PK\x05\x06\0\0\0\0", 8) << count << count
      << little_endian(static_cast<std::uint32_t>(directory.size()))
      << little_endian(static_cast<std::uint32_t>(body.size())) << std::string(2, '\0');
  if (!out.flush()) throw std::runtime_error("cannot write " + path);
}

/// FOLDER [--train N] [--test N] [--seed N]
struct Words {
  std::string folder;
  int train = 0, test = 0, seed = 1;
};

/// Throws std::invalid_argument with what was wrong.
inline Words parse_words(int count, char** words, int train, int test) {
  Words out{.folder = {}, .train = train, .test = test};
  const std::map<std::string, int*> options = {{"--train", &out.train}, {"--test", &out.test}, {"--seed", &out.seed}};
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    const auto option = options.find(word);
    if (option == options.end()) {
      if (word.starts_with("--") || !out.folder.empty()) throw std::invalid_argument("what is '" + word + "'?");
      out.folder = word;
      continue;
    }
    const std::string value = i + 1 < count ? words[++i] : "";
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), *option->second);
    if (error != std::errc() || end != value.data() + value.size() || *option->second < 1)
      throw std::invalid_argument(word + " needs a number from 1 on");
  }
  if (out.folder.empty()) throw std::invalid_argument("where do the files go?");
  return out;
}

/// Runs the program, turns what it throws into a message and an exit code.
template <class Run>
int guarded(const char* usage, Run run) {
  try {
    run();
    return 0;
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "error: %s\nusage: %s\n", error.what(), usage);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
  }
  return 1;
}

}  // namespace drawing
