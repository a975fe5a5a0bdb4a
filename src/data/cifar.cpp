#include "core/fail.h"
#include "core/words.h"
#include "data/byte_source.h"
#include "data/source.h"

namespace pare::data {
namespace {

constexpr std::int64_t kSide = 32, kPixels = 3 * kSide * kSide, kRecord = 1 + kPixels, kClasses = 10;

/// Names beside the file: classes.txt or the original's batches.meta.txt.
std::vector<std::string> read_names(const std::filesystem::path& folder) {
  for (const char* file : {"classes.txt", "batches.meta.txt"}) {
    if (!std::filesystem::is_regular_file(folder / file)) continue;
    const SharedBytes bytes = map_file(folder / file);
    const std::span<const std::byte> text = bytes->bytes(0, bytes->size());
    std::vector<std::string> names;
    for (const std::string& line :
         split(std::string_view(reinterpret_cast<const char*>(text.data()), text.size()), '\n'))
      if (!trim(line).empty()) names.push_back(trim(line));
    if (static_cast<std::int64_t>(names.size()) == kClasses) return names;
  }
  return {};
}

/// Records of one label byte and the red, green and blue planes.
class CifarSource final : public Source {
 public:
  explicit CifarSource(const std::filesystem::path& path)
      : path_(path), bytes_(open_bytes(path)), names_(read_names(path.parent_path())) {
    const std::int64_t size = bytes_->size();
    if (size > 0 && size % kRecord == 0) return;
    const bool fine_labels = size > 0 && size % (kRecord + 1) == 0;
    fail(ErrorCode::kInvalidArgument,
         "{} is no CIFAR-10 file, or truncated: {} bytes are {} records of {} bytes and {} bytes over{}", path.string(),
         with_commas(size), with_commas(size / kRecord), with_commas(kRecord), size % kRecord,
         fine_labels ? "\n  the size fits CIFAR-100 (two label bytes), which is not read" : "");
  }
  [[nodiscard]] Task task() const override { return Task::kClassification; }
  [[nodiscard]] std::int64_t size() const override { return bytes_->size() / kRecord; }
  [[nodiscard]] std::vector<std::string> class_names() const override { return names_; }
  [[nodiscard]] std::int64_t class_count() const override { return kClasses; }
  [[nodiscard]] std::string description() const override {
    return fmt::format("images in {} (CIFAR-10 binary)", path_.filename().string());
  }
  [[nodiscard]] std::uint64_t fingerprint() const override { return fingerprint_of_file(path_); }
  [[nodiscard]] Image first(std::size_t) const override {
    return image_from_array(DType::kUint8, {3, kSide, kSide}, false);
  }
  [[nodiscard]] Image image(std::int64_t index, std::size_t part) const override {
    Image image = first(part);
    image.owner = bytes_;
    image.data = bytes_->bytes(index * kRecord + 1, kPixels).data();
    return image;
  }
  [[nodiscard]] std::int64_t label(std::int64_t index) const override {
    return std::to_integer<std::int64_t>(bytes_->bytes(index * kRecord, 1)[0]);
  }
  [[nodiscard]] std::string sample_name(std::int64_t index) const override {
    return fmt::format("sample {} of {}", index, path_.filename().string());
  }

 private:
  std::filesystem::path path_;
  SharedBytes bytes_;
  std::vector<std::string> names_;
};

}  // namespace

SourcePtr open_cifar(const std::filesystem::path& path) { return std::make_unique<CifarSource>(path); }

}  // namespace pare::data
