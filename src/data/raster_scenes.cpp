#include "data/raster_scenes.h"

#include <algorithm>

#include "core/fail.h"
#include "data/source.h"

namespace pare::data {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTargetEnds[] = {"_mask", "_labels", "_target"};

bool is_target(const fs::path& path) {
  const std::string stem = path.stem().string();
  return std::any_of(std::begin(kTargetEnds), std::end(kTargetEnds),
                     [&](const char* end) { return stem.ends_with(end); });
}

std::vector<Scene> scenes_in(const fs::path& folder) {
  std::vector<Scene> scenes;
  if (fs::is_directory(folder / "images") && fs::is_directory(folder / "masks")) {
    const ImagePairs pairs = pair_by_stem(folder);
    for (std::size_t i = 0; i < pairs.images.size(); ++i) scenes.push_back({pairs.images[i], pairs.masks[i]});
    return scenes;
  }
  for (const fs::path& file : images_in(folder))
    if (!is_target(file)) scenes.push_back({file, target_beside(file)});
  return scenes;
}

}  // namespace

bool asks_for_rasters(const Preprocess& preprocess) {
  return preprocess.tile > 0 || !preprocess.target_bands.empty() || !preprocess.part.empty();
}

fs::path target_beside(const fs::path& raster) {
  if (is_target(raster)) return {};
  for (const char* end : kTargetEnds)
    for (const std::string& extension : {raster.extension().string(), std::string(".tif"), std::string(".png")}) {
      fs::path beside = raster.parent_path() / (raster.stem().string() + end + extension);
      if (fs::is_regular_file(beside)) return beside;
    }
  return {};
}

std::vector<Scene> find_scenes(const fs::path& path) {
  static const std::vector<std::string> kOthers = {".npy", ".npz", ".bin", ".xz", ".gz"};
  const bool other = std::find(kOthers.begin(), kOthers.end(), path.extension().string()) != kOthers.end();
  std::vector<Scene> scenes;
  if (fs::is_directory(path))
    scenes = scenes_in(path);
  else if (!other)
    scenes.push_back({path, target_beside(path)});
  if (scenes.empty())
    fail(ErrorCode::kInvalidArgument,
         "preprocess: 'tile', 'target_bands' and 'part' are for rasters; {} is none and holds none\n  remedy: leave "
         "them "
         "out of the preprocess file, or pass a raster (.tif), a folder of them, or images/ beside masks/",
         path.string());
  return scenes;
}

Task task_of(const std::vector<Scene>& scenes, const fs::path& path) {
  const auto task = [](const Scene& scene) {
    if (scene.target.empty()) return Task::kNone;
    return scene.target.stem().string().ends_with("_target") ? Task::kRegression : Task::kSegmentation;
  };
  for (const Scene& scene : scenes)
    if (task(scene) != task(scenes[0]))
      fail(ErrorCode::kInvalidArgument,
           "the rasters of {} are not alike: {} has {}, {} has {}\n  remedy: every raster needs its {}_mask, or none",
           path.string(), scenes[0].image.filename().string(),
           scenes[0].target.empty() ? "no mask" : scenes[0].target.filename().string(), scene.image.filename().string(),
           scene.target.empty() ? "no mask" : scene.target.filename().string(), scene.image.stem().string());
  return task(scenes[0]);
}

}  // namespace pare::data
