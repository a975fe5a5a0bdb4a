// The installed package serves an outside project.
#include <cstdlib>

#include "pare/model_io.h"
#include "pare/train.h"
#include "support/support.h"

namespace pare::testing {
namespace {

int shell(const std::string& line) { return std::system(line.c_str()); }

TEST(SlowConsumer, AnOutsideProjectBuildsAndRunsWithTheInstalledPackage) {
  const TempDir folder;
  const std::string prefix = (folder / "prefix").string(), build = (folder / "build").string(),
                    log = (folder / "log.txt").string();
  const std::string quiet = " >>" + log + " 2>&1";
  ASSERT_EQ(shell("cmake --install " PARE_BINARY_DIR " --prefix " + prefix + quiet), 0) << read_file(log);
  ASSERT_EQ(shell("cmake -S " PARE_SOURCE_DIR "/tests/consumer -B " + build + " -DCMAKE_PREFIX_PATH=" + prefix + quiet),
            0)
      << read_file(log);
  ASSERT_EQ(shell("cmake --build " + build + quiet), 0) << read_file(log);
  ASSERT_EQ(shell(build + "/consumer " + (folder / "out.onnx").string() + quiet), 0) << read_file(log);
  EXPECT_EQ(load_model(folder / "out.onnx").graph.nodes.size(), 1U);
  // The installed package trains if this build does.
  const bool trains = read_file(log).find("it can train") != std::string::npos;
  EXPECT_EQ(trains, training_available().available) << read_file(log);
}

}  // namespace
}  // namespace pare::testing
