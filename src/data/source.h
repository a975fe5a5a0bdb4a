// source.h - what each format gives: raw samples and labels by index. Preparing them is the same for all.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/image.h"
#include "pare/dataset.h"

namespace pare::data {

/// All members may be called from several threads at once; indices are in range.
class Source {
 public:
  virtual ~Source() = default;
  [[nodiscard]] virtual Task task() const = 0;
  [[nodiscard]] virtual std::int64_t size() const = 0;
  [[nodiscard]] virtual std::vector<std::string> class_names() const { return {}; }
  /// Largest label + 1, or 0 where only reading everything would tell.
  [[nodiscard]] virtual std::int64_t class_count() const { return static_cast<std::int64_t>(class_names().size()); }
  /// Samples of the same number stay together when the data is split; empty: each stands for itself.
  [[nodiscard]] virtual std::vector<std::int64_t> groups() const { return {}; }
  /// "images in train.bin.xz (CIFAR-10 binary)", after the number of samples.
  [[nodiscard]] virtual std::string description() const = 0;
  [[nodiscard]] virtual std::uint64_t fingerprint() const = 0;

  /// Names of the parts of a sample; one empty name where there is just one.
  [[nodiscard]] virtual std::vector<std::string> parts() const { return {""}; }
  /// Type and size of the first sample; no pixels needed.
  [[nodiscard]] virtual Image first(std::size_t part) const { return image(0, part); }
  [[nodiscard]] virtual Image image(std::int64_t index, std::size_t part) const = 0;
  /// "Airport/airport_10.jpg", "sample 12 of train.bin".
  [[nodiscard]] virtual std::string sample_name(std::int64_t index) const = 0;

  [[nodiscard]] virtual std::int64_t label(std::int64_t index) const;     ///< classification
  [[nodiscard]] virtual Image mask(std::int64_t index) const;             ///< segmentation
  [[nodiscard]] virtual bool masks_fit_images() const { return true; }    ///< another size is an error
  [[nodiscard]] virtual std::string mask_name(std::int64_t index) const;  ///< of the file, for errors
  /// images() hold the chosen bands alone, in their order.
  [[nodiscard]] virtual bool chooses_bands() const { return false; }
  [[nodiscard]] virtual std::optional<double> nodata() const { return {}; }  ///< as the files declare it
  /// The description's nodata stands for missing values in targets as well.
  [[nodiscard]] virtual bool nodata_in_targets() const { return false; }
  [[nodiscard]] virtual Tensor regression_target(std::int64_t index) const;  ///< float32
};
using SourcePtr = std::unique_ptr<const Source>;

struct ImagePairs {
  std::vector<std::filesystem::path> images, masks;
  std::size_t unused_masks = 0;
};
/// images/ and masks/ in a folder: what belongs together has the same stem. Throws Error(kInvalidArgument).
[[nodiscard]] ImagePairs pair_by_stem(const std::filesystem::path& folder);

[[nodiscard]] SourcePtr open_class_folders(const std::filesystem::path& folder, const std::vector<std::string>& names);
[[nodiscard]] SourcePtr open_image_masks(const std::filesystem::path& folder);
/// Whether the description asks for samples cut out of rasters.
[[nodiscard]] bool asks_for_rasters(const Preprocess& preprocess);
/// x_mask, x_labels or x_target beside the raster x, or an empty path.
[[nodiscard]] std::filesystem::path target_beside(const std::filesystem::path& raster);
[[nodiscard]] SourcePtr open_rasters(const std::filesystem::path& path, const Preprocess& preprocess);
[[nodiscard]] SourcePtr open_plain_images(const std::filesystem::path& path);
[[nodiscard]] SourcePtr open_cifar(const std::filesystem::path& path);
[[nodiscard]] SourcePtr open_idx(const std::filesystem::path& path);
/// `inputs`: the network's, which name the arrays and tell their layout.
[[nodiscard]] SourcePtr open_arrays(const std::filesystem::path& path, const std::vector<ValueInfo>& inputs);

/// Samples of a source as the network wants them.
[[nodiscard]] std::unique_ptr<Dataset> prepare(SourcePtr source, const DatasetOptions& options);

/// Of relative paths and sizes.
[[nodiscard]] std::uint64_t fingerprint_of_files(const std::filesystem::path& base,
                                                 const std::vector<std::filesystem::path>& files);
/// Of a file's bytes as they lie on disk.
[[nodiscard]] std::uint64_t fingerprint_of_file(const std::filesystem::path& file);

}  // namespace pare::data
