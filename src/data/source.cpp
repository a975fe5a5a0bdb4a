#include "data/source.h"

#include "core/fail.h"
#include "data/byte_source.h"
#include "data/hash.h"

namespace pare::data {

std::int64_t Source::label(std::int64_t) const { fail(ErrorCode::kInternal, "{} have no labels", description()); }
Image Source::mask(std::int64_t) const { fail(ErrorCode::kInternal, "{} have no masks", description()); }
std::string Source::mask_name(std::int64_t index) const { return "the mask of " + sample_name(index); }
Tensor Source::regression_target(std::int64_t) const {
  fail(ErrorCode::kInternal, "{} have no target values", description());
}

std::uint64_t fingerprint_of_files(const std::filesystem::path& base, const std::vector<std::filesystem::path>& files) {
  std::string text;
  for (const std::filesystem::path& file : files) {
    std::error_code ignored;
    text += file.lexically_relative(base).generic_string();
    text += '\n' + std::to_string(std::filesystem::file_size(file, ignored)) + '\n';
  }
  return hash_text(text);
}

std::uint64_t fingerprint_of_file(const std::filesystem::path& file) {
  const SharedBytes bytes = map_file(file);
  return hash_bytes(bytes->bytes(0, bytes->size()));
}

}  // namespace pare::data
