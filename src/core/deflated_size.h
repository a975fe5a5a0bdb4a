// deflated_size.h - how many bytes something takes once it is packed.
#pragma once

#include <cstdint>
#include <string_view>

namespace pare {

/// Bytes of a deflate stream (as in a .zip or .gz file, zlib's default level) of `bytes`.
[[nodiscard]] std::int64_t deflated_size(std::string_view bytes);

}  // namespace pare
