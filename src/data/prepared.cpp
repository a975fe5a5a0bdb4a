// Samples of any source, prepared by one plan per input of the network.
#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "core/fail.h"
#include "core/words.h"
#include "data/hash.h"
#include "data/input_plan.h"
#include "data/source.h"

namespace pare::data {
namespace {

constexpr std::int64_t kUnlabelled = -1, kIgnoredMaskValue = 255;

std::string quoted_names(const std::vector<std::string>& names) { return "'" + join(names, "', '") + "'"; }

class PreparedDataset final : public Dataset {
 public:
  PreparedDataset(SourcePtr source, const DatasetOptions& options);
  [[nodiscard]] Task task() const override { return source_->task(); }
  [[nodiscard]] std::int64_t size() const override { return size_; }
  [[nodiscard]] std::vector<std::string> class_names() const override { return class_names_; }
  [[nodiscard]] std::int64_t class_count() const override;
  [[nodiscard]] std::vector<std::int64_t> labels() const override;
  [[nodiscard]] std::vector<std::int64_t> groups() const override;
  [[nodiscard]] InputLayout layout(const std::string& input) const override;
  [[nodiscard]] std::string description() const override;
  [[nodiscard]] Batch batch(std::span<const std::int64_t> indices) const override;
  [[nodiscard]] std::string fingerprint() const override;

 private:
  struct Part {
    std::size_t index = 0;  ///< into Source::parts()
    InputPlan plan;
  };
  void make_parts(const DatasetOptions& options);
  void check_binary_masks() const;
  /// One input of a batch, and how large each image was before it was resized.
  struct Prepared {
    Tensor tensor;
    std::vector<PlaneSize> stored_sizes;
  };
  [[nodiscard]] Prepared inputs_of(const Part& part, std::span<const std::int64_t> indices) const;
  [[nodiscard]] std::int64_t label_of(std::int64_t index) const;
  struct Mask {
    std::vector<std::int64_t> labels;
    PlaneSize size;
  };
  [[nodiscard]] Mask mask_of(std::int64_t index, PlaneSize image_size) const;
  [[nodiscard]] Tensor masks_of(std::span<const std::int64_t> indices, const std::vector<PlaneSize>& image_sizes) const;
  [[nodiscard]] Tensor regression_of(std::span<const std::int64_t> indices) const;
  void map_labels(std::vector<std::int64_t>& labels, std::int64_t index) const;

  SourcePtr source_;
  Preprocess preprocess_;
  std::int64_t size_ = 0;
  std::vector<std::string> class_names_;
  std::vector<Part> parts_;
  std::optional<double> mask_nodata_;  ///< of the description; what the image's file declares says nothing of masks
};

PreparedDataset::PreparedDataset(SourcePtr source, const DatasetOptions& options)
    : source_(std::move(source)), preprocess_(options.preprocess), size_(source_->size()) {
  if (options.limit < 0) fail(ErrorCode::kInvalidArgument, "a limit of {} samples", options.limit);
  if (options.limit > 0) size_ = std::min(size_, options.limit);
  class_names_ = options.class_names.empty() ? source_->class_names() : options.class_names;
  const auto names = static_cast<std::int64_t>(class_names_.size());
  if (names > 0 && names < source_->class_count())
    fail(ErrorCode::kInvalidArgument, "{} class names were given, the labels of {} need {}", names,
         source_->description(), source_->class_count());
  if (task() == Task::kSegmentation && names > 0 && !preprocess_.mask_values.empty() &&
      names != static_cast<std::int64_t>(preprocess_.mask_values.size()))
    fail(ErrorCode::kInvalidArgument, "{} class names were given, 'mask_values' lists {} classes", names,
         preprocess_.mask_values.size());
  make_parts(options);
  if (task() == Task::kSegmentation) check_binary_masks();
}

void PreparedDataset::make_parts(const DatasetOptions& options) {
  const std::vector<std::string> parts = source_->parts();
  std::vector<std::string> input_names;
  for (const ValueInfo& input : options.inputs) input_names.push_back(input.name);
  const std::vector<std::string>& known = input_names.empty() ? parts : input_names;
  for (const auto& [name, description] : preprocess_.inputs)
    if (std::find(known.begin(), known.end(), name) == known.end())
      fail(ErrorCode::kInvalidArgument, "preprocess: there is no input '{}'{}\n  known: {}", name,
           nearest_hint(name, known), quoted_names(known));
  const auto description_for = [&](const std::string& name) {
    const auto found = preprocess_.inputs.find(name);
    Preprocess chosen = preprocess_.inputs.empty()          ? preprocess_
                        : found == preprocess_.inputs.end() ? Preprocess{}
                                                            : found->second;
    if (source_->chooses_bands() && !chosen.bands.empty()) chosen.bands.clear(), chosen.channels = "rgb";
    return chosen;
  };
  const auto with_nodata = [&](Preprocess chosen, DType wanted) {
    if (!chosen.nodata && is_float(wanted)) chosen.nodata = source_->nodata();
    return chosen;
  };
  mask_nodata_ = description_for(input_names.empty() ? parts[0] : input_names[0]).nodata;
  if (options.inputs.empty()) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const std::string name = parts[i].empty() ? "x" : parts[i];
      parts_.push_back(
          {i, InputPlan(name, with_nodata(description_for(name), DType::kFloat32), nullptr, source_->first(i))});
    }
    return;
  }
  for (const ValueInfo& input : options.inputs) {
    auto found = std::find(parts.begin(), parts.end(), input.name);
    if (found == parts.end() && options.inputs.size() == 1 && parts.size() == 1) found = parts.begin();
    if (found == parts.end()) {
      if (parts.size() == 1 && parts[0].empty())
        fail(ErrorCode::kInvalidArgument,
             "the network has {} inputs ({}), {} give one\n  remedy: an .npz file with one array per input, named as "
             "they are",
             options.inputs.size(), quoted_names(input_names), source_->description());
      fail(ErrorCode::kInvalidArgument, "no array '{}' for the network's input of that name{}\n  found: {}", input.name,
           nearest_hint(input.name, parts), quoted_names(parts));
    }
    const auto index = static_cast<std::size_t>(found - parts.begin());
    parts_.push_back({index, InputPlan(input.name, with_nodata(description_for(input.name), input.dtype), &input,
                                       source_->first(index))});
  }
}

// Masks of 0 and 255 alone: is 255 the second class, or unlabelled? Guessing would silently train or measure nonsense.
void PreparedDataset::check_binary_masks() const {
  if (!preprocess_.mask_values.empty()) return;
  bool seen_ignored = false;
  for (std::int64_t index = 0; index < std::min<std::int64_t>(size_, 4); ++index) {
    for (const std::int64_t value : read_labels(source_->mask(index), source_->mask_name(index))) {
      if (value != 0 && value != kIgnoredMaskValue) return;
      seen_ignored = seen_ignored || value == kIgnoredMaskValue;
    }
  }
  if (seen_ignored)
    fail(ErrorCode::kInvalidArgument,
         "the masks of {} hold only 0 and 255; 255 usually means unlabelled\n  remedy: add \"mask_values\": [0, 255] "
         "to the "
         "preprocess file if 255 is a class, \"mask_values\": [0] if it is not",
         source_->description());
}

std::int64_t PreparedDataset::class_count() const {
  if (!class_names_.empty()) return static_cast<std::int64_t>(class_names_.size());
  if (task() == Task::kSegmentation && !preprocess_.mask_values.empty())
    return static_cast<std::int64_t>(preprocess_.mask_values.size());
  return source_->class_count();
}

std::vector<std::int64_t> PreparedDataset::labels() const {
  std::vector<std::int64_t> labels;
  if (task() != Task::kClassification) return labels;
  labels.reserve(static_cast<std::size_t>(size_));
  for (std::int64_t index = 0; index < size_; ++index) labels.push_back(label_of(index));
  return labels;
}

std::vector<std::int64_t> PreparedDataset::groups() const {
  std::vector<std::int64_t> groups = source_->groups();
  if (static_cast<std::int64_t>(groups.size()) > size_) groups.resize(static_cast<std::size_t>(size_));
  return groups;
}

InputLayout PreparedDataset::layout(const std::string& input) const {
  for (const Part& part : parts_)
    if (part.plan.name() == input) return part.plan.layout();
  return {};
}

std::string PreparedDataset::description() const {
  const std::string rest = source_->description();
  if (size_ == source_->size()) return with_commas(size_) + " " + rest;
  return fmt::format("the first {} of {} {}", with_commas(size_), with_commas(source_->size()), rest);
}

std::string PreparedDataset::fingerprint() const {
  return hash_word(hash_text(fmt::format("{} {} {} {}", task_name(task()), size_, hash_word(source_->fingerprint()),
                                         join(class_names_, "\n"))));
}

PreparedDataset::Prepared PreparedDataset::inputs_of(const Part& part, std::span<const std::int64_t> indices) const {
  Prepared prepared;
  Shape shape;
  std::vector<std::byte> bytes;
  std::size_t each = 0;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const Image image = source_->image(indices[i], part.index);
    const Shape one = part.plan.shape_of(image, source_->sample_name(indices[i]));
    if (i == 0) {
      shape = one;
      each = static_cast<std::size_t>(element_count(one) * dtype_bits(part.plan.dtype()) / 8);
      bytes.resize(each * indices.size());
    } else if (one != shape) {
      fail(ErrorCode::kInvalidArgument,
           "{} is {}, {} in the same batch gives {}\n  remedy: add \"resize\": [height, width] to the preprocess file, "
           "or use "
           "batches of 1",
           source_->sample_name(indices[i]), image.size_text(), source_->sample_name(indices[0]), shape_text(shape));
    }
    part.plan.write(image, bytes.data() + i * each);
    prepared.stored_sizes.push_back({image.height, image.width});
  }
  shape.insert(shape.begin(), static_cast<std::int64_t>(indices.size()));
  prepared.tensor = Tensor::from_bytes(part.plan.dtype(), std::move(shape), std::move(bytes));
  return prepared;
}

std::int64_t PreparedDataset::label_of(std::int64_t index) const {
  const std::int64_t label = source_->label(index);
  const std::int64_t count = class_count();
  if (label < 0 || (count > 0 && label >= count))
    fail(ErrorCode::kInvalidArgument, "{} has label {}, the classes are 0 to {}", source_->sample_name(index), label,
         count - 1);
  return label;
}

void PreparedDataset::map_labels(std::vector<std::int64_t>& labels, std::int64_t index) const {
  const std::vector<std::int64_t>& values = preprocess_.mask_values;
  const std::int64_t count = class_count();
  for (std::int64_t& label : labels) {
    if (!values.empty()) {
      const auto found = std::find(values.begin(), values.end(), label);
      label = found == values.end() ? kUnlabelled : found - values.begin();
      continue;
    }
    const bool nodata = mask_nodata_ && static_cast<double>(label) == *mask_nodata_;
    if (label == kIgnoredMaskValue || label == kUnlabelled || nodata)
      label = kUnlabelled;
    else if (label < 0 || (count > 0 && label >= count))
      fail(ErrorCode::kInvalidArgument,
           "{} holds {}, the classes are 0 to {}\n  remedy: say with \"mask_values\" in the preprocess file which "
           "values are "
           "classes",
           source_->mask_name(index), label, count - 1);
  }
}

PreparedDataset::Mask PreparedDataset::mask_of(std::int64_t index, PlaneSize image_size) const {
  const Image stored = source_->mask(index);
  const PlaneSize size{stored.height, stored.width};
  if (stored.pixel_count() == 0) fail(ErrorCode::kInvalidArgument, "{} is empty", source_->mask_name(index));
  if (source_->masks_fit_images() && size != image_size)
    fail(ErrorCode::kInvalidArgument, "{} is {} x {}, its image {} x {}", source_->mask_name(index), size.height,
         size.width, image_size.height, image_size.width);
  std::vector<std::int64_t> labels = read_labels(stored, source_->mask_name(index));
  map_labels(labels, index);
  const auto& resize = parts_[0].plan.preprocess().resize;
  const PlaneSize wanted = resize ? PlaneSize{resize->first, resize->second} : size;
  return {resize_nearest(labels, size, wanted), wanted};
}

Tensor PreparedDataset::masks_of(std::span<const std::int64_t> indices,
                                 const std::vector<PlaneSize>& image_sizes) const {
  std::vector<std::int64_t> labels;
  PlaneSize size;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const Mask mask = mask_of(indices[i], image_sizes[i]);
    if (i == 0) size = mask.size;
    if (mask.size != size)
      fail(ErrorCode::kInvalidArgument,
           "{} is {} x {}, {} in the same batch {} x {}\n  remedy: add \"resize\": [height, width] to the preprocess "
           "file",
           source_->mask_name(indices[i]), mask.size.height, mask.size.width, source_->mask_name(indices[0]),
           size.height, size.width);
    labels.insert(labels.end(), mask.labels.begin(), mask.labels.end());
  }
  return Tensor::of<std::int64_t>({static_cast<std::int64_t>(indices.size()), size.height, size.width}, labels);
}

Tensor PreparedDataset::regression_of(std::span<const std::int64_t> indices) const {
  std::vector<float> values;
  Shape shape;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const Tensor one = source_->regression_target(indices[i]);
    if (i == 0) shape = one.shape();
    if (one.shape() != shape)
      fail(ErrorCode::kInvalidArgument,
           "the target of {} is {}, that of {} in the same batch {}\n  remedy: add \"tile\" to the preprocess file, or "
           "use batches of 1",
           source_->sample_name(indices[i]), shape_text(one.shape()), source_->sample_name(indices[0]),
           shape_text(shape));
    const std::span<const float> floats = one.data<float>();
    if (i == 0) values.reserve(floats.size() * indices.size());
    values.insert(values.end(), floats.begin(), floats.end());
  }
  // 0 marks the black border of images; in what is to be predicted it is a value like any other.
  if (source_->nodata_in_targets() && mask_nodata_ && *mask_nodata_ != 0)
    std::replace(values.begin(), values.end(), static_cast<float>(*mask_nodata_),
                 std::numeric_limits<float>::quiet_NaN());
  shape.insert(shape.begin(), static_cast<std::int64_t>(indices.size()));
  return Tensor::of<float>(std::move(shape), values);
}

Batch PreparedDataset::batch(std::span<const std::int64_t> indices) const {
  if (indices.empty()) fail(ErrorCode::kInvalidArgument, "a batch of no samples was asked for");
  for (const std::int64_t index : indices)
    if (index < 0 || index >= size_)
      fail(ErrorCode::kInvalidArgument, "sample {} was asked for, the data has {} samples", index, size_);
  Batch batch;
  batch.size = static_cast<std::int64_t>(indices.size());
  std::vector<PlaneSize> image_sizes;
  for (const Part& part : parts_) {
    Prepared prepared = inputs_of(part, indices);
    batch.inputs[part.plan.name()] = std::move(prepared.tensor);
    if (image_sizes.empty()) image_sizes = std::move(prepared.stored_sizes);
  }
  if (task() == Task::kClassification)
    for (const std::int64_t index : indices) batch.labels.push_back(label_of(index));
  if (task() == Task::kSegmentation) batch.target = masks_of(indices, image_sizes);
  if (task() == Task::kRegression) batch.target = regression_of(indices);
  return batch;
}

}  // namespace

std::unique_ptr<Dataset> prepare(SourcePtr source, const DatasetOptions& options) {
  return std::make_unique<PreparedDataset>(std::move(source), options);
}

}  // namespace pare::data
