// Rasters as many samples: tiles of the chosen bands, with classes or values from other bands or from a raster beside.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/fail.h"
#include "core/words.h"
#include "data/hash.h"
#include "data/raster.h"
#include "data/raster_scenes.h"
#include "data/source.h"
#include "data/tile_grid.h"

namespace pare::data {
namespace {

namespace fs = std::filesystem;
using Bands = std::vector<std::int64_t>;  // from 0

constexpr std::size_t kMostKeptOpen = 64;
constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

bool same_value(double value, const std::optional<double>& nodata) {
  return nodata &&
         (static_cast<float>(value) == static_cast<float>(*nodata) || (std::isnan(*nodata) && std::isnan(value)));
}

class RasterTiles final : public Source {
 public:
  RasterTiles(const fs::path& path, const std::vector<Scene>& scenes, Task task, const Preprocess& preprocess);
  [[nodiscard]] Task task() const override { return task_; }
  [[nodiscard]] std::int64_t size() const override { return static_cast<std::int64_t>(grid_.tiles.size()); }
  [[nodiscard]] std::string description() const override;
  [[nodiscard]] std::uint64_t fingerprint() const override;
  [[nodiscard]] std::vector<std::int64_t> groups() const override;
  [[nodiscard]] Image first(std::size_t) const override { return layout_of(grid_.tiles[0].window); }
  [[nodiscard]] Image image(std::int64_t index, std::size_t) const override;
  [[nodiscard]] Image mask(std::int64_t index) const override;
  [[nodiscard]] Tensor regression_target(std::int64_t index) const override;
  [[nodiscard]] std::string sample_name(std::int64_t index) const override;
  [[nodiscard]] std::string mask_name(std::int64_t index) const override;
  [[nodiscard]] bool chooses_bands() const override { return true; }
  [[nodiscard]] std::optional<double> nodata() const override;

 private:
  [[nodiscard]] const Tile& tile(std::int64_t index) const { return grid_.tiles[static_cast<std::size_t>(index)]; }
  [[nodiscard]] Image layout_of(const Window& window) const;
  [[nodiscard]] std::string name_of(const Raster& raster, const Window& window) const;
  void choose_bands();
  void choose_type();
  void check_scenes() const;
  void check_target(const Raster& image, const Raster& target) const;

  fs::path path_;
  Task task_;
  Preprocess preprocess_;
  std::vector<std::unique_ptr<Raster>> images_, targets_;
  Bands bands_, target_bands_;
  DType dtype_ = DType::kUndefined;
  bool one_nodata_ = true;  ///< all input bands of all rasters declare the same; else their nodata becomes NaN
  TileGrid grid_;
};

RasterTiles::RasterTiles(const fs::path& path, const std::vector<Scene>& scenes, Task task,
                         const Preprocess& preprocess)
    : path_(path), task_(task), preprocess_(preprocess) {
  if (task == Task::kRegression && preprocess.resize)
    fail(
        ErrorCode::kInvalidArgument,
        "preprocess: 'resize' would change the image and not the map that is to be predicted\n  remedy: leave 'resize' "
        "out and choose the size with 'tile'");
  const bool keep_open = scenes.size() <= kMostKeptOpen;
  std::vector<PlaneSize> sizes;
  for (const Scene& scene : scenes) {
    images_.push_back(std::make_unique<Raster>(scene.image, keep_open));
    if (!scene.target.empty()) targets_.push_back(std::make_unique<Raster>(scene.target, keep_open));
    sizes.push_back({images_.back()->info().height, images_.back()->info().width});
  }
  choose_bands();
  check_scenes();
  choose_type();
  grid_ = make_tiles(sizes, {.tile = preprocess.tile,
                             .step = preprocess.tile_step,
                             .part = preprocess.part,
                             .test_share = preprocess.test_share});
  if (grid_.tiles.empty())
    fail(ErrorCode::kInvalidArgument, "{} has no tile of {} x {}{}: {} is {}\n  remedy: a smaller 'tile'",
         path.string(), preprocess.tile, preprocess.tile,
         preprocess.part.empty() ? "" : " in part '" + preprocess.part + "'", images_[0]->path().filename().string(),
         images_[0]->info().size_text());
}

void RasterTiles::choose_bands() {
  const RasterInfo& info = images_[0]->info();
  const std::string name = images_[0]->path().string();
  const auto take = [&](const char* key, const std::vector<std::int64_t>& numbers) {
    Bands bands;
    for (const std::int64_t number : numbers) {
      if (number > info.bands())
        fail(ErrorCode::kInvalidArgument, "preprocess: '{}' asks for band {}, {} has {} bands", key, number, name,
             info.bands());
      bands.push_back(number - 1);
    }
    return bands;
  };
  bands_ = take("bands", preprocess_.bands);
  target_bands_ = take("target_bands", preprocess_.target_bands);
  for (const std::int64_t band : bands_)
    if (std::find(target_bands_.begin(), target_bands_.end(), band) != target_bands_.end())
      fail(ErrorCode::kInvalidArgument,
           "preprocess: band {} is in 'bands' and in 'target_bands': the network would see what it is to predict",
           band + 1);
  if (!bands_.empty()) return;
  for (std::int64_t band = 0; band < info.bands(); ++band)
    if (band != info.alpha && std::find(target_bands_.begin(), target_bands_.end(), band) == target_bands_.end())
      bands_.push_back(band);
  if (bands_.empty())
    fail(ErrorCode::kInvalidArgument, "preprocess: 'target_bands' takes all {} bands of {}, none is left as input",
         info.bands(), name);
}

void RasterTiles::check_scenes() const {
  for (const auto& image : images_)
    if (image->info().bands() != images_[0]->info().bands())
      fail(ErrorCode::kInvalidArgument, "{} has {} bands, {} has {}", image->path().string(), image->info().bands(),
           images_[0]->path().string(), images_[0]->info().bands());
  if (!targets_.empty())
    for (std::size_t i = 0; i < images_.size(); ++i) check_target(*images_[i], *targets_[i]);
}

void RasterTiles::check_target(const Raster& image, const Raster& target) const {
  const RasterInfo &of_image = image.info(), &of_target = target.info();
  if (of_image.height != of_target.height || of_image.width != of_target.width)
    fail(ErrorCode::kInvalidArgument, "{} is {}, {} is {}\n  remedy: bring both onto one grid (gdalwarp)",
         target.path().string(), of_target.size_text(), image.path().string(), of_image.size_text());
  if (task_ == Task::kSegmentation && of_target.bands() != 1)
    fail(ErrorCode::kInvalidArgument, "{} has {} bands; a mask has one, whose values are the classes",
         target.path().string(), of_target.bands());
  if (of_target.bands() != targets_[0]->info().bands())
    fail(ErrorCode::kInvalidArgument, "{} has {} bands, {} has {}", target.path().string(), of_target.bands(),
         targets_[0]->path().string(), targets_[0]->info().bands());
  if (!of_image.transform || !of_target.transform) return;
  const auto &a = *of_image.transform, &b = *of_target.transform;
  const double pixel = std::abs(a[1]) + std::abs(a[2]) + std::abs(a[4]) + std::abs(a[5]);
  for (const std::size_t i : {0U, 3U})
    if (std::abs(a[i] - b[i]) > pixel / 4)
      fail(ErrorCode::kInvalidArgument,
           "{} and {} have the same size but lie at different places: their upper left corners are ({}, {}) and ({}, "
           "{})\n  remedy: bring both onto one grid (gdalwarp)",
           image.path().string(), target.path().string(), a[0], a[3], b[0], b[3]);
}

void RasterTiles::choose_type() {
  const auto at = [](std::int64_t band) { return static_cast<std::size_t>(band); };
  const RasterInfo& first = images_[0]->info();
  const std::optional<double> nodata = first.nodata[at(bands_[0])];
  dtype_ = first.dtypes[at(bands_[0])];
  for (const auto& image : images_)
    for (const std::int64_t band : bands_) {
      const RasterInfo& info = image->info();
      if (info.dtypes[at(band)] != dtype_) dtype_ = DType::kFloat32;
      const std::optional<double>& own = info.nodata[at(band)];
      const bool both = own && nodata && (*own == *nodata || (std::isnan(*own) && std::isnan(*nodata)));
      if (!both && (own || nodata)) one_nodata_ = false;
    }
  if (!one_nodata_) dtype_ = DType::kFloat32;
}

std::optional<double> RasterTiles::nodata() const {
  if (!one_nodata_) return std::numeric_limits<double>::quiet_NaN();
  return images_[0]->info().nodata[static_cast<std::size_t>(bands_[0])];
}

Image RasterTiles::layout_of(const Window& window) const {
  Image image;
  image.dtype = dtype_;
  image.channels = static_cast<std::int64_t>(bands_.size());
  image.height = window.height, image.width = window.width;
  return image;
}

Image RasterTiles::image(std::int64_t index, std::size_t) const {
  const Tile& at = tile(index);
  Image image = layout_of(at.window);
  const auto bytes = std::make_shared_for_overwrite<std::byte[]>(static_cast<std::size_t>(image.size_bytes()));
  const Raster& raster = *images_[at.raster];
  raster.read(at.window, bands_, dtype_, bytes.get());
  if (!one_nodata_) {
    auto* value = reinterpret_cast<float*>(bytes.get());
    for (const std::int64_t band : bands_)
      for (std::int64_t i = 0; i < at.window.pixel_count(); ++i, ++value)
        if (same_value(*value, raster.info().nodata[static_cast<std::size_t>(band)])) *value = kMissing;
  }
  image.data = bytes.get();
  image.owner = bytes;
  return image;
}

Image RasterTiles::mask(std::int64_t index) const {
  const Tile& at = tile(index);
  const Raster& raster = *targets_[at.raster];
  std::vector<double> values(static_cast<std::size_t>(at.window.pixel_count()));
  raster.read(at.window, {0}, DType::kFloat64, reinterpret_cast<std::byte*>(values.data()));
  // What the file declares as nodata is unlabelled (-1), unless the description calls that value a class.
  const std::optional<double>& nodata = raster.info().nodata[0];
  const auto is_nodata = [&](std::int64_t value) { return same_value(static_cast<double>(value), nodata); };
  const bool is_class = std::any_of(preprocess_.mask_values.begin(), preprocess_.mask_values.end(), is_nodata);
  for (double& value : values)
    if (std::isnan(value) || (!is_class && same_value(value, nodata))) value = -1;
  Image mask;
  mask.dtype = DType::kFloat64;
  mask.channels = 1, mask.height = at.window.height, mask.width = at.window.width;
  const auto owner = std::make_shared<std::vector<double>>(std::move(values));
  mask.data = reinterpret_cast<const std::byte*>(owner->data());
  mask.owner = owner;
  return mask;
}

Tensor RasterTiles::regression_target(std::int64_t index) const {
  const Tile& at = tile(index);
  const bool beside = target_bands_.empty();
  const Raster& raster = beside ? *targets_[at.raster] : *images_[at.raster];
  Bands bands = target_bands_;
  if (beside)
    for (std::int64_t band = 0; band < raster.info().bands(); ++band)
      if (band != raster.info().alpha) bands.push_back(band);
  const auto pixels = static_cast<std::size_t>(at.window.pixel_count());
  std::vector<double> values(bands.size() * pixels);
  raster.read(at.window, bands, DType::kFloat64, reinterpret_cast<std::byte*>(values.data()));
  std::vector<float> target(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto band = static_cast<std::size_t>(bands[i / pixels]);
    // The description's nodata is the image's: 0 may be a value in a raster beside it.
    const bool missing =
        same_value(values[i], raster.info().nodata[band]) || (!beside && same_value(values[i], preprocess_.nodata));
    target[i] = missing ? kMissing : static_cast<float>(values[i]);
  }
  return Tensor::of<float>({static_cast<std::int64_t>(bands.size()), at.window.height, at.window.width}, target);
}

std::vector<std::int64_t> RasterTiles::groups() const {
  std::vector<std::int64_t> blocks;
  for (const Tile& at : grid_.tiles) blocks.push_back(at.block);
  return blocks;
}

std::string RasterTiles::name_of(const Raster& raster, const Window& window) const {
  if (preprocess_.tile == 0) return raster.path().string();
  return fmt::format("the tile at row {}, column {} of {}", window.top, window.left, raster.path().string());
}
std::string RasterTiles::sample_name(std::int64_t index) const {
  return name_of(*images_[tile(index).raster], tile(index).window);
}
std::string RasterTiles::mask_name(std::int64_t index) const {
  return name_of(*targets_[tile(index).raster], tile(index).window);
}

std::string RasterTiles::description() const {
  std::string text = preprocess_.tile > 0 ? fmt::format("tiles of {0} x {0} in {1}", preprocess_.tile, path_.string())
                                          : fmt::format("rasters in {}", path_.string());
  if (images_.size() > 1 && preprocess_.tile > 0) text += fmt::format(" ({} rasters)", images_.size());
  if (task_ == Task::kSegmentation) text += " with masks";
  if (task_ == Task::kRegression && !target_bands_.empty()) {
    std::vector<std::string> numbers;
    for (const std::int64_t band : target_bands_) numbers.push_back(std::to_string(band + 1));
    text += fmt::format(", to predict band{} {}", numbers.size() == 1 ? "" : "s", join(numbers, ", "));
  } else if (task_ == Task::kRegression) {
    text += fmt::format(", to predict {}", targets_[0]->path().filename().string());
  }
  if (task_ == Task::kNone) text += " without labels";
  if (!preprocess_.part.empty())
    text += fmt::format("; {} part, {} of {}", preprocess_.part, with_commas(size()), with_commas(grid_.all_tiles));
  return text;
}

std::uint64_t RasterTiles::fingerprint() const {
  std::string words = fmt::format("{} {} {} {} ", preprocess_.tile, preprocess_.tile_step, preprocess_.part,
                                  preprocess_.part.empty() ? 0 : preprocess_.test_share);
  for (const std::int64_t band : target_bands_) words += fmt::format("{} ", band);
  std::vector<fs::path> files;
  for (const auto* rasters : {&images_, &targets_})
    for (const auto& raster : *rasters) files.push_back(raster->path());
  if (images_.size() > 1) return hash_text(words + hash_word(fingerprint_of_files(path_, files)));
  for (const fs::path& file : files) words += hash_word(fingerprint_of_file(file));
  return hash_text(words);
}

}  // namespace

SourcePtr open_rasters(const fs::path& path, const Preprocess& preprocess) {
  std::vector<Scene> scenes = find_scenes(path);
  Task task = Task::kRegression;
  if (preprocess.target_bands.empty())
    task = task_of(scenes, path);
  else
    for (Scene& scene : scenes) scene.target.clear();
  return std::make_unique<RasterTiles>(path, scenes, task, preprocess);
}

}  // namespace pare::data
