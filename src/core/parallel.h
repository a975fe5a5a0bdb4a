// parallel.h - how many threads work that is not timed may use.
#pragma once

#include <algorithm>
#include <thread>

namespace pare {

/// All cores of the machine, or as many as were asked for if that is more. For proofs and calibration; what is timed
/// runs with exactly what was asked for.
[[nodiscard]] inline int working_threads(int asked) {
  return std::max(asked, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace pare
