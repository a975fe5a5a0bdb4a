#include "core/atomic_file.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "support/support.h"

namespace pare::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  return names;
}

/// What `action` throws, run in a process without rights over other people's files (the superuser may write anywhere).
std::string error_without_rights(const std::function<void()>& action) {
  int pipes[2];
  if (pipe(pipes) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    std::string text = "nothing thrown";
    if (getuid() == 0 && setuid(65534) != 0) text = "cannot give up rights";
    try {
      action();
    } catch (const Error& error) {
      text = error.what();
    }
    const ssize_t unused = write(pipes[1], text.data(), text.size());
    static_cast<void>(unused);
    _exit(0);
  }
  close(pipes[1]);
  std::string text(4096, '\0');
  const ssize_t size = read(pipes[0], text.data(), text.size());
  close(pipes[0]);
  waitpid(child, nullptr, 0);
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return text;
}

/// Files of this process can grow to `bytes` only, as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{bytes, old_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit old_{};
  void (*old_handler_)(int);
};

TEST(AtomicFile, AppearsWholeOnCommitOnly) {
  const TempDir dir;
  {
    AtomicFile file(dir / "out");
    file.write("half");
    EXPECT_FALSE(fs::exists(dir / "out"));
    file.write("whole");
    EXPECT_EQ(file.written(), 9);
    file.commit();
  }
  EXPECT_EQ(read_file(dir / "out"), "halfwhole");
  EXPECT_THAT(names_in(dir.path()), UnorderedElementsAre("out"));
}

TEST(AtomicFile, LeavesNothingWithoutCommit) {
  const TempDir dir;
  write_file(dir / "out", "old");
  {
    AtomicFile file(dir / "out");
    file.write("new");
    file.close();
  }
  EXPECT_EQ(read_file(dir / "out"), "old");
  EXPECT_THAT(names_in(dir.path()), UnorderedElementsAre("out"));
}

TEST(AtomicFile, TellsAMissingFolder) {
  const TempDir dir;
  expect_error([&] { AtomicFile file(dir / "no/such/out"); }, ErrorCode::kIo, {"there is no folder", "remedy"});
  expect_error([&] { AtomicFile file(dir.path()); }, ErrorCode::kIo, {"it is a folder"});
}

TEST(AtomicFile, LeavesTheOldFileWhenTheDiskIsFull) {
  const TempDir dir;
  write_file(dir / "out", "old");
  const FileSizeLimit limit(10000);
  expect_error(
      [&] {
        AtomicFile file(dir / "out");
        file.write(std::string(50000, 'x'));
        file.commit();
      },
      ErrorCode::kIo, {"cannot write", "out", "remedy"});
  EXPECT_EQ(read_file(dir / "out"), "old");
  EXPECT_THAT(names_in(dir.path()), UnorderedElementsAre("out"));
}

TEST(AtomicFile, SaysNoSpaceLeft) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  expect_error([] { write_file_atomically("/dev/full", "x"); }, ErrorCode::kIo,
               {"No space left", "remedy: free some space"});
}

TEST(AtomicFile, WritesIntoPipesAndDevicesInsteadOfReplacingThem) {
  const TempDir dir;
  const fs::path pipe = dir / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  std::string seen;
  std::thread reader([&] { seen = read_file(pipe); });
  write_file_atomically(pipe, "through");
  reader.join();
  EXPECT_EQ(seen, "through");
  EXPECT_TRUE(fs::is_fifo(pipe));
  EXPECT_THAT(names_in(dir.path()), UnorderedElementsAre("pipe"));
}

TEST(AtomicFile, DoesNotReplaceAReadOnlyFile) {
  const TempDir dir;
  fs::permissions(dir.path(), fs::perms::all);
  write_file(dir / "out", "old");
  fs::permissions(dir / "out", fs::perms::owner_read);
  EXPECT_THAT(error_without_rights([&] { write_file_atomically(dir / "out", "new"); }),
              ::testing::AllOf(HasSubstr("Permission denied"), HasSubstr("remedy: choose a place")));
  EXPECT_EQ(read_file(dir / "out"), "old");
}

TEST(AtomicFile, TellsAFolderThatMayNotBeWritten) {
  const TempDir dir;
  fs::permissions(dir.path(),
                  fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_read | fs::perms::others_exec);
  EXPECT_THAT(error_without_rights([&] { write_file_atomically(dir / "out", "new"); }), HasSubstr("Permission denied"));
  fs::permissions(dir.path(), fs::perms::owner_all);
}

TEST(AtomicFile, ReplacesALinkAndLeavesWhatItPointedTo) {
  const TempDir dir;
  write_file(dir / "blob", "old");
  fs::create_symlink("blob", dir / "link");
  write_file_atomically(dir / "link", "new");
  EXPECT_EQ(read_file(dir / "blob"), "old");
  EXPECT_EQ(read_file(dir / "link"), "new");
}

TEST(AtomicFile, GivesTheModeThatAnyNewFileHas) {
  const TempDir dir;
  const mode_t old = umask(027);
  write_file_atomically(dir / "out", "x");
  umask(old);
  EXPECT_EQ(static_cast<int>(fs::status(dir / "out").permissions()), 0640);
}

TEST(AtomicFile, WritesIntoTheCurrentFolder) {
  const TempDir dir;
  const fs::path old = fs::current_path();
  fs::current_path(dir.path());
  write_file_atomically("bare", "x");
  fs::current_path(old);
  EXPECT_EQ(read_file(dir / "bare"), "x");
}

TEST(ReadWholeFile, TellsMissingFilesAndFolders) {
  const TempDir dir;
  expect_error([&] { static_cast<void>(read_whole_file(dir / "none")); }, ErrorCode::kIo, {"no such file"});
  expect_error([&] { static_cast<void>(read_whole_file(dir.path())); }, ErrorCode::kIo, {"folder"});
  write_file(dir / "empty", "");
  EXPECT_EQ(read_whole_file(dir / "empty"), "");
  write_file(dir / "data", std::string("a\0b", 3));
  EXPECT_EQ(read_whole_file(dir / "data"), std::string("a\0b", 3));
}

}  // namespace
}  // namespace pare::testing
