// machine.h - CPU and memory facts out of the texts that Linux gives.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pare/measure.h"

namespace pare {

/// From the text of /proc/cpuinfo (x86: flags; ARM: Features).
[[nodiscard]] CpuFeatures parse_cpu_features(std::string_view cpuinfo);
/// "Intel Xeon Platinum 8488C (AMX)", "ARM Neoverse-N1 (NEON dot)", "unknown CPU".
[[nodiscard]] std::string describe_cpu(std::string_view cpuinfo);
/// The kilobytes of a line such as "VmHWM:     1234 kB" of /proc/self/status, in bytes; -1: no such line.
[[nodiscard]] std::int64_t parse_status_bytes(std::string_view status, std::string_view key);

}  // namespace pare
