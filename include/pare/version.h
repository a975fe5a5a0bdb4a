// pare/version.h - which pare this is.
#pragma once

namespace pare {

/// "0.1.0".
[[nodiscard]] const char* version() noexcept;

}  // namespace pare
