#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/fail.h"
#include "core/random.h"
#include "core/words.h"
#include "data/hash.h"
#include "pare/dataset.h"

namespace pare {
namespace {

void check_index(std::int64_t index, std::int64_t size) {
  if (index < 0 || index >= size)
    fail(ErrorCode::kInvalidArgument, "sample {} was asked for, the data has {} samples", index, size);
}

class RandomDataset final : public Dataset {
 public:
  RandomDataset(NamedTensors like, std::int64_t size, std::uint64_t seed)
      : like_(std::move(like)), size_(size), seed_(seed) {
    for (const auto& [name, tensor] : like_)
      if (dtype_bits(tensor.dtype()) < 8)
        fail(ErrorCode::kUnsupported, "input '{}': no random samples of type {}", name, dtype_name(tensor.dtype()));
  }
  [[nodiscard]] Task task() const override { return Task::kNone; }
  [[nodiscard]] std::int64_t size() const override { return size_; }
  [[nodiscard]] std::vector<std::string> class_names() const override { return {}; }
  [[nodiscard]] std::string description() const override { return with_commas(size_) + " random samples"; }
  [[nodiscard]] std::string fingerprint() const override {
    std::string text = fmt::format("random {} {}", size_, seed_);
    for (const auto& [name, tensor] : like_)
      text += fmt::format(" {} {} {}", name, dtype_name(tensor.dtype()), shape_text(tensor.shape()));
    return data::hash_word(data::hash_text(text));
  }
  [[nodiscard]] Batch batch(std::span<const std::int64_t> indices) const override;

 private:
  [[nodiscard]] static double next(DType dtype, Rng& rng) {
    return is_float(dtype) ? rng.uniform() : static_cast<double>(rng.below(2));
  }
  NamedTensors like_;
  std::int64_t size_;
  std::uint64_t seed_;
};

std::byte* put(DType dtype, double value, std::byte* out) {
  const auto copy = [&](auto stored) {
    std::memcpy(out, &stored, sizeof stored);
    return out + sizeof stored;
  };
  switch (dtype) {
    case DType::kFloat32:
      return copy(static_cast<float>(value));
    case DType::kFloat64:
      return copy(value);
    case DType::kFloat16:
      return copy(float_to_half(static_cast<float>(value)));
    case DType::kBFloat16:
      return copy(float_to_bfloat16(static_cast<float>(value)));
    default:
      break;
  }
  // Whole numbers are 0 or 1: the same low byte in every width.
  const auto width = static_cast<std::size_t>(dtype_bits(dtype) / 8);
  std::memset(out, 0, width);
  *out = static_cast<std::byte>(value);
  return out + width;
}

Batch RandomDataset::batch(std::span<const std::int64_t> indices) const {
  for (const std::int64_t index : indices) check_index(index, size_);
  Batch batch;
  batch.size = static_cast<std::int64_t>(indices.size());
  std::uint64_t input = 0;
  for (const auto& [name, tensor] : like_) {
    ++input;
    Shape shape = tensor.shape();
    if (shape.empty()) {
      batch.inputs[name] = tensor;
      continue;
    }
    shape[0] = 1;
    const std::int64_t each = element_count(shape);
    shape[0] = batch.size;
    std::vector<std::byte> bytes(static_cast<std::size_t>(each * batch.size * dtype_bits(tensor.dtype()) / 8));
    std::byte* out = bytes.data();
    for (const std::int64_t index : indices) {
      // A sample depends on its index alone, not on the batch it comes in.
      Rng rng(seed_ * 0x9E3779B97F4A7C15ULL + static_cast<std::uint64_t>(index) * 1000003ULL + input);
      for (std::int64_t i = 0; i < each; ++i) out = put(tensor.dtype(), next(tensor.dtype(), rng), out);
    }
    batch.inputs[name] = Tensor::from_bytes(tensor.dtype(), shape, std::move(bytes));
  }
  return batch;
}

class Subset final : public Dataset {
 public:
  Subset(std::shared_ptr<const Dataset> whole, std::vector<std::int64_t> indices)
      : whole_(std::move(whole)), indices_(std::move(indices)) {
    for (const std::int64_t index : indices_) check_index(index, whole_->size());
  }
  [[nodiscard]] Task task() const override { return whole_->task(); }
  [[nodiscard]] std::int64_t size() const override { return static_cast<std::int64_t>(indices_.size()); }
  [[nodiscard]] std::vector<std::string> class_names() const override { return whole_->class_names(); }
  [[nodiscard]] std::int64_t class_count() const override { return whole_->class_count(); }
  [[nodiscard]] std::vector<std::int64_t> labels() const override { return chosen(whole_->labels()); }
  [[nodiscard]] std::vector<std::int64_t> groups() const override { return chosen(whole_->groups()); }
  [[nodiscard]] InputLayout layout(const std::string& input) const override { return whole_->layout(input); }
  [[nodiscard]] std::string description() const override {
    return fmt::format("{} of {}", with_commas(size()), whole_->description());
  }
  [[nodiscard]] std::string fingerprint() const override {
    const auto chosen = std::as_bytes(std::span(indices_));
    return data::hash_word(data::hash_text(whole_->fingerprint() + data::hash_word(data::hash_bytes(chosen))));
  }
  [[nodiscard]] Batch batch(std::span<const std::int64_t> indices) const override {
    std::vector<std::int64_t> inner;
    inner.reserve(indices.size());
    for (const std::int64_t index : indices) {
      check_index(index, size());
      inner.push_back(indices_[static_cast<std::size_t>(index)]);
    }
    return whole_->batch(inner);
  }

 private:
  [[nodiscard]] std::vector<std::int64_t> chosen(const std::vector<std::int64_t>& all) const {
    std::vector<std::int64_t> some;
    if (all.empty()) return some;
    for (const std::int64_t index : indices_) some.push_back(all[static_cast<std::size_t>(index)]);
    return some;
  }
  std::shared_ptr<const Dataset> whole_;
  std::vector<std::int64_t> indices_;
};

}  // namespace

std::unique_ptr<Dataset> random_dataset(const NamedTensors& like, std::int64_t size, std::uint64_t seed) {
  if (size < 1) fail(ErrorCode::kInvalidArgument, "{} random samples", size);
  return std::make_unique<RandomDataset>(like, size, seed);
}

std::unique_ptr<Dataset> subset(std::shared_ptr<const Dataset> dataset, std::vector<std::int64_t> indices) {
  return std::make_unique<Subset>(std::move(dataset), std::move(indices));
}

// One from each of `count` equal stretches: data sorted by class gives every class its share.
std::vector<std::int64_t> sample_indices(std::int64_t size, std::int64_t count, std::uint64_t seed) {
  if (size < 0 || count < 0) fail(ErrorCode::kInvalidArgument, "{} samples of {} were asked for", count, size);
  std::vector<std::int64_t> indices(static_cast<std::size_t>(std::min(size, count)));
  if (count >= size) {
    std::iota(indices.begin(), indices.end(), std::int64_t{0});
    return indices;
  }
  if (count == 0) return indices;
  Rng rng(seed);
  const std::int64_t whole = size / count, rest = size % count;
  for (std::int64_t i = 0; i < count; ++i) {
    // i * size / count without overflow.
    const std::int64_t low = i * whole + i * rest / count, high = (i + 1) * whole + (i + 1) * rest / count;
    indices[static_cast<std::size_t>(i)] = low + rng.below(high - low);
  }
  return indices;
}

}  // namespace pare
