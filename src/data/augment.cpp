#include "pare/augment.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include "core/fail.h"
#include "data/hash.h"
#include "data/warp.h"

namespace pare {
namespace {

using data::Planes;
using data::Warp;

/// A few numbers that depend on a seed and an index alone (SplitMix64). core's Rng would fill 312 words for each
/// sample.
class Draws {
 public:
  Draws(std::uint64_t seed, std::int64_t index) : state_(mixed(seed) ^ static_cast<std::uint64_t>(index)) {}
  std::uint64_t bits() { return mixed(state_ += 0x9E3779B97F4A7C15ULL); }
  std::int64_t below(std::int64_t bound) {
    return static_cast<std::int64_t>(bits() % static_cast<std::uint64_t>(bound));
  }

 private:
  static std::uint64_t mixed(std::uint64_t word) {
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9ULL;
    word = (word ^ (word >> 27)) * 0x94D049BB133111EBULL;
    return word ^ (word >> 31);
  }
  std::uint64_t state_;
};

/// What happens to one sample; the hole's centre as a share of the image, in 1 / 2^32.
struct Change {
  Warp warp;
  std::uint64_t hole_y = 0, hole_x = 0;
};

Change change_of(const AugmentOptions& options, std::uint64_t seed, std::int64_t index) {
  Draws draws(seed, index);
  const std::uint64_t coins = draws.bits();
  const bool across = options.horizontal_flip && (coins & 1) != 0, upright = options.vertical_flip && (coins & 2) != 0;
  const std::int64_t quarters = options.rotate90 ? static_cast<std::int64_t>(coins >> 2 & 3) : 0;
  Change change{.warp = data::turn_and_flip(quarters, across, upright)};
  change.warp.reflect = options.reflect;
  if (options.crop > 0) {
    change.warp.down = draws.below(2 * options.crop + 1) - options.crop;
    change.warp.right = draws.below(2 * options.crop + 1) - options.crop;
  }
  if (options.cutout > 0) change.hole_y = draws.bits() >> 32, change.hole_x = draws.bits() >> 32;
  return change;
}

/// A whole batch of planes, and what fills the outside.
struct Block {
  const Tensor& tensor;
  Planes planes;
  std::vector<std::byte> fill;
};

std::string size_text(const Planes& planes) { return fmt::format("{} x {}", planes.height, planes.width); }

/// [N, H, W], [N, C, H, W] or, `channels_last`, [N, H, W, C].
Planes planes_of(const Tensor& tensor, bool channels_last, const std::string& what) {
  const Shape& shape = tensor.shape();
  if (dtype_bits(tensor.dtype()) < 8)
    fail(ErrorCode::kUnsupported, "{} is {}: it cannot be augmented", what, dtype_name(tensor.dtype()));
  const std::int64_t element = dtype_bits(tensor.dtype()) / 8;
  if (shape.size() == 3) return {1, shape[1], shape[2], element};
  if (channels_last) return {1, shape[1], shape[2], shape[3] * element};
  return {shape[1], shape[2], shape[3], element};
}

template <class T>
void append(std::vector<std::byte>& bytes, T value) {
  const auto* raw = reinterpret_cast<const std::byte*>(&value);
  bytes.insert(bytes.end(), raw, raw + sizeof value);
}

void append_as(DType dtype, float value, std::vector<std::byte>& bytes) {
  switch (dtype) {
    case DType::kFloat32:
      return append(bytes, value);
    case DType::kFloat64:
      return append(bytes, static_cast<double>(value));
    case DType::kFloat16:
      return append(bytes, float_to_half(value));
    case DType::kBFloat16:
      return append(bytes, float_to_bfloat16(value));
    default:  // whole numbers as they are stored: black is 0
      bytes.insert(bytes.end(), static_cast<std::size_t>(dtype_bits(dtype) / 8), std::byte{0});
  }
}

class Augmented final : public Dataset {
 public:
  Augmented(std::shared_ptr<const Dataset> whole, const AugmentOptions& options, std::uint64_t seed)
      : whole_(std::move(whole)), options_(options), seed_(seed) {
    if (options.crop < 0 || options.cutout < 0)
      fail(ErrorCode::kInvalidArgument, "augment: crop {} and cutout {} are numbers of pixels, 0 for none",
           options.crop, options.cutout);
  }
  [[nodiscard]] Task task() const override { return whole_->task(); }
  [[nodiscard]] std::int64_t size() const override { return whole_->size(); }
  [[nodiscard]] std::vector<std::string> class_names() const override { return whole_->class_names(); }
  [[nodiscard]] std::int64_t class_count() const override { return whole_->class_count(); }
  [[nodiscard]] std::vector<std::int64_t> labels() const override { return whole_->labels(); }
  [[nodiscard]] std::vector<std::int64_t> groups() const override { return whole_->groups(); }
  [[nodiscard]] InputLayout layout(const std::string& input) const override { return whole_->layout(input); }
  [[nodiscard]] std::string description() const override {
    return fmt::format("{} ({})", whole_->description(), augment_text(options_));
  }
  [[nodiscard]] std::string fingerprint() const override {
    return data::hash_word(
        data::hash_text(fmt::format("{} {} {}", whole_->fingerprint(), augment_text(options_), seed_)));
  }
  [[nodiscard]] Batch batch(std::span<const std::int64_t> indices) const override;

 private:
  [[nodiscard]] bool moves() const {
    return options_.crop > 0 || options_.horizontal_flip || options_.vertical_flip || options_.rotate90;
  }
  [[nodiscard]] Block input_block(const std::string& name, const Tensor& tensor) const;
  [[nodiscard]] std::optional<Block> target_block(const Tensor& target, const Planes& image, bool channels_last) const;
  void check(const Planes& planes, const std::string& what) const;
  [[nodiscard]] Tensor changed(const Block& block, const std::vector<Change>& changes, bool is_input) const;
  void cut_hole(const Planes& planes, const Change& change, std::byte* sample) const;

  std::shared_ptr<const Dataset> whole_;
  AugmentOptions options_;
  std::uint64_t seed_;
};

void Augmented::check(const Planes& planes, const std::string& what) const {
  if (options_.rotate90 && planes.height != planes.width)
    fail(ErrorCode::kInvalidArgument, "augment: rot90 needs squares, {} is {}\n  remedy: leave rot90 out", what,
         size_text(planes));
  if (options_.crop >= std::min(planes.height, planes.width) && options_.crop > 0)
    fail(ErrorCode::kInvalidArgument, "augment: a border of {} pixels to crop from, {} is {}", options_.crop, what,
         size_text(planes));
}

Block Augmented::input_block(const std::string& name, const Tensor& tensor) const {
  const std::string what = fmt::format("input '{}'", name);
  const InputLayout layout = whole_->layout(name);
  Block block{tensor, planes_of(tensor, layout.channels_last, what), {}};
  check(block.planes, what);
  const std::int64_t channels = tensor.shape()[layout.channels_last ? 3 : 1];
  const bool known = static_cast<std::int64_t>(layout.padding.size()) == channels;
  for (std::int64_t channel = 0; channel < channels; ++channel)
    append_as(tensor.dtype(), known ? layout.padding[static_cast<std::size_t>(channel)] : 0, block.fill);
  return block;
}

/// Nothing if the target is numbers, not maps.
std::optional<Block> Augmented::target_block(const Tensor& target, const Planes& image, bool channels_last) const {
  const Shape& shape = target.shape();
  if (target.empty() || shape.size() < 3 || element_count(Shape(shape.begin() + 1, shape.end())) == 1)
    return std::nullopt;
  const std::string what = fmt::format("the target {}", shape_text(shape));
  const auto fits = [&](const Planes& planes) {
    return planes.height * image.width == planes.width * image.height && planes.height > 0;
  };
  std::optional<Planes> planes;
  if (shape.size() <= 4) planes = planes_of(target, false, what);
  if (shape.size() == 4 && (!fits(*planes) || (channels_last && shape[1] == image.height && shape[2] == image.width)))
    planes = planes_of(target, true, what);
  if (!planes || !fits(*planes))
    fail(ErrorCode::kInvalidArgument,
         "augment: {} is no map of images of {}, so it cannot move with them\n  remedy: leave crop, flips and turns "
         "out",
         what, size_text(image));
  if (options_.crop > 0 && (planes->height != image.height || planes->width != image.width))
    fail(ErrorCode::kInvalidArgument,
         "augment: crop needs a target of the image's size {}, {} is {}\n  remedy: leave "
         "crop out",
         size_text(image), what, size_text(*planes));
  Block block{target, *planes, {}};
  const DType dtype = target.dtype();
  const std::int64_t each = planes->cell / (dtype_bits(dtype) / 8) * planes->count;
  for (std::int64_t i = 0; i < each; ++i) {
    if (dtype == DType::kInt64)
      append(block.fill, std::int64_t{-1});
    else if (is_float(dtype))
      append_as(dtype, std::numeric_limits<float>::quiet_NaN(), block.fill);
    else
      fail(ErrorCode::kUnsupported, "augment: {} is {}, expected int64 classes or float values", what,
           dtype_name(dtype));
  }
  return block;
}

void Augmented::cut_hole(const Planes& planes, const Change& change, std::byte* sample) const {
  const auto span = [&](std::uint64_t share, std::int64_t size) {
    const auto start = static_cast<std::int64_t>(share * static_cast<std::uint64_t>(size) >> 32) - options_.cutout / 2;
    return std::pair(std::max<std::int64_t>(start, 0), std::min(start + options_.cutout, size));
  };
  const auto [top, bottom] = span(change.hole_y, planes.height);
  const auto [left, right] = span(change.hole_x, planes.width);
  for (std::int64_t plane = 0; plane < planes.count; ++plane)
    for (std::int64_t y = top; y < bottom; ++y)
      std::memset(sample + ((plane * planes.height + y) * planes.width + left) * planes.cell, 0,
                  static_cast<std::size_t>((right - left) * planes.cell));
}

Tensor Augmented::changed(const Block& block, const std::vector<Change>& changes, bool is_input) const {
  const std::int64_t each = block.planes.size_bytes();
  const auto total = static_cast<std::size_t>(block.tensor.size_bytes());
  const auto bytes = std::make_shared_for_overwrite<std::byte[]>(total);
  const std::byte* in = block.tensor.bytes().data();
  std::byte* out = bytes.get();
  for (const Change& change : changes) {
    data::warp(block.planes, change.warp, block.fill, in, out);
    if (is_input && options_.cutout > 0) cut_hole(block.planes, change, out);
    in += each, out += each;
  }
  return Tensor::view(block.tensor.dtype(), block.tensor.shape(), bytes, {bytes.get(), total});
}

Batch Augmented::batch(std::span<const std::int64_t> indices) const {
  Batch batch = whole_->batch(indices);
  if (options_ == AugmentOptions{.reflect = options_.reflect}) return batch;
  std::vector<Change> changes;
  changes.reserve(indices.size());
  for (const std::int64_t index : indices) changes.push_back(change_of(options_, seed_, index));
  std::optional<Planes> image;
  bool channels_last = false;
  for (auto& [name, tensor] : batch.inputs) {
    if (tensor.rank() != 4) continue;
    const Block block = input_block(name, tensor);
    if (image && options_.crop > 0 && (image->height != block.planes.height || image->width != block.planes.width))
      fail(ErrorCode::kInvalidArgument,
           "augment: crop needs inputs of one size, input '{}' is {}, another {}\n  remedy: leave crop out", name,
           size_text(block.planes), size_text(*image));
    if (!image) image = block.planes, channels_last = whole_->layout(name).channels_last;
    tensor = changed(block, changes, true);
  }
  if (!image)
    fail(ErrorCode::kInvalidArgument,
         "augment: {} has no input of images ([N, C, H, W] or [N, H, W, C])\n  remedy: augment none",
         whole_->description());
  if (!moves()) return batch;
  if (const auto target = target_block(batch.target, *image, channels_last))
    batch.target = changed(*target, changes, false);
  return batch;
}

}  // namespace

std::unique_ptr<Dataset> augmented(std::shared_ptr<const Dataset> dataset, const AugmentOptions& options,
                                   std::uint64_t seed) {
  return std::make_unique<Augmented>(std::move(dataset), options, seed);
}

}  // namespace pare
