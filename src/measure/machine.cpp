#include "measure/machine.h"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <sstream>
#include <vector>

#include "core/words.h"

namespace pare {
namespace {

/// The value of the first line "key : value".
std::string field(std::string_view text, std::string_view key) {
  for (const std::string& line : split(text, '\n')) {
    const std::size_t colon = line.find(':');
    if (colon != std::string::npos && trim(std::string_view(line).substr(0, colon)) == key)
      return trim(std::string_view(line).substr(colon + 1));
  }
  return {};
}

void drop(std::string& text, std::string_view part) {
  for (std::size_t at; (at = text.find(part)) != std::string::npos;) text.replace(at, part.size(), " ");
}

/// "Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz" -> "Intel Xeon Gold 6230".
std::string clean_name(std::string name) {
  for (const char* mark : {"(R)", "(r)", "(TM)", "(tm)"}) drop(name, mark);
  if (const std::size_t at = name.find('@'); at != std::string::npos) name.resize(at);
  if (const std::size_t at = name.find(" with "); at != std::string::npos) name.resize(at);
  std::vector<std::string> words;
  for (const std::string& word : split(name, ' ')) {
    if (word.empty() || word == "CPU" || word == "Processor" || word.ends_with("-Core")) continue;
    words.push_back(word);
  }
  return join(words, " ");
}

struct ArmPart {
  std::string_view implementer, part, name;
};
constexpr std::array<ArmPart, 19> kArmParts = {{
    {"0x41", "0xd03", "ARM Cortex-A53"},  {"0x41", "0xd04", "ARM Cortex-A35"},  {"0x41", "0xd05", "ARM Cortex-A55"},
    {"0x41", "0xd07", "ARM Cortex-A57"},  {"0x41", "0xd08", "ARM Cortex-A72"},  {"0x41", "0xd09", "ARM Cortex-A73"},
    {"0x41", "0xd0a", "ARM Cortex-A75"},  {"0x41", "0xd0b", "ARM Cortex-A76"},  {"0x41", "0xd0c", "ARM Neoverse-N1"},
    {"0x41", "0xd40", "ARM Neoverse-V1"}, {"0x41", "0xd41", "ARM Cortex-A78"},  {"0x41", "0xd42", "ARM Cortex-A78AE"},
    {"0x41", "0xd44", "ARM Cortex-X1"},   {"0x41", "0xd47", "ARM Cortex-A710"}, {"0x41", "0xd49", "ARM Neoverse-N2"},
    {"0x41", "0xd4d", "ARM Cortex-A715"}, {"0x41", "0xd4f", "ARM Neoverse-V2"}, {"0x46", "0x001", "Fujitsu A64FX"},
    {"0xc0", "0xac3", "Ampere-1"},
}};

/// ARM kernels give numbers in place of a name.
std::string arm_name(std::string_view cpuinfo) {
  const std::string implementer = field(cpuinfo, "CPU implementer"), part = field(cpuinfo, "CPU part");
  for (const ArmPart& known : kArmParts)
    if (known.implementer == implementer && known.part == part) return std::string(known.name);
  if (!part.empty()) return "ARM CPU " + implementer + "/" + part;
  return {};
}

std::string_view widest_set(const CpuFeatures& features) {
  if (features.amx_int8 || features.amx_bf16) return "AMX";
  if (features.avx512_vnni) return "AVX-512 VNNI";
  if (features.avx_vnni) return "AVX-VNNI";
  if (features.avx512) return "AVX-512";
  if (features.avx2) return "AVX2";
  if (features.neon_dot) return "NEON dot";
  return {};
}

/// Files of /proc have no size, so they are read to the end.
std::string read_proc(const char* path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

CpuFeatures parse_cpu_features(std::string_view cpuinfo) {
  std::string flags = field(cpuinfo, "flags");
  if (flags.empty()) flags = field(cpuinfo, "Features");
  const std::vector<std::string> words = split(flags, ' ');
  const auto has = [&](std::string_view word) { return std::find(words.begin(), words.end(), word) != words.end(); };
  CpuFeatures features;
  features.avx2 = has("avx2");
  features.avx512 = has("avx512f");
  features.avx_vnni = has("avx_vnni");
  features.avx512_vnni = has("avx512_vnni");
  features.avx512_bf16 = has("avx512_bf16");
  features.amx_int8 = has("amx_int8");
  features.amx_bf16 = has("amx_bf16");
  features.neon_dot = has("asimddp");
  return features;
}

std::string describe_cpu(std::string_view cpuinfo) {
  std::string name = clean_name(field(cpuinfo, "model name"));
  if (name.empty() || name.starts_with("ARMv")) {
    if (const std::string arm = arm_name(cpuinfo); !arm.empty()) name = arm;
  }
  if (name.empty()) name = clean_name(field(cpuinfo, "Hardware"));
  if (name.empty()) name = "unknown CPU";
  const std::string_view set = widest_set(parse_cpu_features(cpuinfo));
  return set.empty() ? name : name + " (" + std::string(set) + ")";
}

std::int64_t parse_status_bytes(std::string_view status, std::string_view key) {
  const std::string value = field(status, key);
  std::int64_t kilobytes = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), kilobytes);
  return error == std::errc() ? kilobytes * 1024 : -1;
}

std::string cpu_description() { return describe_cpu(read_proc("/proc/cpuinfo")); }
CpuFeatures cpu_features() { return parse_cpu_features(read_proc("/proc/cpuinfo")); }

std::int64_t peak_memory_bytes() {
  // getrusage's figure survives exec, so a small program started by a big one would show the big one's peak.
  const std::int64_t peak = parse_status_bytes(read_proc("/proc/self/status"), "VmHWM");
  if (peak >= 0) return peak;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace pare
