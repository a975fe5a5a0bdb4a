// base64.h - bytes as text inside metadata (RFC 4648).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pare {

[[nodiscard]] std::string base64_encode(std::span<const std::byte> bytes);
/// Throws Error(kInvalidArgument) on anything that is not base64.
[[nodiscard]] std::vector<std::byte> base64_decode(std::string_view text);

}  // namespace pare
