// find_library.h - where libonnxruntime.so may be; the one place of this folder that reads the environment.
#pragma once

#include <string>
#include <vector>

namespace pare {

/// Paths and names to hand to dlopen, best first: PARE_ONNXRUNTIME_LIBRARY of the environment alone if it is set, else
/// the one that setup found, else what the system's loader finds.
[[nodiscard]] std::vector<std::string> onnxruntime_library_candidates();

}  // namespace pare
