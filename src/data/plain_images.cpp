#include "core/fail.h"
#include "data/source.h"

namespace pare::data {
namespace {

/// One image, or a folder of images, without labels.
class PlainImages final : public Source {
 public:
  explicit PlainImages(const std::filesystem::path& path) : path_(path) {
    files_ = std::filesystem::is_directory(path) ? images_in(path) : std::vector{path};
  }
  [[nodiscard]] Task task() const override { return Task::kNone; }
  [[nodiscard]] std::int64_t size() const override { return static_cast<std::int64_t>(files_.size()); }
  [[nodiscard]] std::string description() const override {
    return fmt::format("image{} without labels in {}", files_.size() == 1 ? "" : "s", path_.string());
  }
  [[nodiscard]] std::uint64_t fingerprint() const override {
    return std::filesystem::is_directory(path_) ? fingerprint_of_files(path_, files_) : fingerprint_of_file(path_);
  }
  [[nodiscard]] Image image(std::int64_t index, std::size_t) const override {
    return decode_image(files_[static_cast<std::size_t>(index)]);
  }
  [[nodiscard]] std::string sample_name(std::int64_t index) const override {
    return files_[static_cast<std::size_t>(index)].string();
  }

 private:
  std::filesystem::path path_;
  std::vector<std::filesystem::path> files_;
};

}  // namespace

SourcePtr open_plain_images(const std::filesystem::path& path) { return std::make_unique<PlainImages>(path); }

}  // namespace pare::data
