#include "core/temp_folder.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "core/fail.h"

namespace pare {

TempFolder::TempFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "pare.XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr)
    fail(ErrorCode::kIo, "cannot make a temporary folder {}: {}", pattern, std::strerror(errno));
  path_ = pattern;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace pare
