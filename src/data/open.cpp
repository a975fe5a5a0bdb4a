#include <algorithm>
#include <map>

#include "core/fail.h"
#include "core/words.h"
#include "data/source.h"

namespace pare {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUnderstood =
    "a folder with one subfolder per class; images/ beside masks/; CIFAR-10 binary (.bin, .bin.xz); IDX "
    "(*-images*-ubyte, "
    "also .gz); .npy, .npz (x, y); an image or a folder of images (.jpg, .png, .tif, .bmp)";

/// "3 .txt files, 2 folders (a, b)".
std::string found_in(const fs::path& folder) {
  std::map<std::string, int> files;
  std::vector<std::string> folders;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.')) continue;
    if (entry.is_directory())
      folders.push_back(name);
    else
      ++files[entry.path().extension().empty() ? "'" + name + "'" : entry.path().extension().string()];
  }
  std::sort(folders.begin(), folders.end());
  std::vector<std::string> words;
  for (const auto& [kind, count] : files) words.push_back(fmt::format("{} {}", count, kind));
  if (!folders.empty()) {
    const std::size_t count = folders.size();
    if (count > 5) folders.resize(5), folders.push_back("...");
    words.push_back(fmt::format("{} folder{} ({})", count, count == 1 ? "" : "s", join(folders, ", ")));
  }
  if (words.size() > 8) words.resize(8), words.push_back("...");
  return words.empty() ? "nothing" : join(words, ", ");
}

std::vector<fs::path> subfolders(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_directory() && !entry.path().filename().string().starts_with('.')) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

bool has_images(const fs::path& folder) { return !data::images_in(folder).empty(); }

bool has_arrays(const fs::path& folder) {
  const fs::directory_iterator entries(folder);
  return std::any_of(begin(entries), end(entries),
                     [](const auto& entry) { return entry.path().extension() == ".npy"; });
}

/// A subfolder that is a dataset of its own (train/ with class folders in it, say); empty: none.
fs::path inner_dataset(const std::vector<fs::path>& folders) {
  for (const fs::path& folder : folders)
    for (const fs::path& inner : subfolders(folder))
      if (has_images(inner)) return folder;
  return {};
}

data::SourcePtr open_folder(const fs::path& path, const DatasetOptions& options) {
  const bool images = fs::is_directory(path / "images"), masks = fs::is_directory(path / "masks");
  if (images && masks) return data::open_image_masks(path);
  const std::vector<fs::path> folders = subfolders(path);
  if ((images || masks) && folders.size() == 1)
    fail(ErrorCode::kInvalidArgument, "{} has {}/ but no {}/ beside it\n  remedy: for images without labels pass {}",
         path.string(), images ? "images" : "masks", images ? "masks" : "images", (path / "images").string());
  const bool class_folders = std::any_of(folders.begin(), folders.end(), has_images);
  const bool loose_images = has_images(path);
  if (class_folders && loose_images)
    fail(ErrorCode::kInvalidArgument,
         "{} holds images and folders with images: are the folders classes?\n  remedy: move the loose images away, {} "
         "is "
         "the first",
         path.string(), data::images_in(path).front().filename().string());
  if (class_folders) return data::open_class_folders(path, options.class_names);
  if (loose_images) return data::open_plain_images(path);
  if (has_arrays(path)) return data::open_arrays(path, options.inputs);
  if (const fs::path inner = inner_dataset(folders); !inner.empty())
    fail(ErrorCode::kInvalidArgument,
         "the folders in {} hold no images but further folders\n  remedy: pass one of them, {} say", path.string(),
         inner.string());
  std::string hint;
  for (const auto& entry : fs::directory_iterator(path)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".bin") || name.ends_with(".bin.xz") || name.ends_with(".npz") ||
        name.find("images-idx3") != std::string::npos)
      hint = fmt::format("\n  remedy: pass the file itself, {} say", entry.path().string());
  }
  fail(ErrorCode::kInvalidArgument, "no samples in {}: found {}{}\n  understood: {}", path.string(), found_in(path),
       hint, kUnderstood);
}

data::SourcePtr open_file(const fs::path& path, const DatasetOptions& options) {
  const std::string name = path.filename().string();
  if (name.ends_with(".bin") || name.ends_with(".bin.xz")) return data::open_cifar(path);
  if (name.ends_with(".npy") || name.ends_with(".npz")) return data::open_arrays(path, options.inputs);
  if (name.find("ubyte") != std::string::npos || name.find(".idx") != std::string::npos ||
      name.find("-idx") != std::string::npos)
    return data::open_idx(path);
  if (data::is_image_name(path)) return data::open_plain_images(path);
  fail(ErrorCode::kInvalidArgument, "{} is no data that is understood\n  understood: {}", path.string(), kUnderstood);
}

data::SourcePtr open_source(const fs::path& path, const DatasetOptions& options) {
  Preprocess preprocess = options.preprocess;
  if (preprocess.inputs.size() == 1) {
    preprocess = options.preprocess.inputs.begin()->second;
    if (preprocess.mask_values.empty()) preprocess.mask_values = options.preprocess.mask_values;
  }
  if (data::asks_for_rasters(preprocess)) return data::open_rasters(path, preprocess);
  if (fs::is_directory(path)) return open_folder(path, options);
  const bool tiff = path.extension() == ".tif" || path.extension() == ".tiff";
  if (tiff && !data::target_beside(path).empty()) return data::open_rasters(path, preprocess);
  return open_file(path, options);
}

[[noreturn]] void fail_missing(const fs::path& path) {
  std::vector<std::string> siblings;
  const fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::error_code ignored;
  for (fs::directory_iterator at(parent, ignored), end; at != end; at.increment(ignored))
    siblings.push_back(at->path().filename().string());
  fail(ErrorCode::kIo, "there is no {}{}", path.string(), nearest_hint(path.filename().string(), siblings));
}

}  // namespace

std::string_view task_name(Task task) noexcept {
  switch (task) {
    case Task::kClassification:
      return "classification";
    case Task::kSegmentation:
      return "segmentation";
    case Task::kRegression:
      return "regression";
    case Task::kNone:
      break;
  }
  return "none";
}

std::unique_ptr<Dataset> open_dataset(const fs::path& path, const DatasetOptions& options) {
  try {
    if (!fs::exists(path)) {
      const std::string text = path.string();
      for (const std::string part : {"train", "test"}) {
        if (!text.ends_with("#" + part)) continue;
        DatasetOptions chosen = options;
        chosen.preprocess.part = part;
        for (auto& [name, description] : chosen.preprocess.inputs) description.part = part;
        return open_dataset(text.substr(0, text.size() - part.size() - 1), chosen);
      }
      fail_missing(path);
    }
    return data::prepare(open_source(path, options), options);
  } catch (const fs::filesystem_error& error) {
    fail(ErrorCode::kIo, "cannot read {}: {}", path.string(), error.code().message());
  }
}

}  // namespace pare
