// hash.h - a fast 64-bit hash (XXH64) for fingerprints; not for secrets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace pare::data {

[[nodiscard]] std::uint64_t hash_bytes(std::span<const std::byte> bytes, std::uint64_t seed = 0) noexcept;
[[nodiscard]] inline std::uint64_t hash_text(std::string_view text) noexcept {
  return hash_bytes(std::as_bytes(std::span(text.data(), text.size())));
}
/// 16 hexadecimal digits.
[[nodiscard]] std::string hash_word(std::uint64_t hash);

}  // namespace pare::data
