#include "runtime/openvino/core.h"

#include <algorithm>
#include <vector>

#include "core/fail.h"
#include "core/words.h"
#include "runtime/backend.h"

namespace pare {
namespace {

std::string build_version() {
  const std::string build = ov::get_openvino_version().buildNumber;  // "2026.4.1-21234-0a1b2c3d4e5-releases/2026/4"
  return build.substr(0, build.find('-'));
}

/// Without the lines that say in which of OpenVINO's own sources the error arose.
std::string without_sources(const std::string& text) {
  std::vector<std::string> kept;
  for (const std::string& line : split(text, '\n')) {
    const std::string said = trim(line);
    if (said.empty() || said.starts_with("Exception from ")) continue;
    if (std::find(kept.begin(), kept.end(), said) == kept.end()) kept.push_back(said);
  }
  return join(kept, "\n    ");
}

std::shared_ptr<ov::Core> start_core() {
  try {
    auto core = std::make_shared<ov::Core>();
    const std::vector<std::string> devices = core->get_available_devices();
    if (std::find(devices.begin(), devices.end(), "CPU") == devices.end())
      fail(ErrorCode::kUnsupported,
           "OpenVINO {} has no CPU plugin here\n  remedy: run scripts/setup; libopenvino_intel_cpu_plugin.so belongs "
           "beside libopenvino.so",
           build_version());
    return core;
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    fail_with("OpenVINO does not start", error);
  }
}

}  // namespace

std::shared_ptr<ov::Core> openvino_core() {
  // A core owns plugins and threads and takes a while to start; OpenVINO asks for one per process. Sessions hold it
  // too: at the end of the process it goes after the last of them.
  static const std::shared_ptr<ov::Core> core = start_core();
  return core;
}

void fail_with(const std::string& what, const std::exception& error) {
  fail(ErrorCode::kUnsupported, "{}\n  OpenVINO {} says: {}", what, build_version(), without_sources(error.what()));
}

std::string openvino_version() {
  static_cast<void>(openvino_core());
  return build_version();
}

}  // namespace pare
