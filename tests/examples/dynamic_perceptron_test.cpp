// The smallest lesson: float and int8 outputs side by side, a quarter of the bytes.
#include <cstdlib>
#include <regex>

#include "support/support.h"

namespace pare::testing {
namespace {

TEST(DynamicPerceptron, IsAQuarterOfTheBytesAndCloseInEveryOutput) {
  const TempDir folder;
  const std::string out = (folder / "out.txt").string();
  ASSERT_EQ(std::system(
                (std::string(PARE_BINARY_DIR) + "/dynamic_perceptron " + folder.path().string() + " >" + out).c_str()),
            0);
  const std::string text = read_file(out);
  std::smatch match;
  ASSERT_TRUE(std::regex_search(text, match, std::regex(R"(largest difference ([0-9.]+)\nbytes (\d+) -> (\d+))")))
      << text;
  EXPECT_LT(std::stod(match[1]), 0.1) << text;  // outputs have a deviation of about 1.4
  EXPECT_GT(std::stod(match[1]), 0) << "int8 and float must differ somewhere";
  EXPECT_LT(std::stod(match[3]) / std::stod(match[2]), 0.28) << text;
}

}  // namespace
}  // namespace pare::testing
