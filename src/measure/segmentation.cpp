#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "core/fail.h"
#include "measure/scorer.h"
#include "measure/scores.h"

namespace pare {
namespace {

/// Per class, intersection and union; grows when a class map shows a higher class.
using Counts = std::vector<std::int64_t>;

void grow(Counts& counts, std::int64_t classes) {
  if (static_cast<std::int64_t>(counts.size()) < 2 * classes) counts.resize(static_cast<std::size_t>(2 * classes));
}

void count_pixel(Counts& counts, std::int64_t predicted, std::int64_t truth) {
  const auto column = [](std::int64_t index) { return static_cast<std::size_t>(2 * index); };
  if (predicted == truth) counts[column(truth)] += 1;
  counts[column(truth) + 1] += 1;
  if (predicted != truth) counts[column(predicted) + 1] += 1;
}

class Segmentation final : public Scorer {
 public:
  explicit Segmentation(const Dataset& dataset)
      : class_names_(dataset.class_names()), classes_(static_cast<std::int64_t>(class_names_.size())) {}

  void add(const Rows& rows, const Batch& batch, std::int64_t first_sample) override {
    const Shape& mask = batch.target.shape();
    if (mask.size() != 3 || mask[0] != rows.count)
      fail(ErrorCode::kInvalidArgument, "masks have shape {} for {} samples, expected [N, H, W]", shape_text(mask),
           rows.count);
    const std::int64_t height = mask[1], width = mask[2];
    const DenseLayout layout = dense_layout(rows.shape, height, width, classes_);
    class_map_ = layout.channels == 1 && !is_float(rows.dtype);
    if (!class_map_) start(layout.channels);
    if (layout.height != height || layout.width != width) resized_from_ = layout, resized_to_ = {height, width};
    const std::vector<std::int64_t> truth = batch.target.to_int64s();
    for (std::int64_t i = 0; i < rows.count; ++i)
      add_sample(layout, rows.row(i), truth.data() + i * height * width, height, width, first_sample + i);
  }

  Evaluation finish(std::uint64_t seed, ProgressSink& progress) override {
    std::vector<Counts>* chosen = &counts_;
    if (binary_) {
      progress.note(range_.note());
      if (!range_.probabilities()) chosen = &counts_at_0_;
    }
    if (resized_from_)
      progress.note(
          fmt::format("the output is {} x {}, the masks {} x {}: its classes are resized to the masks, nearest",
                      resized_from_->height, resized_from_->width, resized_to_.first, resized_to_.second));
    Evaluation result;
    result.metric = Metric::kMeanIou;
    result.score_width = 2 * classes_;
    for (Counts& counts : *chosen) {
      grow(counts, classes_);
      for (const std::int64_t count : counts) result.scores.push_back(static_cast<float>(count));
    }
    const Scores scores = scores_of(result);
    const std::vector<double> sums = column_sums(scores);
    for (std::size_t column = 0; column < sums.size(); column += 2)
      result.per_class.push_back(sums[column + 1] > 0 ? sums[column] / sums[column + 1]
                                                      : std::numeric_limits<double>::quiet_NaN());
    result.value = value_of(scores);
    if (std::isnan(result.value))
      fail(ErrorCode::kInvalidArgument, "no pixel of the masks is labelled, so there is no IoU");
    result.interval = bootstrap_interval(scores, seed);
    return result;
  }

 private:
  /// Fixes the number of classes at the first batch.
  void start(std::int64_t channels) {
    if (started_) return;
    started_ = true;
    check_class_count(channels, class_names_);
    binary_ = channels == 1;
    classes_ = std::max<std::int64_t>(2, channels);
  }

  void add_sample(const DenseLayout& layout, const float* row, const std::int64_t* truth, std::int64_t height,
                  std::int64_t width, std::int64_t sample) {
    Counts counts, at_0;
    grow(counts, classes_);
    if (binary_) grow(at_0, classes_);
    for (std::int64_t y = 0; y < height; ++y) {
      const std::int64_t from_y = (2 * y + 1) * layout.height / (2 * height);
      for (std::int64_t x = 0; x < width; ++x) {
        const std::int64_t label = truth[y * width + x];
        if (label == -1) continue;
        const std::int64_t from_x = (2 * x + 1) * layout.width / (2 * width);
        const float single = layout.channels == 1 ? layout.single(row, from_y, from_x) : 0;
        if (class_map_) {
          classes_ = std::max({classes_, label + 1, static_cast<std::int64_t>(single) + 1});
          grow(counts, classes_);
        }
        check_label(label, sample);
        if (binary_) {
          range_.see(single);
          count_pixel(counts, single > 0.5F, label);
          count_pixel(at_0, single > 0, label);
        } else {
          count_pixel(counts, class_map_ ? class_at(single, sample) : layout.argmax(row, from_y, from_x), label);
        }
      }
    }
    counts_.push_back(std::move(counts));
    if (binary_) counts_at_0_.push_back(std::move(at_0));
  }

  void check_label(std::int64_t label, std::int64_t sample) const {
    if (label >= 0 && label < classes_) return;
    fail(ErrorCode::kInvalidArgument,
         "the mask of sample {} has class {}, the network tells {} classes apart\n  remedy: number the classes from 0 "
         "as the network does; pixels without a label are -1",
         sample, label, classes_);
  }

  static std::int64_t class_at(float value, std::int64_t sample) {
    if (value < 0) fail(ErrorCode::kNumeric, "the output's class map holds {} for sample {}", value, sample);
    return static_cast<std::int64_t>(value);
  }

  std::vector<std::string> class_names_;
  std::int64_t classes_;
  bool started_ = false, binary_ = false, class_map_ = false;
  BinaryRange range_;
  std::vector<Counts> counts_, counts_at_0_;  ///< the second for binary outputs that turn out to be no probabilities
  std::optional<DenseLayout> resized_from_;
  std::pair<std::int64_t, std::int64_t> resized_to_;
};

}  // namespace

std::unique_ptr<Scorer> segmentation_scorer(const Dataset& dataset) { return std::make_unique<Segmentation>(dataset); }

std::int64_t DenseLayout::argmax(const float* row, std::int64_t y, std::int64_t x) const {
  const std::int64_t start = channels_last ? (y * width + x) * channels : y * width + x;
  const std::int64_t stride = channels_last ? 1 : height * width;
  std::int64_t best = 0;
  for (std::int64_t c = 1; c < channels; ++c)
    if (row[start + c * stride] > row[start + best * stride]) best = c;
  return best;
}

DenseLayout dense_layout(const Shape& row, std::int64_t mask_height, std::int64_t mask_width, std::int64_t classes) {
  if (row.size() == 2) return {1, row[0], row[1], false};
  if (row.size() != 3)
    fail(ErrorCode::kInvalidArgument,
         "one sample's output has shape {}, a map of classes was expected: [C, H, W], [H, W, C] or [H, W]\n  remedy: "
         "choose the output to judge",
         shape_text(row));
  const DenseLayout first{row[0], row[1], row[2], false}, last{row[2], row[0], row[1], true};
  if (first.height == mask_height && first.width == mask_width) return first;
  if (last.height == mask_height && last.width == mask_width) return last;
  if (classes > 0 && (first.channels == classes) != (last.channels == classes))
    return first.channels == classes ? first : last;
  if (first.height == first.width) return first;
  if (last.height == last.width) return last;
  return first.channels <= last.channels ? first : last;
}

}  // namespace pare
