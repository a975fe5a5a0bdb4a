#include <algorithm>

#include "core/fail.h"
#include "core/words.h"
#include "data/byte_source.h"
#include "data/hash.h"
#include "data/source.h"

namespace pare::data {
namespace {

/// The header: two zero bytes, type, number of dimensions, then the dimensions, all numbers big-endian.
struct IdxFile {
  std::filesystem::path path;
  SharedBytes bytes;
  Shape dims;
  std::int64_t header_size = 0;
};

IdxFile open_idx_file(const std::filesystem::path& path) {
  IdxFile file{path, open_bytes(path), {}, 0};
  const auto byte = [&](std::int64_t at) { return std::to_integer<std::int64_t>(file.bytes->bytes(at, 1)[0]); };
  const bool is_idx = file.bytes->size() >= 8 && byte(0) == 0 && byte(1) == 0;
  if (!is_idx || byte(3) < 1 || byte(3) > 4)
    fail(ErrorCode::kInvalidArgument, "{} is no IDX file: its first four bytes are not those of one", path.string());
  if (byte(2) != 0x08)
    fail(ErrorCode::kUnsupported, "{} holds IDX values of type 0x{:02x}; only unsigned bytes (0x08) are read",
         path.string(), byte(2));
  file.header_size = 4 + 4 * byte(3);
  for (std::int64_t i = 0; i < byte(3); ++i) {
    std::int64_t dim = 0;
    for (std::int64_t k = 0; k < 4; ++k) dim = dim * 256 + byte(4 + 4 * i + k);
    file.dims.push_back(dim);
  }
  const std::int64_t expected = file.header_size + element_count(file.dims);
  if (file.bytes->size() != expected)
    fail(ErrorCode::kIo, "{} is truncated or damaged: its header announces {} bytes, it has {}", path.string(),
         with_commas(expected), with_commas(file.bytes->size()));
  return file;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.rfind(from);
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

/// train-images-idx3-ubyte.gz -> train-labels-idx1-ubyte.gz, packed or not; empty: there is none.
std::filesystem::path labels_beside(const std::filesystem::path& images) {
  const std::string name = images.filename().string();
  if (name.find("images") == std::string::npos) return {};
  std::string labels = replaced(replaced(name, "images", "labels"), "idx3", "idx1");
  if (labels.ends_with(".gz")) labels.resize(labels.size() - 3);
  for (const char* ending : {"", ".gz"})
    if (const auto path = images.parent_path() / (labels + ending); std::filesystem::is_regular_file(path)) return path;
  return {};
}

class IdxSource final : public Source {
 public:
  explicit IdxSource(const std::filesystem::path& path) : images_(open_idx_file(path)) {
    if (images_.dims.size() != 3)
      fail(ErrorCode::kInvalidArgument,
           "{} holds {} of dimensions {}, expected images [count, height, width]\n  remedy: pass the *-images* file; "
           "its "
           "labels are found beside it",
           path.string(), images_.dims.size() == 1 ? "labels" : "an array", shape_text(images_.dims));
    if (images_.dims[0] == 0) fail(ErrorCode::kInvalidArgument, "{} holds no images", path.string());
    const std::filesystem::path labels = labels_beside(path);
    if (labels.empty()) return;
    labels_ = open_idx_file(labels);
    if (labels_.dims.size() != 1 || labels_.dims[0] != images_.dims[0])
      fail(ErrorCode::kInvalidArgument, "{} holds {} images, {} has labels {}", path.string(),
           with_commas(images_.dims[0]), labels.string(), shape_text(labels_.dims));
    for (const std::byte label : labels_.bytes->bytes(labels_.header_size, labels_.dims[0]))
      class_count_ = std::max(class_count_, std::to_integer<std::int64_t>(label) + 1);
  }
  [[nodiscard]] Task task() const override { return labels_.bytes ? Task::kClassification : Task::kNone; }
  [[nodiscard]] std::int64_t size() const override { return images_.dims[0]; }
  [[nodiscard]] std::int64_t class_count() const override { return class_count_; }
  [[nodiscard]] std::string description() const override {
    return fmt::format("images in {} (IDX{})", images_.path.filename().string(), labels_.bytes ? "" : ", no labels");
  }
  [[nodiscard]] std::uint64_t fingerprint() const override {
    std::string words = hash_word(fingerprint_of_file(images_.path));
    if (labels_.bytes) words += hash_word(fingerprint_of_file(labels_.path));
    return hash_text(words);
  }
  [[nodiscard]] Image first(std::size_t) const override {
    return image_from_array(DType::kUint8, {images_.dims[1], images_.dims[2]}, false);
  }
  [[nodiscard]] Image image(std::int64_t index, std::size_t part) const override {
    Image image = first(part);
    image.owner = images_.bytes;
    image.data = images_.bytes->bytes(images_.header_size + index * image.pixel_count(), image.pixel_count()).data();
    return image;
  }
  [[nodiscard]] std::int64_t label(std::int64_t index) const override {
    return std::to_integer<std::int64_t>(labels_.bytes->bytes(labels_.header_size + index, 1)[0]);
  }
  [[nodiscard]] std::string sample_name(std::int64_t index) const override {
    return fmt::format("sample {} of {}", index, images_.path.filename().string());
  }

 private:
  IdxFile images_, labels_;
  std::int64_t class_count_ = 0;
};

}  // namespace

SourcePtr open_idx(const std::filesystem::path& path) { return std::make_unique<IdxSource>(path); }

}  // namespace pare::data
