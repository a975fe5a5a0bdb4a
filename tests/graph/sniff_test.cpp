#include "graph/sniff.h"

#include "support/support.h"

namespace pare::testing {
namespace {

using ::testing::HasSubstr;

std::string describe(const std::string& content) {
  return describe_foreign_file(std::as_bytes(std::span(content.data(), content.size())));
}

TEST(DescribeForeignFile, NamesWhatPeoplePutWhereAModelShouldBe) {
  const std::vector<std::pair<std::string, const char*>> cases = {
      {"", "an empty file"},
      {std::string("PK\x03\x04\x14\x00", 6), "zip archive"},
      {"\x1f\x8b\x08xxxx", "gzip"},
      {"\xfd"
       "7zXZ",
       "xz file"},
      {"BZh91AY", "bzip2"},
      {"7z\xbc\xaf\x27\x1c", "7-Zip"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00", "Git LFS pointer"},
      {"\x89HDF\r\n", "HDF5"},
      {"\x89PNG\r\n", "PNG"},
      {"\xff\xd8\xff\xe0", "JPEG"},
      {"\x80\x02}q", "pickle"},
      {"%PDF-1.4", "PDF"},
      {std::string("\x1c\x00\x00\x00TFL3\x00\x00", 10), "TensorFlow Lite"},
      {"<!DOCTYPE html><html>", "HTML page"},
      {"\n <html><head>", "HTML page"},
      {"<?xml version=\"1.0\"?><net>", "XML"},
      {"{\"a\": 1}", "JSON"},
  };
  for (const auto& [content, words] : cases) {
    EXPECT_THAT(describe(content), HasSubstr(words));
    EXPECT_THAT(describe(content), HasSubstr("\n  remedy: "));
  }
}

TEST(DescribeForeignFile, LetsOnnxPass) {
  EXPECT_EQ(describe(std::string("\x08\x08\x12\x07pytorch", 11)), "");
  EXPECT_EQ(describe(std::string("\x08\x03", 2)), "");
}

}  // namespace
}  // namespace pare::testing
