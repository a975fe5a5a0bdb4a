#include "report/table.h"

#include <sstream>

#include "support/support.h"

namespace pare::testing {
namespace {

Table sample() {
  Table table({{"node", false, 0, 8}, {"time"}, {"note", false, 2}, {"share", true, 1}});
  table.add({"features.layer1.conv1", "1.95 ms", "first", "12 %"});
  table.add({"b", "0.20 ms", "x", "1 %"});
  return table;
}

TEST(Table, AlignsNumbersRightAndNamesLeft) {
  EXPECT_EQ(sample().text(80),
            "node                      time  note   share\n"
            "features.layer1.conv1  1.95 ms  first   12 %\n"
            "b                      0.20 ms  x        1 %\n");
}

TEST(Table, ShortensNamesInTheMiddleBeforeItDropsColumns) {
  EXPECT_EQ(sample().text(34),
            "node            time  note   share\n"
            "feat..conv1  1.95 ms  first   12 %\n"
            "b            0.20 ms  x        1 %\n");
}

TEST(Table, DropsTheLeastImportantColumnFirst) {
  const std::string text = sample().text(25);
  EXPECT_EQ(text.find("note"), std::string::npos);
  EXPECT_NE(text.find("share"), std::string::npos);
}

TEST(Table, NoLineIsWiderThanAskedWhileColumnsCanGo) {
  for (std::size_t width = 17; width < 60; ++width) {
    std::istringstream in(sample().text(width));
    for (std::string line; std::getline(in, line);) EXPECT_LE(line.size(), width) << line;
  }
}

TEST(Table, ShortenedKeepsBothEnds) {
  EXPECT_EQ(shortened("abcdefghij", 10), "abcdefghij");
  EXPECT_EQ(shortened("abcdefghij", 8), "abc..hij");
}

}  // namespace
}  // namespace pare::testing
