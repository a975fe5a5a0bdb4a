// quantity.h - quantities as people write them on a command line.
#pragma once

#include <cstdint>
#include <string>

namespace pare {

/// "1%" and "0.01" are 0.01. Throws Error(kInvalidArgument) naming the option.
[[nodiscard]] double parse_share(const std::string& text, const std::string& option);
/// "500KB", "1.5 MB", "2GB", "1048576"; K, M, G are powers of ten, Ki, Mi, Gi of two. Throws Error(kInvalidArgument)
/// naming the option.
[[nodiscard]] std::int64_t parse_bytes(const std::string& text, const std::string& option);

}  // namespace pare
