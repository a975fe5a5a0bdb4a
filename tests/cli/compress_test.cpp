#include "cli/command.h"
#include "cli/small_data.h"

namespace pare::testing {
namespace {

class Compress : public ::testing::Test {
 protected:
  void SetUp() override {
    write_small_network(folder_ / "net.onnx");
    write_small_data(folder_ / "data.npz");
  }
  CommandResult compress(const std::string& more) {
    return pare_command(folder_, "compress " + (folder_ / "net.onnx").string() + " -o " +
                                     (folder_ / "out.onnx").string() + " --data " + (folder_ / "data.npz").string() +
                                     " --time 0.1 " + more);
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
      names.push_back(entry.path().filename());
    return names;
  }
  TempDir folder_;
};

TEST_F(Compress, WritesAModelThatVerifiesAndATableOfAllCandidates) {
  const CommandResult result = compress("--max-drop 10% --report " + (folder_ / "report.json").string());
  ASSERT_EQ(result.code, 0) << result.err;
  for (const char* part : {"rewritten float", "int8, minmax", "int8, entropy", "original", "proved", "again"})
    EXPECT_THAT(result.out, ::testing::HasSubstr(part));
  EXPECT_EQ(pare_command(folder_, "verify " + (folder_ / "out.onnx").string()).code, 0);
  EXPECT_NE(load_model(folder_ / "out.onnx").find_metadata("pare.recipe"), nullptr);
  EXPECT_THAT(read_file(folder_ / "report.json"), ::testing::HasSubstr("\"candidates\""));
  EXPECT_THAT(files(), ::testing::UnorderedElementsAre("net.onnx", "data.npz", "out.onnx", "report.json", "stdout.txt",
                                                       "stderr.txt"));
}

TEST_F(Compress, AMissedGoalIsExitCodeThreeAndStillWritesTheBest) {
  const CommandResult result = compress("--max-drop 10% --speedup 1000");
  EXPECT_EQ(result.code, 3) << result.err;
  EXPECT_THAT(result.out, ::testing::HasSubstr("goal missed"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "out.onnx"));
}

TEST_F(Compress, TheOutputMustNotBeTheInput) {
  const std::string model = (folder_ / "net.onnx").string(), before = read_file(folder_ / "net.onnx");
  const CommandResult result =
      pare_command(folder_, "compress " + model + " -o " + model + " --data " + (folder_ / "data.npz").string());
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, ::testing::HasSubstr("is the input itself"));
  EXPECT_EQ(read_file(folder_ / "net.onnx"), before);
}

TEST_F(Compress, BadQuantitiesAreNamed) {
  EXPECT_THAT(compress("--max-drop lots").err, ::testing::HasSubstr("--max-drop lots"));
  EXPECT_THAT(compress("--max-size -3MB").err, ::testing::HasSubstr("--max-size"));
  EXPECT_EQ(compress("--max-drop 200%").code, 2);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out.onnx"));
}

}  // namespace
}  // namespace pare::testing
