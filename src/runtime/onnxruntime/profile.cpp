#include "runtime/onnxruntime/profile.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/fail.h"

namespace pare {

std::vector<NodeTime> parse_profile(const std::string& text) {
  constexpr std::string_view kKernel = "_kernel_time";
  std::map<std::pair<std::string, std::string>, NodeTime> nodes;
  try {
    for (const nlohmann::json& event : nlohmann::json::parse(text)) {
      if (event.value("cat", "") != "Node") continue;
      std::string name = event.value("name", "");
      // Other events of a node (fences, memory) are not its work.
      if (!name.ends_with(kKernel)) continue;
      name.resize(name.size() - kKernel.size());
      std::string op_type = event.contains("args") ? event["args"].value("op_name", "") : "";
      NodeTime& node = nodes[{name, op_type}];
      node.name = std::move(name);
      node.op_type = std::move(op_type);
      node.total_ms += event.value("dur", 0.0) / 1000;
      ++node.calls;
    }
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorCode::kUnsupported, "ONNX Runtime's profile cannot be read: {}", error.what());
  }
  std::vector<NodeTime> out;
  for (auto& [key, node] : nodes) out.push_back(std::move(node));
  std::stable_sort(out.begin(), out.end(),
                   [](const NodeTime& a, const NodeTime& b) { return a.total_ms > b.total_ms; });
  return out;
}

}  // namespace pare
