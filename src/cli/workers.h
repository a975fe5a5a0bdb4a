// workers.h - whether this process is one of several that train together, as torchrun tells it.
#pragma once

#include <map>
#include <string>

namespace pare {

struct Launch {
  int rank = 0, count = 1;
};
/// From the option "workers", else from the variables RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT of torchrun (and
/// LOCAL_WORLD_SIZE), which are put into `options`. Throws Error(kInvalidArgument) naming a variable that is missing.
[[nodiscard]] Launch find_launch(std::map<std::string, std::string>& options);

}  // namespace pare
