#include <map>

#include "core/fail.h"
#include "core/words.h"
#include "data/hash.h"
#include "data/source.h"

namespace pare::data {
namespace {

/// images/ beside masks/.
class ImageMasks final : public Source {
 public:
  explicit ImageMasks(const std::filesystem::path& folder) : folder_(folder) {
    ImagePairs pairs = pair_by_stem(folder);
    images_ = std::move(pairs.images);
    masks_ = std::move(pairs.masks);
    unused_masks_ = pairs.unused_masks;
  }
  [[nodiscard]] Task task() const override { return Task::kSegmentation; }
  [[nodiscard]] std::int64_t size() const override { return static_cast<std::int64_t>(images_.size()); }
  [[nodiscard]] std::string description() const override {
    std::string text = fmt::format("images with masks in {} (images/ beside masks/)", folder_.string());
    if (unused_masks_ > 0) text += fmt::format("; {} masks have no image", unused_masks_);
    return text;
  }
  [[nodiscard]] std::uint64_t fingerprint() const override {
    return hash_text(hash_word(fingerprint_of_files(folder_, images_)) +
                     hash_word(fingerprint_of_files(folder_, masks_)));
  }
  [[nodiscard]] Image image(std::int64_t index, std::size_t) const override {
    return decode_image(images_[static_cast<std::size_t>(index)]);
  }
  [[nodiscard]] Image mask(std::int64_t index) const override {
    return decode_image(masks_[static_cast<std::size_t>(index)], true);
  }
  [[nodiscard]] std::string sample_name(std::int64_t index) const override {
    return images_[static_cast<std::size_t>(index)].string();
  }
  [[nodiscard]] std::string mask_name(std::int64_t index) const override {
    return masks_[static_cast<std::size_t>(index)].string();
  }

 private:
  std::filesystem::path folder_;
  std::vector<std::filesystem::path> images_, masks_;
  std::size_t unused_masks_ = 0;
};

}  // namespace

ImagePairs pair_by_stem(const std::filesystem::path& folder) {
  std::map<std::string, std::filesystem::path> masks;
  for (const std::filesystem::path& mask : images_in(folder / "masks")) {
    const auto [at, added] = masks.emplace(mask.stem().string(), mask);
    if (!added)
      fail(ErrorCode::kInvalidArgument, "two masks for the same image: {} and {}", at->second.string(), mask.string());
  }
  ImagePairs pairs;
  std::vector<std::string> without_mask;
  for (const std::filesystem::path& image : images_in(folder / "images")) {
    const auto mask = masks.find(image.stem().string());
    if (mask == masks.end()) {
      without_mask.push_back(image.filename().string());
      continue;
    }
    pairs.images.push_back(image);
    pairs.masks.push_back(mask->second);
  }
  if (!without_mask.empty())
    fail(ErrorCode::kInvalidArgument,
         "{} of {} images in {} have no mask of the same name, the first is {}\n  remedy: move them out of images/",
         without_mask.size(), without_mask.size() + pairs.images.size(), folder.string(), without_mask[0]);
  if (pairs.images.empty()) fail(ErrorCode::kInvalidArgument, "{} has no images", (folder / "images").string());
  pairs.unused_masks = masks.size() - pairs.masks.size();
  return pairs;
}

SourcePtr open_image_masks(const std::filesystem::path& folder) { return std::make_unique<ImageMasks>(folder); }

}  // namespace pare::data
