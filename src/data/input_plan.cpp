#include "data/input_plan.h"

#include <algorithm>

#include "core/fail.h"
#include "core/words.h"

namespace pare::data {
namespace {

std::string dims_text(const std::vector<Dim>& dims) {
  std::vector<std::string> words;
  for (const Dim& dim : dims)
    words.push_back(dim.value ? std::to_string(*dim.value) : dim.symbol.empty() ? "?" : dim.symbol);
  return "[" + join(words, ", ") + "]";
}

}  // namespace

InputPlan::InputPlan(std::string name, Preprocess preprocess, const ValueInfo* wanted, const Image& first)
    : name_(std::move(name)), preprocess_(std::move(preprocess)) {
  if (wanted != nullptr && wanted->shape) {
    wanted_.known = true;
    wanted_.text = dims_text(*wanted->shape);
    for (std::size_t i = 1; i < wanted->shape->size(); ++i) wanted_.dims.push_back((*wanted->shape)[i].value);
  }
  if (first.channels * first.pixel_count() == 0)
    fail(ErrorCode::kInvalidArgument, "the samples are {}: they hold no values", first.size_text());
  decide_layout(first);
  check_lengths();
  decide_type(first, wanted == nullptr || wanted->dtype == DType::kUndefined ? DType::kFloat32 : wanted->dtype);
  make_tables();
  (void)shape_of(first, "the first sample");
}

bool InputPlan::normalizes() const {
  return preprocess_.scale || preprocess_.nodata || !preprocess_.mean.empty() || !preprocess_.std_dev.empty();
}

void InputPlan::decide_type(const Image& first, DType wanted) {
  dtype_ = wanted;
  if (is_float(wanted)) return;
  if (normalizes() || mixes_gray(first))
    fail(ErrorCode::kInvalidArgument,
         "the network's input '{}' is {}: it takes values as they are stored, so scale, mean, std, nodata and gray do "
         "not apply\n"
         "  remedy: leave them out of the preprocess file",
         name_, dtype_name(wanted));
  if (wanted != first.dtype)
    fail(ErrorCode::kInvalidArgument, "the network's input '{}' is {}, the samples are {}\n  remedy: store them as {}",
         name_, dtype_name(wanted), dtype_name(first.dtype), dtype_name(wanted));
  if (preprocess_.resize && wanted != DType::kUint8)
    fail(ErrorCode::kInvalidArgument, "the network's input '{}' is {}: samples of that type are not resized", name_,
         dtype_name(wanted));
}

bool InputPlan::mixes_gray(const Image& image) const {
  return preprocess_.bands.empty() && preprocess_.channels == "gray" && image.array_shape.empty() &&
         image.channels - (image.alpha >= 0 ? 1 : 0) == 3;
}

/// Stored channels in the network's order, or nothing if this image cannot give `target` channels.
std::optional<std::vector<std::int64_t>> InputPlan::channels_for(const Image& image, std::int64_t target) const {
  std::vector<std::int64_t> sources;
  if (!preprocess_.bands.empty()) {
    for (const std::int64_t band : preprocess_.bands) sources.push_back(band - 1);
    const bool all_there = *std::max_element(sources.begin(), sources.end()) < image.channels;
    if (!all_there || static_cast<std::int64_t>(sources.size()) != target) return std::nullopt;
    return sources;
  }
  for (std::int64_t i = 0; i < image.channels; ++i)
    if (i != image.alpha || image.channels == target) sources.push_back(i);
  if (mixes_gray(image)) {
    if (target == 1) return sources;
    return std::nullopt;
  }
  if (image.photo && sources.size() == 1 && target == 3) sources = {sources[0], sources[0], sources[0]};
  if (static_cast<std::int64_t>(sources.size()) != target) return std::nullopt;
  if (preprocess_.channels == "gray" && image.array_shape.empty() && target != 1) return std::nullopt;
  if (preprocess_.channels == "bgr" && target == 3) std::reverse(sources.begin(), sources.end());
  return sources;
}

std::int64_t InputPlan::natural_channels(const Image& image) const {
  if (!preprocess_.bands.empty()) return static_cast<std::int64_t>(preprocess_.bands.size());
  if (preprocess_.channels == "gray" && image.array_shape.empty()) return 1;
  return image.channels - (image.alpha >= 0 ? 1 : 0);
}

// NCHW or NHWC: by the description, else by where the network's shape has a number of channels that the data can give.
void InputPlan::decide_layout(const Image& first) {
  channels_ = natural_channels(first);
  channels_last_ = preprocess_.layout == "nhwc";
  const bool image_input = wanted_.known && wanted_.dims.size() == 3 && first.array_shape.empty();
  if (!image_input) {
    if (!channels_for(first, channels_)) fail_channels(first, "the samples");
    return;
  }
  const std::optional<std::int64_t> front = wanted_.dims[0], back = wanted_.dims[2];
  const auto can_give = [&](const std::optional<std::int64_t>& target) {
    return target && channels_for(first, *target);
  };
  if (preprocess_.layout.empty()) {
    const auto looks_like_channels = [](std::optional<std::int64_t> dim) {
      return dim && (*dim == 1 || *dim == 3 || *dim == 4);
    };
    channels_last_ = !can_give(front) && (can_give(back) || (looks_like_channels(back) && !looks_like_channels(front)));
  }
  wanted_.channels = channels_last_ ? back : front;
  wanted_.height = channels_last_ ? wanted_.dims[0] : wanted_.dims[1];
  wanted_.width = channels_last_ ? wanted_.dims[1] : wanted_.dims[2];
  if (wanted_.channels) channels_ = *wanted_.channels;
  if (!channels_for(first, channels_)) fail_channels(first, "the samples");
}

void InputPlan::fail_channels(const Image& image, const std::string& what) const {
  if (!preprocess_.bands.empty()) {
    const std::int64_t largest = *std::max_element(preprocess_.bands.begin(), preprocess_.bands.end());
    if (largest > image.channels)
      fail(ErrorCode::kInvalidArgument, "preprocess asks for band {}, {} has {} bands", largest, what, image.channels);
  }
  std::string has = fmt::format("{} channel{}", image.channels, image.channels == 1 ? "" : "s");
  if (image.alpha >= 0) has += fmt::format(" (channel {} is alpha)", image.alpha + 1);
  if (!preprocess_.bands.empty()) has = fmt::format("{} chosen bands of {}", preprocess_.bands.size(), image.channels);
  std::string remedy = "choose bands: add \"bands\": [1, 2, ...] to the preprocess file";
  if (channels_ == 1 && image.channels >= 3) remedy = "add \"channels\": \"gray\" to the preprocess file";
  if (preprocess_.channels == "gray")
    remedy = "\"channels\": \"gray\" needs 1 or 3 stored channels and a network that takes one";
  if (!wanted_.known)
    fail(ErrorCode::kInvalidArgument, "the preprocess description does not fit: {} has {}\n  remedy: {}", what, has,
         remedy);
  fail(ErrorCode::kInvalidArgument, "the network's input '{}' wants {} ({} channels), {} has {}\n  remedy: {}", name_,
       wanted_.text, channels_, what, has, remedy);
}

void InputPlan::check_lengths() const {
  const auto check = [&](const char* key, const std::vector<double>& values) {
    const auto count = static_cast<std::int64_t>(values.size());
    if (count > 1 && count != channels_)
      fail(ErrorCode::kInvalidArgument, "preprocess: '{}' has {} values, the samples have {} channel{}", key, count,
           channels_, channels_ == 1 ? "" : "s");
  };
  check("mean", preprocess_.mean);
  check("std", preprocess_.std_dev);
}

PlaneSize InputPlan::size_of(const Image& image) const {
  if (!preprocess_.resize) return {image.height, image.width};
  return {preprocess_.resize->first, preprocess_.resize->second};
}

void InputPlan::check_size(const Image& image, const std::string& what, const PlaneSize& size) const {
  if ((!wanted_.height || *wanted_.height == size.height) && (!wanted_.width || *wanted_.width == size.width)) return;
  if (preprocess_.resize)
    fail(ErrorCode::kInvalidArgument, "the network's input '{}' wants {}, the preprocess file resizes to {} x {}",
         name_, wanted_.text, size.height, size.width);
  fail(ErrorCode::kInvalidArgument,
       "the network's input '{}' wants {}, {} is {}\n  remedy: add \"resize\": [{}, {}] to the preprocess file", name_,
       wanted_.text, what, image.size_text(), wanted_.height.value_or(size.height), wanted_.width.value_or(size.width));
}

Shape InputPlan::shape_of(const Image& image, const std::string& what) const {
  if (!channels_for(image, channels_)) fail_channels(image, what);
  if (!is_float(dtype_) && image.dtype != dtype_)
    fail(ErrorCode::kInvalidArgument, "the network's input '{}' is {}, {} is {}", name_, dtype_name(dtype_), what,
         dtype_name(image.dtype));
  Shape shape;
  if (image.array_shape.empty()) {
    const PlaneSize size = size_of(image);
    check_size(image, what, size);
    shape = channels_last_ ? Shape{size.height, size.width, channels_} : Shape{channels_, size.height, size.width};
  } else {
    if (preprocess_.resize)
      fail(ErrorCode::kInvalidArgument, "preprocess: 'resize' needs images, {} is {}", what, image.size_text());
    shape = image.array_shape;
    shape[0] = channels_;
  }
  if (!wanted_.known) return shape;
  const std::int64_t count = element_count(shape);
  bool same = shape.size() == wanted_.dims.size();
  for (std::size_t i = 0; same && i < shape.size(); ++i) same = !wanted_.dims[i] || *wanted_.dims[i] == shape[i];
  if (same) return shape;
  // Otherwise the values may be the same in another shape: an image for [N, features], or [features] for an image.
  Shape reshaped;
  for (const auto& dim : wanted_.dims) reshaped.push_back(dim.value_or(wanted_.dims.size() == 1 ? count : -1));
  const bool open = std::find(reshaped.begin(), reshaped.end(), -1) != reshaped.end();
  const bool flat = shape.size() == 1 || reshaped.size() == 1;
  if (!open && flat && element_count(reshaped) == count) return reshaped;
  fail(ErrorCode::kInvalidArgument, "the network's input '{}' wants {}, {} is {}: {} values", name_, wanted_.text, what,
       image.size_text(), with_commas(count));
}

}  // namespace pare::data
