// Datasets from NumPy arrays: x, or one array per input of the network, and y.
#include <algorithm>

#include "core/fail.h"
#include "core/words.h"
#include "data/hash.h"
#include "data/npy.h"
#include "data/source.h"

namespace pare::data {
namespace {

using Arrays = std::map<std::string, NpyArray>;

std::string list_text(const Arrays& arrays) {
  std::vector<std::string> words;
  for (const auto& [name, array] : arrays)
    words.push_back(fmt::format("{} {} {}", name, dtype_name(array.dtype), shape_text(array.shape)));
  return words.empty() ? "no arrays" : join(words, ", ");
}

Shape sample_shape(const NpyArray& array) { return {array.shape.begin() + 1, array.shape.end()}; }

/// Whether [A, B, C] is height, width, channels: as the network's input says, else by the smaller of first and last.
bool is_channels_last(const Shape& shape, const ValueInfo* input) {
  if (shape.size() != 3) return false;
  if (input != nullptr && input->shape && input->shape->size() == 4) {
    const std::vector<Dim>& dims = *input->shape;
    for (const Dim& dim : {dims[1], dims[3]}) {
      if (dim.value && *dim.value == shape[0] && shape[0] <= 4) return false;
      if (dim.value && *dim.value == shape[2] && shape[2] <= 4) return true;
    }
    if (dims[1].value && *dims[1].value == shape[0]) return false;
    if (dims[1].value && *dims[1].value == shape[2]) return true;
    if (dims[3].value && *dims[3].value == shape[2]) return true;
  }
  return shape[2] < shape[0];
}

/// The labels' meaning, read off their type and shape.
Task task_of(const NpyArray& y) {
  const bool real = is_float(y.dtype);
  const std::int64_t each = element_count(sample_shape(y));
  if (real) return Task::kRegression;
  if (each == 1) return Task::kClassification;
  if (y.shape.size() == 3 || (y.shape.size() == 4 && (y.shape[1] == 1 || y.shape[3] == 1))) return Task::kSegmentation;
  fail(ErrorCode::kInvalidArgument,
       "{} is {} {}: whole numbers are classes [N] or masks [N, height, width]\n  remedy: store values to be predicted "
       "as "
       "float32",
       y.label, dtype_name(y.dtype), shape_text(y.shape));
}

class ArraySource final : public Source {
 public:
  ArraySource(std::filesystem::path path, Arrays arrays, const std::vector<ValueInfo>& inputs);
  [[nodiscard]] Task task() const override { return task_; }
  [[nodiscard]] std::int64_t size() const override { return parts_[0].array.shape[0]; }
  [[nodiscard]] std::int64_t class_count() const override { return class_count_; }
  [[nodiscard]] std::string description() const override;
  [[nodiscard]] std::uint64_t fingerprint() const override;
  [[nodiscard]] std::vector<std::string> parts() const override;
  [[nodiscard]] Image first(std::size_t part) const override { return parts_[part].layout; }
  [[nodiscard]] Image image(std::int64_t index, std::size_t part) const override {
    return sample(parts_[part].array, parts_[part].layout, index);
  }
  [[nodiscard]] std::int64_t label(std::int64_t index) const override {
    return labels_[static_cast<std::size_t>(index)];
  }
  [[nodiscard]] Image mask(std::int64_t index) const override { return sample(y_, y_layout_, index); }
  [[nodiscard]] bool masks_fit_images() const override { return false; }
  [[nodiscard]] bool nodata_in_targets() const override { return true; }
  [[nodiscard]] Tensor regression_target(std::int64_t index) const override;
  [[nodiscard]] std::string sample_name(std::int64_t index) const override {
    return fmt::format("sample {} of {}", index, path_.filename().string());
  }

 private:
  struct Part {
    std::string name;
    NpyArray array;
    Image layout;
  };
  void take_inputs(Arrays& arrays, const std::vector<ValueInfo>& inputs);
  void add_part(const std::string& name, NpyArray array, const ValueInfo* input);
  void take_labels();
  [[nodiscard]] static Image sample(const NpyArray& array, Image layout, std::int64_t index) {
    layout.owner = array.bytes;
    layout.data = array.bytes->bytes(index * layout.size_bytes(), layout.size_bytes()).data();
    return layout;
  }

  std::filesystem::path path_;
  std::vector<Part> parts_;
  NpyArray y_;
  Image y_layout_;
  Task task_ = Task::kNone;
  std::vector<std::int64_t> labels_;
  std::int64_t class_count_ = 0;
};

ArraySource::ArraySource(std::filesystem::path path, Arrays arrays, const std::vector<ValueInfo>& inputs)
    : path_(std::move(path)) {
  take_inputs(arrays, inputs);
  if (size() == 0) fail(ErrorCode::kInvalidArgument, "{} holds no samples", path_.string());
  for (const Part& part : parts_)
    if (part.array.shape[0] != size())
      fail(ErrorCode::kInvalidArgument, "{} has {} samples, {} has {}", parts_[0].array.label, size(), part.array.label,
           part.array.shape[0]);
  const auto y = arrays.find("y");
  if (y == arrays.end()) return;
  y_ = std::move(y->second);
  take_labels();
}

void ArraySource::add_part(const std::string& name, NpyArray array, const ValueInfo* input) {
  if (array.shape.empty()) fail(ErrorCode::kInvalidArgument, "{} is a single number, expected samples", array.label);
  const Shape shape = sample_shape(array);
  // [N, A, B] is a series of gray images, unless the network takes exactly three dimensions.
  const bool plain_array = shape.size() == 2 && input != nullptr && input->shape && input->shape->size() == 3;
  Image layout = image_from_array(array.dtype, shape, is_channels_last(shape, input));
  if (plain_array) {
    layout.array_shape = shape;
    layout.channels = shape[0], layout.height = 1, layout.width = shape[1];
  }
  parts_.push_back({name, std::move(array), std::move(layout)});
}

void ArraySource::take_inputs(Arrays& arrays, const std::vector<ValueInfo>& inputs) {
  const auto fail_missing = [&](const std::string& name) {
    fail(ErrorCode::kInvalidArgument, "{} has no array '{}'; it has {}\n  remedy: name the samples x and the labels y",
         path_.string(), name, list_text(arrays));
  };
  const bool by_name = inputs.size() > 1 || (inputs.size() == 1 && arrays.contains(inputs[0].name));
  if (by_name) {
    for (const ValueInfo& input : inputs) {
      const auto found = arrays.find(input.name);
      if (found == arrays.end()) fail_missing(input.name);
      add_part(input.name, found->second, &input);
    }
  } else if (arrays.contains("x")) {
    add_part("x", arrays.at("x"), inputs.empty() ? nullptr : &inputs[0]);
  } else if (inputs.empty()) {
    for (const auto& [name, array] : arrays)
      if (name != "y") add_part(name, array, nullptr);
  }
  if (parts_.empty()) fail_missing("x");
}

void ArraySource::take_labels() {
  if (y_.shape.empty() || y_.shape[0] != size())
    fail(ErrorCode::kInvalidArgument, "{} has {} samples, {} has shape {}", parts_[0].array.label, size(), y_.label,
         shape_text(y_.shape));
  task_ = task_of(y_);
  if (task_ == Task::kClassification) {
    y_layout_ = image_from_array(y_.dtype, {1, size()}, false);
    labels_ = read_labels(sample(y_, y_layout_, 0), y_.label);
    const auto [least, most] = std::minmax_element(labels_.begin(), labels_.end());
    if (*least < 0)
      fail(ErrorCode::kInvalidArgument, "{} holds the label {} at {}; labels are 0, 1, ...", y_.label, *least,
           least - labels_.begin());
    class_count_ = *most + 1;
  } else if (task_ == Task::kSegmentation) {
    Shape shape = sample_shape(y_);
    std::erase(shape, 1);
    if (shape.size() != 2)
      shape = {y_.shape.size() == 4 && y_.shape[1] == 1 ? y_.shape[2] : y_.shape[1],
               y_.shape.size() == 4 && y_.shape[1] == 1 ? y_.shape[3] : y_.shape[2]};
    y_layout_ = image_from_array(y_.dtype, shape, false);
  } else {
    y_layout_ = image_from_array(y_.dtype, {1, element_count(sample_shape(y_))}, false);
  }
}

Tensor ArraySource::regression_target(std::int64_t index) const {
  const Image one = sample(y_, y_layout_, index);
  std::vector<float> values(static_cast<std::size_t>(one.pixel_count()));
  read_floats(one, 0, values.data());
  Shape shape = sample_shape(y_);
  return Tensor::of<float>(std::move(shape), values);
}

std::string ArraySource::description() const {
  const char* labels = task_ == Task::kNone ? ", no labels" : "";
  return fmt::format("samples in {} (NumPy{})", path_.filename().string(), labels);
}

std::uint64_t ArraySource::fingerprint() const {
  std::string words;
  if (!std::filesystem::is_directory(path_)) words += hash_word(fingerprint_of_file(path_));
  const auto add = [&](const std::string& name, const NpyArray& array) {
    words += fmt::format("{} {} {} ", name, dtype_name(array.dtype), shape_text(array.shape));
    words += hash_word(hash_bytes(array.bytes->bytes(0, array.bytes->size())));
  };
  for (const Part& part : parts_) add(part.name, part.array);
  if (task_ != Task::kNone) add("y", y_);
  return hash_text(words);
}

std::vector<std::string> ArraySource::parts() const {
  std::vector<std::string> names;
  for (const Part& part : parts_) names.push_back(part.name);
  return names;
}

/// x.npy alone, with the y.npy beside it, or all .npy files of a folder.
Arrays read_npy_files(const std::filesystem::path& path) {
  Arrays arrays;
  const auto add = [&](const std::string& name, const std::filesystem::path& file) {
    arrays.emplace(name, read_npy(map_file(file), file.filename().string()));
  };
  if (!std::filesystem::is_directory(path)) {
    add("x", path);
    const std::filesystem::path labels = path.parent_path() / "y.npy";
    if (path.filename() == "x.npy" && std::filesystem::is_regular_file(labels)) add("y", labels);
    return arrays;
  }
  for (const auto& entry : std::filesystem::directory_iterator(path))
    if (entry.path().extension() == ".npy") add(entry.path().stem().string(), entry.path());
  return arrays;
}

}  // namespace

SourcePtr open_arrays(const std::filesystem::path& path, const std::vector<ValueInfo>& inputs) {
  Arrays arrays = path.extension() == ".npz" ? read_npz(path) : read_npy_files(path);
  return std::make_unique<ArraySource>(path, std::move(arrays), inputs);
}

}  // namespace pare::data
