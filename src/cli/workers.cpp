#include "cli/workers.h"

#include <cstdlib>

#include "core/fail.h"

namespace pare {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

int number_of(const char* name, const std::string& text) {
  char* end = nullptr;
  const long value = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || value < 0 || value > 1'000'000)
    fail(ErrorCode::kInvalidArgument,
         "{}='{}' is no number\n  remedy: torchrun sets it; by hand: RANK from 0 to WORLD_SIZE - 1, MASTER_ADDR and "
         "MASTER_PORT of rank 0; unset WORLD_SIZE to train alone",
         name, text);
  return static_cast<int>(value);
}

int number_of(const char* name) { return number_of(name, variable(name)); }

bool is_set(const char* name) { return !variable(name).empty(); }

/// torchrun's agent listens at the port itself, and counts its restarts.
std::string agent_store() {
  const std::string agent = variable("TORCHELASTIC_USE_AGENT_STORE");
  if (agent != "True" && agent != "1") return "";
  return "/pare_" + (is_set("TORCHELASTIC_RESTART_COUNT") ? variable("TORCHELASTIC_RESTART_COUNT") : "0");
}

}  // namespace

Launch find_launch(std::map<std::string, std::string>& options) {
  if (const auto given = options.find("workers"); given != options.end()) {
    // "0/2@host:port"; what is wrong with it is said where it is used.
    const std::string& text = given->second;
    const std::size_t slash = text.find('/');
    return {.rank = std::atoi(text.c_str()),
            .count = slash == std::string::npos ? 1 : std::atoi(text.c_str() + slash + 1)};
  }
  if (!is_set("WORLD_SIZE")) return {};
  const Launch launch{.rank = number_of("RANK"), .count = number_of("WORLD_SIZE")};
  if (launch.count < 2) return {};
  std::string host = variable("MASTER_ADDR");
  if (host.empty())
    fail(ErrorCode::kInvalidArgument, "WORLD_SIZE={} but there is no MASTER_ADDR\n  remedy: the address of rank 0",
         launch.count);
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  options["workers"] =
      fmt::format("{}/{}@{}:{}{}", launch.rank, launch.count, host, number_of("MASTER_PORT"), agent_store());
  if (!options.contains("local-workers") && is_set("LOCAL_WORLD_SIZE"))
    options["local-workers"] = std::to_string(number_of("LOCAL_WORLD_SIZE"));
  return launch;
}

}  // namespace pare
