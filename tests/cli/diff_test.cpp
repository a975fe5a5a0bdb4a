#include "cli/command.h"

namespace pare::testing {
namespace {

TEST(Diff, AModelEqualsItself) {
  const TempDir folder;
  write_small_network(folder / "net.onnx");
  const std::string model = (folder / "net.onnx").string();
  const CommandResult result = pare_command(folder, "diff " + model + " " + model);
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, ::testing::HasSubstr("structure   the same"));
  EXPECT_THAT(result.out, ::testing::HasSubstr("equal"));
}

TEST(Diff, ShowsWhatARewriteDid) {
  const TempDir folder;
  write_small_network(folder / "net.onnx");
  const std::string model = (folder / "net.onnx").string(), out = (folder / "out.onnx").string();
  ASSERT_EQ(pare_command(folder, "rewrite " + model + " -o " + out).code, 0);
  const CommandResult result = pare_command(folder, "diff " + model + " " + out);
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, ::testing::HasSubstr("BatchNormalization 1 -> 0"));
}

}  // namespace
}  // namespace pare::testing
