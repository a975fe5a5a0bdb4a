// Every source is formatted as the pinned clang-format does it.
#include <cstdlib>

#include "support/support.h"

namespace pare::testing {
namespace {

TEST(Format, EverySourceIsFormatted) {
  if (std::system("command -v clang-format-19 >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "no clang-format-19 (scripts/setup installs it)";
  const TempDir folder;
  const std::string log = (folder / "log.txt").string();
  const std::string line =
      "cd " PARE_SOURCE_DIR
      " && find include src tests examples -name '*.h' -o -name '*.cpp' | xargs clang-format-19 --dry-run -Werror >" +
      log + " 2>&1";
  EXPECT_EQ(std::system(line.c_str()), 0)
      << read_file(log).substr(0, 2000) << "\nremedy: clang-format-19 -i on these files";
}

}  // namespace
}  // namespace pare::testing
