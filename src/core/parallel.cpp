#include "core/parallel.h"

#ifdef __linux__
#include <sched.h>
#endif

#include <algorithm>
#include <thread>

namespace pare {

int working_threads(int asked) {
#ifdef __linux__
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return std::max(asked, CPU_COUNT(&allowed));
#endif
  return std::max(asked, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace pare
