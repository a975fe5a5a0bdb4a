// pare quantize on real files of many exporters.
#include "cli/command.h"

namespace pare::testing {
namespace {

TEST(SlowQuantizeZoo, EveryFileEndsInARunningResultOrARefusalWithItsReason) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  int done = 0, refused = 0;
  for (const auto& entry : std::filesystem::directory_iterator(shared / "models" / "zoo")) {
    if (entry.path().extension() != ".onnx") continue;
    const TempDir folder;
    const std::string out = (folder / "out.onnx").string();
    const CommandResult result =
        pare_command(folder, "quantize " + entry.path().string() + " --allow-random --samples 2 -o " + out);
    if (result.code == 0) {
      ++done;
      EXPECT_NO_THROW(check_model(load_model(out))) << entry.path();
    } else {
      ++refused;
      EXPECT_TRUE(result.code == 1 || result.code == 2) << entry.path() << ": exit code " << result.code << "\n"
                                                        << result.err;
      EXPECT_THAT(result.err, ::testing::HasSubstr("error: ")) << entry.path();
      EXPECT_FALSE(std::filesystem::exists(out)) << entry.path();
    }
  }
  EXPECT_GE(done, 36) << refused << " refused";
}

}  // namespace
}  // namespace pare::testing
