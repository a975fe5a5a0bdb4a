#include <nlohmann/json.hpp>

#include "cli/command.h"

namespace pare::testing {
namespace {

TEST(Bench, TimesOneModelAtSeveralBatchSizes) {
  const TempDir folder;
  write_small_network(folder / "net.onnx");
  const CommandResult result =
      pare_command(folder, "bench " + (folder / "net.onnx").string() + " --batch 1,4 --time 0.1 --json -");
  ASSERT_EQ(result.code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  ASSERT_EQ(json["results"].size(), 2U);
  EXPECT_GT(json["results"][1]["timing"]["median_ms"].get<double>(), 0);
  EXPECT_GT(json["results"][0]["model_peak_memory_bytes"].get<std::int64_t>(), 1'000'000);
}

// What the verdict is worth is tested in tests/measure and tests/timed; here other tests run beside this one.
TEST(Bench, ComparesTwoModels) {
  const TempDir folder;
  write_small_network(folder / "net.onnx");
  const std::string model = (folder / "net.onnx").string();
  const CommandResult result = pare_command(folder, "bench " + model + " " + model + " --time 0.2 --json -");
  ASSERT_EQ(result.code, 0) << result.err;
  const auto speed = nlohmann::json::parse(result.out)["results"][0]["speed"];
  EXPECT_GT(speed["ratio"].get<double>(), 0.5);
  EXPECT_LT(speed["ratio"].get<double>(), 2.0);
  EXPECT_LE(speed["interval_95"][0].get<double>(), speed["ratio"].get<double>());
  EXPECT_GE(speed["interval_95"][1].get<double>(), speed["ratio"].get<double>());
  EXPECT_GT(speed["baseline"]["median_ms"].get<double>(), 0);
}

TEST(Bench, SaysWhatTheRuntimeIsCalled) {
  const TempDir folder;
  write_small_network(folder / "net.onnx");
  const CommandResult result =
      pare_command(folder, "bench " + (folder / "net.onnx").string() + " --runtime tensorflow");
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, ::testing::HasSubstr("onnxruntime"));
}

}  // namespace
}  // namespace pare::testing
