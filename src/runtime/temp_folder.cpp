#include "runtime/temp_folder.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <system_error>

#include "core/fail.h"

namespace pare {

TempFolder::TempFolder() {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::temp_directory_path(error);
  if (error)
    fail(ErrorCode::kIo, "there is no folder for temporary files: {}\n  remedy: set TMPDIR to one that exists",
         error.message());
  std::string pattern = (parent / "pare_XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr)
    fail(ErrorCode::kIo, "cannot make a temporary folder in {}: {}\n  remedy: set TMPDIR to a folder with room",
         parent.string(), std::strerror(errno));
  path_ = pattern;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace pare
