// duration.h - times as people write them.
#pragma once

#include <string>

namespace pare {

/// "90", "90s", "10m", "2h" in seconds, above 0. Throws Error(kInvalidArgument) naming the option.
[[nodiscard]] double parse_duration(const std::string& text, const std::string& option);

}  // namespace pare
