#include "cli/command.h"
#include "cli/small_data.h"

namespace pare::testing {
namespace {

TEST(Eval, PrintsTheMetricWithItsInterval) {
  const TempDir folder;
  write_small_network(folder / "net.onnx");
  write_small_data(folder / "data.npz");
  const CommandResult result =
      pare_command(folder, "eval " + (folder / "net.onnx").string() + " --data " + (folder / "data.npz").string());
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, ::testing::HasSubstr("top-1"));
  EXPECT_THAT(result.out, ::testing::HasSubstr("24 samples"));
}

TEST(Eval, AModelAgainstItselfShowsNoDifference) {
  const TempDir folder;
  write_small_network(folder / "net.onnx");
  write_small_data(folder / "data.npz");
  const std::string model = (folder / "net.onnx").string();
  const CommandResult result = pare_command(
      folder, "eval " + model + " --reference " + model + " --precision 1 --data " + (folder / "data.npz").string());
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, ::testing::HasSubstr("no difference that these samples can show"));
}

TEST(Eval, WrongChannelsAreNamedWithWhatTheNetworkWants) {
  const TempDir folder;
  write_small_network(folder / "net.onnx");
  write_small_data(folder / "data.npz", 24, 5);
  const CommandResult result =
      pare_command(folder, "eval " + (folder / "net.onnx").string() + " --data " + (folder / "data.npz").string());
  EXPECT_NE(result.code, 0);
  EXPECT_THAT(result.err, ::testing::HasSubstr("[N, 3, 8, 8]"));
}

}  // namespace
}  // namespace pare::testing
