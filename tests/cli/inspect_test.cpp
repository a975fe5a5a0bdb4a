#include <nlohmann/json.hpp>

#include "cli/command.h"

namespace pare::testing {
namespace {

TEST(Inspect, ListsNodesWithTheirCosts) {
  const TempDir folder;
  write_small_network(folder / "net.onnx");
  const CommandResult result = pare_command(folder, "inspect " + (folder / "net.onnx").string());
  ASSERT_EQ(result.code, 0) << result.err;
  for (const char* part : {"Conv", "Gemm", "fold_batchnorm", "classification"})
    EXPECT_THAT(result.out, ::testing::HasSubstr(part));
}

TEST(Inspect, JsonHoldsTheHandCount) {
  const TempDir folder;
  write_small_network(folder / "net.onnx");
  const CommandResult result = pare_command(folder, "inspect " + (folder / "net.onnx").string() + " --json -");
  ASSERT_EQ(result.code, 0) << result.err;
  // 4 filters of 3 weights at 64 places, then 4 x 2.
  EXPECT_EQ(nlohmann::json::parse(result.out)["macs"].get<std::int64_t>(), 4 * 3 * 64 + 4 * 2);
}

TEST(Inspect, SaysWhatAFileIsThatIsNotOnnx) {
  const TempDir folder;
  const std::pair<std::string, const char*> files[] = {
      {"PK\x03\x04zip", "zip archive"},
      {"<!DOCTYPE html><html>", "HTML page"},
      {"version https://git-lfs.github.com/spec/v1", "Git LFS pointer"},
      {"", "empty file"}};
  for (const auto& [content, what] : files) {
    write_file(folder / "x.onnx", content);
    const CommandResult result = pare_command(folder, "inspect " + (folder / "x.onnx").string());
    EXPECT_EQ(result.code, 1);
    EXPECT_THAT(result.err, ::testing::HasSubstr(what));
  }
}

}  // namespace
}  // namespace pare::testing
