// pare/dataset.h - labelled or unlabelled samples from what people have on disk, prepared as the network wants them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pare/graph.h"
#include "pare/session.h"
#include "pare/tensor.h"

namespace pare {

enum class Task { kNone, kClassification, kSegmentation, kRegression };
[[nodiscard]] std::string_view task_name(Task task) noexcept;

/// From stored pixels to the network's input: pick bands, resize, value * scale, then minus mean, over std, then
/// layout. Every key optional. As JSON: {"resize": [224, 224], "channels": "rgb", "scale": 0.00392156862745098, "mean":
/// [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "layout": "nchw", "bands": [4, 3, 2], "nodata": -9999}; several
/// inputs by name: {"inputs": {"image": {...}, "mask": {...}}}, beside which only "mask_values" may stand. Rasters as
/// many samples: {"tile": 64, "target_bands": [6], "part": "train"}.
struct Preprocess {
  /// Height, width; bilinear for images, nearest for masks.
  std::optional<std::pair<std::int64_t, std::int64_t>> resize = {};
  std::string channels = "rgb";                 ///< "rgb", "bgr", "gray"
  std::optional<double> scale = {};             ///< absent: 1
  std::vector<double> mean = {}, std_dev = {};  ///< one value, or one per channel; empty: 0 and 1
  std::string layout = {};                      ///< "nchw", "nhwc"; empty: as the network's input shape says
  std::vector<std::int64_t> bands = {};         ///< 1-based bands of a raster, in the order the network wants
  /// Pixels of this value (and NaN) become 0 after normalization; in masks: unlabelled.
  std::optional<double> nodata = {};
  /// The values in masks that are classes 0, 1, ...; every other value is unlabelled. Empty: the value is the class,
  /// and 255 is unlabelled. {1, 2}: value 1 is class 0, value 2 class 1, the rest (0, say) unlabelled.
  std::vector<std::int64_t> mask_values = {};
  /// Rasters are cut into squares of this many pixels, each a sample; what is left at the right and the bottom edge is
  /// not used. 0: an image is one sample.
  std::int64_t tile = 0;
  std::int64_t tile_step = 0;  ///< from one tile to the next; 0: `tile`, so that they do not overlap
  /// 1-based bands of a raster that are to be predicted: regression, as they are stored, NaN where there is no data.
  /// `bands` empty: all others are the input.
  std::vector<std::int64_t> target_bands = {};
  /// "train", "test", empty (all). Neighbouring tiles resemble each other, so whole blocks of tiles go to one part and
  /// tiles that lie across two are left out: no pixel is in both. Not written by preprocess_to_json(): it says nothing
  /// of the network, whose later evaluation would silently run on the training part.
  std::string part = {};
  double test_share = 0.25;  ///< of the tiles
  /// One description per input name; empty: this one serves every input.
  std::map<std::string, Preprocess> inputs = {};
  [[nodiscard]] bool operator==(const Preprocess&) const = default;
};
/// Throws Error(kInvalidArgument) naming the key ("preprocess: unknown key 'meen', nearest: 'mean'").
[[nodiscard]] Preprocess parse_preprocess(std::string_view json);
[[nodiscard]] std::string preprocess_to_json(const Preprocess& preprocess);
/// Metadata key under which the description travels in a model.
inline constexpr std::string_view kPreprocessKey = "pare.preprocess";

struct Batch {
  NamedTensors inputs;               ///< first dimension: samples
  std::vector<std::int64_t> labels;  ///< classification: one per sample; empty if there are none
  Tensor target;  ///< segmentation: int64 [N, H, W], -1 unlabelled; regression: float32 [N, ...]; else empty
  std::int64_t size = 0;
};

/// How one input of a batch lies in memory, as far as the data knows.
struct InputLayout {
  bool channels_last = false;       ///< [N, H, W, C], else [N, C, H, W]
  std::vector<float> padding = {};  ///< per channel: what stored black becomes (0 with "nodata"); empty: 0
};

/// Streams: nothing is held but paths, labels and small tables. All members may be called from several threads at once.
class Dataset {
 public:
  virtual ~Dataset() = default;
  [[nodiscard]] virtual Task task() const = 0;
  [[nodiscard]] virtual std::int64_t size() const = 0;
  [[nodiscard]] virtual std::vector<std::string> class_names() const = 0;  ///< empty if unknown
  /// How many classes the labels need: the number of names, else the largest label + 1 where labels are known without
  /// reading all samples; 0: unknown.
  [[nodiscard]] virtual std::int64_t class_count() const { return static_cast<std::int64_t>(class_names().size()); }
  /// Classification: the label of every sample, where that needs no pixels; else empty.
  [[nodiscard]] virtual std::vector<std::int64_t> labels() const { return {}; }
  /// Samples of the same number resemble each other (tiles of one block of a raster) and stay together when the data is
  /// split; empty: each stands for itself.
  [[nodiscard]] virtual std::vector<std::int64_t> groups() const { return {}; }
  [[nodiscard]] virtual InputLayout layout([[maybe_unused]] const std::string& input) const { return {}; }
  /// "30,000 images in train.bin.xz (CIFAR-10 binary)".
  [[nodiscard]] virtual std::string description() const = 0;
  /// Throws Error(kIo) naming the file that cannot be decoded, Error(kInvalidArgument) on an index out of range.
  [[nodiscard]] virtual Batch batch(std::span<const std::int64_t> indices) const = 0;
  /// Of the bytes and labels that the dataset is made of (paths and sizes for folders): same data, same text.
  [[nodiscard]] virtual std::string fingerprint() const = 0;
};

struct DatasetOptions {
  Preprocess preprocess = {};
  /// The inputs of the network that will read the samples: decides layout and size, and is checked against what the
  /// data has ("expected [N, 4, H, W], the images have 3 channels"). Empty: samples come as stored, float32 NCHW, under
  /// the name "x" (arrays: under their names).
  std::vector<ValueInfo> inputs = {};
  std::int64_t limit = 0;  ///< 0: all; else the first `limit` samples
  /// Class folders: the folders in the order of the network's outputs (a name without a folder is a class without
  /// samples, a folder without a name an error). Elsewhere: names for the labels 0, 1, ...
  std::vector<std::string> class_names = {};
};

/// Opens, by what is there: a folder with one subfolder per class; images/ beside masks/; CIFAR-10 binary (.bin,
/// .bin.xz); IDX (*-images*-ubyte, also .gz; the labels file beside it is found by name); .npy, .npz (x, y); a single
/// image or a folder of images without labels. With "tile" or "target_bands" images are rasters: a scene.tif, a folder
/// of them or images/ beside masks/; classes come from scene_mask.tif or scene_labels.tif, values from
/// scene_target.tif; "scene.tif#test" is its part "test". Throws Error(kIo, kInvalidArgument) saying what was found
/// instead and what is understood.
[[nodiscard]] std::unique_ptr<Dataset> open_dataset(const std::filesystem::path& path,
                                                    const DatasetOptions& options = {});

/// Random samples for timing and for tests only; results made with them are marked.
[[nodiscard]] std::unique_ptr<Dataset> random_dataset(const NamedTensors& like, std::int64_t size, std::uint64_t seed);

/// Some samples of another dataset, in a given order.
[[nodiscard]] std::unique_ptr<Dataset> subset(std::shared_ptr<const Dataset> dataset,
                                              std::vector<std::int64_t> indices);
/// `count` different indices below `size`, the same for the same seed, spread over the whole.
[[nodiscard]] std::vector<std::int64_t> sample_indices(std::int64_t size, std::int64_t count, std::uint64_t seed);

/// Walks a dataset once in order, decoding the next batches in worker threads while the caller works on this one.
class BatchReader {
 public:
  BatchReader(const Dataset& dataset, std::int64_t batch_size, int workers = 2);
  ~BatchReader();
  BatchReader(const BatchReader&) = delete;
  BatchReader& operator=(const BatchReader&) = delete;
  /// The next batch, nullopt at the end. An exception of a worker is rethrown here.
  std::optional<Batch> next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Running minimum, maximum, mean and deviation of what a network's input received; travels with a quantized model so
/// that a later evaluation can warn when its data looks different.
struct InputRange {
  double minimum = 0, maximum = 0, mean = 0, std_dev = 0;
  std::int64_t count = 0;
};
[[nodiscard]] InputRange measure_range(const Dataset& dataset, const std::string& input, std::int64_t samples = 64);
/// A sentence if `seen` does not look like `expected` (range beyond 1.5 times, means more than 3 deviations apart, or
/// less than an eighth of the deviation), else empty.
[[nodiscard]] std::string range_warning(const InputRange& expected, const InputRange& seen);
/// Metadata key under which the range of the calibration input travels in a model, as JSON.
inline constexpr std::string_view kInputRangeKey = "pare.input_range";
[[nodiscard]] std::string range_to_json(const InputRange& range);
/// Throws Error(kMalformedModel).
[[nodiscard]] InputRange parse_range(std::string_view json);

}  // namespace pare
