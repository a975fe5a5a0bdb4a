// Reads every #include of the tree and fails on an arrow that points the wrong way.
#include <fstream>
#include <map>
#include <regex>
#include <set>

#include "support/support.h"

namespace pare::testing {
namespace {

namespace fs = std::filesystem;

/// Folder -> folders of src/ whose own headers it may include, besides itself and core. Public headers (pare/...) are
/// open to all, except that nothing below `step` may see steps.
const std::map<std::string, std::set<std::string>> kMayInclude = {
    {"core", {}},
    {"graph", {}},
    {"ops", {"graph"}},
    {"runtime", {"graph", "ops"}},
    {"runtime/onnxruntime", {"graph", "runtime"}},
    {"runtime/openvino", {"graph", "runtime"}},
    {"data", {"graph"}},
    {"step", {"graph", "ops"}},
    {"rewrite", {"graph", "ops", "step"}},
    {"measure", {"graph", "ops"}},
    {"quantize", {"graph", "ops", "step", "quantize/targets"}},
    {"quantize/targets", {"graph", "ops"}},
    {"channels", {"graph", "ops", "channels/rules"}},
    {"channels/rules", {"graph", "ops", "channels"}},
    {"fit", {"graph", "ops", "channels"}},
    {"budget", {"graph", "ops", "measure", "channels"}},
    {"prune", {"graph", "ops", "step", "measure", "channels", "fit", "budget"}},
    {"factorize", {"graph", "ops", "step", "measure", "channels", "fit", "budget"}},
    {"train", {"graph", "ops", "step", "measure", "channels", "fit"}},
    {"train/lower", {"graph", "ops"}},
    {"train/torch", {"graph", "ops", "train", "train/lower"}},
    {"architecture", {}},
    {"compress", {"graph", "ops", "step", "measure", "rewrite", "quantize", "prune", "factorize", "train"}},
    {"report", {"graph", "ops", "measure", "step", "compress"}},
    {"cli", {"graph", "ops", "measure", "step", "compress", "report"}},
};

/// Third-party headers and the only folders that may see them.
const std::vector<std::pair<std::string, std::set<std::string>>> kOwned = {
    {"onnx/", {"graph"}},
    {"google/protobuf", {"graph"}},
    {"onnxruntime", {"runtime/onnxruntime"}},
    {"openvino/", {"runtime/openvino"}},
    {"gdal", {"data"}},
    {"ATen/", {"train/torch", "train/lower"}},
    {"c10/", {"train/torch", "train/lower"}},
    {"torch/", {"train/torch"}},
    {"nlohmann/", {"core", "runtime/onnxruntime", "data", "train", "compress", "report", "cli"}},
    {"CLI/", {"cli"}},
    {"cblas", {"fit"}},
};

std::vector<std::string> includes_of(const fs::path& file) {
  static const std::regex kInclude(R"(^\s*#\s*include\s*[<"]([^>"]+)[>"])");
  std::vector<std::string> found;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    std::smatch match;
    if (std::regex_search(line, match, kInclude)) found.push_back(match[1]);
  }
  return found;
}

std::string folder_of(const std::string& header) { return fs::path(header).parent_path().string(); }

TEST(Arrows, PointOneWay) {
  const fs::path src = fs::path(PARE_SOURCE_DIR) / "src";
  int checked = 0;
  for (const auto& entry : fs::recursive_directory_iterator(src)) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".h" && extension != ".cpp" && extension != ".inc") continue;
    const std::string folder = folder_of(fs::relative(entry.path(), src).string());
    ASSERT_TRUE(kMayInclude.contains(folder)) << "folder src/" << folder << " has no line in this test";
    const std::set<std::string>& allowed = kMayInclude.at(folder);
    for (const std::string& header : includes_of(entry.path())) {
      ++checked;
      for (const auto& [prefix, owners] : kOwned)
        if (header.starts_with(prefix)) {
          EXPECT_TRUE(owners.contains(folder)) << entry.path() << " includes " << header;
        }
      if (header == "pare/step.h") {
        EXPECT_FALSE((std::set<std::string>{"core", "graph", "ops", "runtime", "data"}.contains(folder)))
            << entry.path() << " includes " << header;
      }
      const std::string other = folder_of(header);
      if (!kMayInclude.contains(other)) continue;
      EXPECT_TRUE(other == folder || other == "core" || allowed.contains(other))
          << entry.path() << " includes " << header;
    }
  }
  EXPECT_GT(checked, 20);
}

TEST(Arrows, PublicHeadersShowNoThirdParty) {
  for (const auto& entry : fs::directory_iterator(fs::path(PARE_SOURCE_DIR) / "include" / "pare"))
    for (const std::string& header : includes_of(entry.path()))
      EXPECT_TRUE(header.starts_with("pare/") || header.find_first_of("/.") == std::string::npos)
          << entry.path() << " includes " << header;
}

}  // namespace
}  // namespace pare::testing
