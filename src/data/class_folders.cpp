#include <algorithm>
#include <numeric>

#include "core/fail.h"
#include "core/words.h"
#include "data/hash.h"
#include "data/source.h"

namespace pare::data {
namespace {

/// One subfolder per class, its images in it; a subfolder's place in the sorted list is the label.
class ClassFolders final : public Source {
 public:
  ClassFolders(const std::filesystem::path& folder, const std::vector<std::string>& names) : folder_(folder) {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      if (entry.is_directory() && !entry.path().filename().string().starts_with('.'))
        found.push_back(entry.path().filename().string());
    std::sort(found.begin(), found.end());
    names_ = names.empty() ? found : names;
    for (const std::string& name : found)
      if (std::find(names_.begin(), names_.end(), name) == names_.end())
        fail(ErrorCode::kInvalidArgument, "{} has a folder '{}' that is none of the {} class names{}", folder.string(),
             name, names_.size(), nearest_hint(name, names_));
    for (std::size_t label = 0; label < names_.size(); ++label) {
      if (!std::filesystem::is_directory(folder / names_[label])) continue;
      for (std::filesystem::path& file : images_in(folder / names_[label])) {
        files_.push_back(std::move(file));
        labels_.push_back(static_cast<std::int64_t>(label));
      }
    }
  }
  [[nodiscard]] Task task() const override { return Task::kClassification; }
  [[nodiscard]] std::int64_t size() const override { return static_cast<std::int64_t>(files_.size()); }
  [[nodiscard]] std::vector<std::string> class_names() const override { return names_; }
  [[nodiscard]] std::string description() const override;
  [[nodiscard]] std::uint64_t fingerprint() const override { return fingerprint_of_files(folder_, files_); }
  [[nodiscard]] Image image(std::int64_t index, std::size_t) const override { return decode_image(file(index)); }
  [[nodiscard]] std::int64_t label(std::int64_t index) const override {
    return labels_[static_cast<std::size_t>(index)];
  }
  [[nodiscard]] std::string sample_name(std::int64_t index) const override { return file(index).string(); }

 private:
  [[nodiscard]] const std::filesystem::path& file(std::int64_t index) const {
    return files_[static_cast<std::size_t>(index)];
  }
  std::filesystem::path folder_;
  std::vector<std::string> names_;
  std::vector<std::filesystem::path> files_;
  std::vector<std::int64_t> labels_;
};

std::string ClassFolders::description() const {
  std::vector<bool> filled(names_.size());
  for (const std::int64_t label : labels_) filled[static_cast<std::size_t>(label)] = true;
  std::vector<std::string> empty;
  for (std::size_t i = 0; i < names_.size(); ++i)
    if (!filled[i]) empty.push_back("'" + names_[i] + "'");
  std::string text = fmt::format("images of {} classes in {} (class folders)", names_.size(), folder_.string());
  if (!empty.empty() && empty.size() <= 5) text += fmt::format("; no images of {}", join(empty, ", "));
  if (empty.size() > 5) text += fmt::format("; no images of {} classes", empty.size());
  return text;
}

}  // namespace

SourcePtr open_class_folders(const std::filesystem::path& folder, const std::vector<std::string>& names) {
  return std::make_unique<ClassFolders>(folder, names);
}

}  // namespace pare::data
