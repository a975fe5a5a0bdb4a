#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_set>

#include "core/fail.h"
#include "measure/scorer.h"
#include "measure/scores.h"

namespace pare {
namespace {

constexpr std::size_t kMostDistinct = 65536;

Shape squeezed(const Shape& shape) {
  Shape kept;
  std::copy_if(shape.begin(), shape.end(), std::back_inserter(kept), [](std::int64_t dim) { return dim != 1; });
  return kept;
}

class Regression final : public Scorer {
 public:
  void add(const Rows& rows, const Batch& batch, std::int64_t first_sample) override {
    Shape target = batch.target.shape();
    if (target.empty() || target.front() != rows.count)
      fail(ErrorCode::kInvalidArgument, "targets have shape {} for {} samples", shape_text(target), rows.count);
    target.erase(target.begin());
    if (squeezed(rows.shape) != squeezed(target))
      fail(ErrorCode::kInvalidArgument,
           "the network gives {} for each sample, the data has {}\n  remedy: choose the output to judge, or bring the "
           "targets into its shape",
           shape_text(rows.shape), shape_text(target));
    const std::vector<float> truth = batch.target.to_floats();
    const std::int64_t elements = rows.elements();
    for (std::int64_t i = 0; i < rows.count; ++i)
      add_sample(rows.row(i), truth.data() + i * elements, elements, first_sample + i);
  }

  Evaluation finish(std::uint64_t seed, ProgressSink&) override {
    if (count_ == 0) fail(ErrorCode::kInvalidArgument, "no sample has a target, so there is no error to measure");
    Evaluation result;
    result.metric = Metric::kRmse;
    result.scores = std::move(scores_);
    result.score_width = 2;
    const double n = static_cast<double>(count_);
    RegressionError& error = result.regression;
    error.rmse = std::sqrt(squared_ / n);
    error.mae = absolute_ / n;
    error.bias = signed_ / n;
    error.r2 = spread_ > 0 ? 1 - squared_ / spread_ : std::numeric_limits<double>::quiet_NaN();
    error.distinct_outputs = static_cast<std::int64_t>(distinct_.size());
    result.value = error.rmse;
    result.interval = bootstrap_interval(scores_of(result), seed);
    return result;
  }

 private:
  void add_sample(const float* row, const float* truth, std::int64_t elements, std::int64_t sample) {
    double squared = 0;
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < elements; ++i) {
      if (std::isinf(row[i])) fail(ErrorCode::kNumeric, "the output is infinite for sample {}", sample);
      if (distinct_.size() < kMostDistinct) distinct_.insert(row[i]);
      if (std::isnan(truth[i])) continue;
      const double error = static_cast<double>(row[i]) - truth[i];
      squared += error * error;
      absolute_ += std::abs(error);
      signed_ += error;
      ++count, ++count_;
      const double shift = truth[i] - mean_;  // Welford: targets such as heights have means far above their spread
      mean_ += shift / static_cast<double>(count_);
      spread_ += shift * (truth[i] - mean_);
    }
    squared_ += squared;
    scores_.push_back(static_cast<float>(squared));
    scores_.push_back(static_cast<float>(count));
  }

  std::vector<float> scores_;
  std::unordered_set<float> distinct_;
  double squared_ = 0, absolute_ = 0, signed_ = 0, mean_ = 0, spread_ = 0;
  std::int64_t count_ = 0;
};

}  // namespace

std::unique_ptr<Scorer> regression_scorer() { return std::make_unique<Regression>(); }

}  // namespace pare
