// raster_scenes.h - which rasters a path means, and which file beside each says what is to be predicted.
#pragma once

#include <filesystem>
#include <vector>

#include "pare/dataset.h"

namespace pare::data {

/// A raster and what belongs to it.
struct Scene {
  std::filesystem::path image, target;  ///< target empty: none beside
};

/// A raster, the rasters of a folder, or images/ beside masks/; at least one. Throws Error(kInvalidArgument).
[[nodiscard]] std::vector<Scene> find_scenes(const std::filesystem::path& path);
/// By the names of what lies beside; all scenes are alike or Error(kInvalidArgument) is thrown. `path` is for messages.
[[nodiscard]] Task task_of(const std::vector<Scene>& scenes, const std::filesystem::path& path);

}  // namespace pare::data
