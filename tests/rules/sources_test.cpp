// Rules of the source tree that a compiler does not check.
#include <map>
#include <regex>

#include "support/support.h"

namespace pare::testing {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> sources(const std::string& folder) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(PARE_SOURCE_DIR) / folder)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".h" || extension == ".cpp" || extension == ".inc" || extension == ".def")
      found.push_back(entry.path());
  }
  return found;
}

TEST(Sources, AreAscii) {
  for (const char* folder : {"include", "src", "tests"})
    for (const fs::path& file : sources(folder)) {
      const std::string text = read_file(file);
      const auto bad =
          std::find_if(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) > 126; });
      EXPECT_EQ(bad, text.end()) << file << " has a byte that is not ASCII at offset " << bad - text.begin();
    }
}

TEST(Sources, LibraryNeverPrintsExitsOrAborts) {
  const std::regex forbidden(
      R"(\b(printf|fprintf|puts|std::cout|std::cerr|fmt::print|exit|_exit|abort|quick_exit)\s*(\(|<<))");
  for (const fs::path& file : sources("src")) {
    if (file.string().find("/src/cli/") != std::string::npos) continue;
    std::smatch match;
    const std::string text = read_file(file);
    EXPECT_FALSE(std::regex_search(text, match, forbidden)) << file << " uses " << match.str();
  }
}

TEST(Sources, LibraryReadsTheEnvironmentNowhereButWhereARuntimeIsFound) {
  const std::regex forbidden(R"(\bgetenv\s*\()");
  for (const fs::path& file : sources("src")) {
    if (file.string().find("/src/cli/") != std::string::npos || file.filename() == "find_library.cpp") continue;
    EXPECT_FALSE(std::regex_search(read_file(file), forbidden)) << file;
  }
}

TEST(Sources, HeadersOpenWithTheirPurpose) {
  for (const char* folder : {"include", "src"})
    for (const fs::path& file : sources(folder)) {
      if (file.extension() != ".h") continue;
      const std::string text = read_file(file);
      EXPECT_TRUE(text.starts_with("// ") && text.find("#pragma once") != std::string::npos) << file;
    }
}

/// Two types of one name in two headers are one to the linker: the wrong destructor runs.
TEST(Sources, HeadersShareNoTypeNames) {
  const std::regex definition(R"((?:^|\n)(?:struct|class) ([A-Z]\w*)(?: final)?(?: : [^{;]*)? ?\{)");
  std::map<std::string, fs::path> seen;
  for (const char* folder : {"include", "src"})
    for (const fs::path& file : sources(folder)) {
      if (file.extension() != ".h") continue;
      const std::string text = read_file(file);
      for (std::sregex_iterator at(text.begin(), text.end(), definition), end; at != end; ++at) {
        const auto [known, added] = seen.emplace((*at)[1].str(), file);
        EXPECT_TRUE(added) << (*at)[1] << " is defined in " << known->second << " and in " << file;
      }
    }
  EXPECT_GT(seen.size(), 50U);
}

}  // namespace
}  // namespace pare::testing
