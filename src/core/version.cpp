#include "pare/version.h"

namespace pare {

const char* version() noexcept { return PARE_VERSION; }

}  // namespace pare
