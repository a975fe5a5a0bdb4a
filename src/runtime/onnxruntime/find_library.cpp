#include "runtime/onnxruntime/find_library.h"

#include <cstdlib>

namespace pare {

std::vector<std::string> onnxruntime_library_candidates() {
  const char* set = std::getenv("PARE_ONNXRUNTIME_LIBRARY");
  if (set != nullptr && *set != '\0') return {set};
  std::vector<std::string> candidates = {PARE_ONNXRUNTIME_LIBRARY, "libonnxruntime.so.1", "libonnxruntime.so"};
  if (candidates.front().empty()) candidates.erase(candidates.begin());
  return candidates;
}

}  // namespace pare
