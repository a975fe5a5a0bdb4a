#include "data/byte_source.h"

#include <thread>

#include "data/samples.h"

namespace pare::data {
namespace {

using testing::expect_error;
using testing::TempDir;
using testing::write_file;

std::string text_of(const SharedBytes& source, std::int64_t offset, std::int64_t count) {
  const std::span<const std::byte> bytes = source->bytes(offset, count);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(ByteSource, GivesXzBlocksInAnyOrder) {
  const TempDir folder;
  write_file(folder / "a.bin.xz", testing::from_base64(testing::kCifarXz));
  const std::string expected = testing::cifar_file(3);
  const SharedBytes source = open_bytes(folder / "a.bin.xz");
  ASSERT_EQ(source->size(), 9219);
  EXPECT_EQ(text_of(source, 9000, 219), expected.substr(9000, 219));
  EXPECT_EQ(text_of(source, 3900, 200), expected.substr(3900, 200));
  EXPECT_EQ(text_of(source, 0, 9219), expected);
}

TEST(ByteSource, UnpacksOnceForSeveralThreads) {
  const TempDir folder;
  write_file(folder / "a.xz", testing::from_base64(testing::kCifarXz));
  write_file(folder / "a.gz", testing::gzip_file(testing::cifar_file(3)));
  const std::string expected = testing::cifar_file(3);
  for (const char* name : {"a.xz", "a.gz"}) {
    const SharedBytes source = open_bytes(folder / name);
    std::vector<std::thread> threads;
    std::vector<std::string> results(4);
    for (std::string& result : results) threads.emplace_back([&] { result = text_of(source, 0, 9219); });
    for (std::thread& thread : threads) thread.join();
    for (const std::string& result : results) EXPECT_TRUE(result == expected) << name;
  }
}

TEST(ByteSource, NamesADamagedXzFile) {
  const TempDir folder;
  const std::string good = testing::from_base64(testing::kCifarXz);
  write_file(folder / "short.xz", good.substr(0, good.size() - 20));
  write_file(folder / "other.xz", "this is text and nothing packed at all");
  write_file(folder / "empty.xz", "");
  std::string damaged = good;
  damaged[40] = static_cast<char>(damaged[40] ^ 0x55);
  write_file(folder / "damaged.xz", damaged);
  for (const char* name : {"short.xz", "other.xz", "empty.xz"})
    expect_error([&] { (void)open_bytes(folder / name); }, ErrorCode::kIo, {"cannot unpack", name});
  const SharedBytes source = open_bytes(folder / "damaged.xz");
  expect_error([&] { (void)source->bytes(0, 10); }, ErrorCode::kIo, {"cannot unpack", "damaged.xz"});
  EXPECT_EQ(text_of(source, 9000, 219), testing::cifar_file(3).substr(9000, 219)) << "the other blocks are whole";
}

TEST(ByteSource, ReadsGzipAndChecksIt) {
  const TempDir folder;
  const std::string good = testing::gzip_file("0123456789");
  write_file(folder / "good.gz", good);
  EXPECT_EQ(text_of(open_bytes(folder / "good.gz"), 2, 5), "23456");
  EXPECT_EQ(text_of(open_bytes(folder / "good.gz"), 0, 10), "0123456789");
  std::string changed = good;
  changed[17] = 'X';
  write_file(folder / "changed.gz", changed);
  expect_error([&] { (void)open_bytes(folder / "changed.gz")->bytes(0, 10); }, ErrorCode::kIo,
               {"changed.gz", "checksum"});
  write_file(folder / "other.gz", std::string(100, 'x'));
  expect_error([&] { (void)open_bytes(folder / "other.gz"); }, ErrorCode::kIo, {"other.gz", "not a gzip file"});
  write_file(folder / "tiny.gz", "\x1f\x8b");
  expect_error([&] { (void)open_bytes(folder / "tiny.gz"); }, ErrorCode::kIo, {"tiny.gz", "too early"});
}

TEST(ByteSource, RefusesBytesBeyondTheEnd) {
  const TempDir folder;
  write_file(folder / "a.bin", "0123456789");
  const SharedBytes source = map_file(folder / "a.bin");
  expect_error([&] { (void)source->bytes(5, 6); }, ErrorCode::kIo, {"a.bin", "ends at byte 10"});
  expect_error([&] { (void)source->bytes(-1, 1); }, ErrorCode::kIo, {"a.bin"});
  const SharedBytes part = slice(source, 2, 4);
  EXPECT_EQ(text_of(part, 1, 3), "345");
  expect_error([&] { (void)part->bytes(1, 4); }, ErrorCode::kIo, {"ends at byte 4"});
  expect_error([&] { (void)slice(source, 8, 4); }, ErrorCode::kIo, {"a.bin"});
  expect_error([&] { (void)map_file(folder / "none"); }, ErrorCode::kIo, {"cannot read", "none"});
}

}  // namespace
}  // namespace pare::data
