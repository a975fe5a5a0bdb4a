// scorer.h - turns rows of an output and their labels into an Evaluation; one implementation for each task.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "measure/rows.h"
#include "pare/measure.h"

namespace pare {

class Scorer {
 public:
  virtual ~Scorer() = default;
  virtual void add(const Rows& rows, const Batch& batch, std::int64_t first_sample) = 0;
  /// Fills everything but `samples`.
  [[nodiscard]] virtual Evaluation finish(std::uint64_t seed, ProgressSink& progress) = 0;
};

[[nodiscard]] std::unique_ptr<Scorer> classification_scorer(const Dataset& dataset);
[[nodiscard]] std::unique_ptr<Scorer> segmentation_scorer(const Dataset& dataset);
[[nodiscard]] std::unique_ptr<Scorer> regression_scorer();

/// Throws Error(kInvalidArgument) unless outputs and named classes are equally many (or one output for two classes):
/// "the network has 10 outputs, the data 11 classes". No names: nothing to check.
void check_class_count(std::int64_t outputs, const std::vector<std::string>& class_names);

/// Whether one number per sample or pixel means "yes" above 0.5 (all seen are in [0, 1], so they are probabilities) or
/// above 0 (they are not).
class BinaryRange {
 public:
  void see(float value) noexcept { outside_ = outside_ || value < 0 || value > 1; }
  [[nodiscard]] bool probabilities() const noexcept { return !outside_; }
  [[nodiscard]] float threshold() const noexcept { return outside_ ? 0.0F : 0.5F; }
  [[nodiscard]] std::string note() const;

 private:
  bool outside_ = false;
};

/// How the rows of a dense output are laid out.
struct DenseLayout {
  std::int64_t channels = 0, height = 0, width = 0;
  bool channels_last = false;
  /// Index of the greatest channel at a pixel, the lowest of equals.
  [[nodiscard]] std::int64_t argmax(const float* row, std::int64_t y, std::int64_t x) const;
  [[nodiscard]] float single(const float* row, std::int64_t y, std::int64_t x) const { return row[y * width + x]; }
};
/// Rows of shape [C, H, W], [H, W, C] or [H, W]. Which of the two comes from the size of the masks (0 x 0: unknown),
/// then from the number of classes (0: unknown), then from which two dimensions are equal, then the fewer are channels.
/// Throws Error(kInvalidArgument) on other ranks.
[[nodiscard]] DenseLayout dense_layout(const Shape& row, std::int64_t mask_height, std::int64_t mask_width,
                                       std::int64_t classes);

}  // namespace pare
