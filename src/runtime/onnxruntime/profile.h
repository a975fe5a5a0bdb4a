// profile.h - reads the file that ONNX Runtime's profiler writes.
#pragma once

#include <string>
#include <vector>

#include "pare/session.h"

namespace pare {

/// Time and calls per node, slowest first. Throws Error(kUnsupported) if the text is not such a profile.
[[nodiscard]] std::vector<NodeTime> parse_profile(const std::string& text);

}  // namespace pare
