#include <algorithm>
#include <cmath>
#include <limits>

#include "core/fail.h"
#include "measure/rows.h"
#include "measure/scorer.h"
#include "measure/scores.h"
#include "measure/statistics.h"

namespace pare {
namespace {

/// Sums over one sample that both kinds of agreement are made of.
struct SampleSums {
  double squared_difference = 0, sum = 0, squares = 0;  ///< sum, squares: of the reference's values
};

class AgreementMeter {
 public:
  explicit AgreementMeter(const Dataset& dataset)
      : task_(dataset.task()), classes_(static_cast<std::int64_t>(dataset.class_names().size())) {}

  void add(const Rows& rows, const Rows& reference, std::int64_t first_sample) {
    decide_layout(reference);
    for (std::int64_t i = 0; i < rows.count; ++i) {
      add_numbers(rows.row(i), reference.row(i), rows.elements(), first_sample + i);
      if (units_ == Units::kSamples)
        share_.push_back(argmax(rows.row(i), rows.elements()) == argmax(reference.row(i), rows.elements()));
      else if (units_ == Units::kPixels)
        share_.push_back(pixel_share(rows.row(i), reference.row(i)));
      else if (units_ == Units::kThreshold)
        add_threshold(rows.row(i), reference.row(i), rows.elements());
    }
  }

  Evaluation finish(std::uint64_t seed, ProgressSink& progress);

 private:
  enum class Units { kUnknown, kSamples, kPixels, kThreshold, kNumbers };

  void decide_layout(const Rows& reference) {
    if (units_ != Units::kUnknown && units_ != Units::kPixels) return;
    const std::int64_t elements = reference.elements();
    const auto ones = std::count(reference.shape.begin(), reference.shape.end(), 1);
    const bool dense = reference.shape.size() >= 2 && static_cast<std::int64_t>(reference.shape.size()) - ones >= 2;
    if (task_ == Task::kRegression) {
      units_ = Units::kNumbers;
    } else if (!dense) {
      units_ = elements > 1 ? Units::kSamples : Units::kThreshold;
    } else if (reference.shape.size() > 3) {
      units_ = Units::kNumbers;
    } else {
      layout_ = dense_layout(reference.shape, 0, 0, task_ == Task::kSegmentation ? classes_ : 0);
      units_ = layout_.channels > 1 ? Units::kPixels : Units::kThreshold;
    }
    // One number may be anything when nobody says what the network is for.
    if (units_ == Units::kThreshold && task_ == Task::kNone) units_ = Units::kNumbers;
  }

  void add_numbers(const float* row, const float* reference, std::int64_t elements, std::int64_t sample) {
    double dot = 0, own = 0;
    SampleSums sums;
    for (std::int64_t i = 0; i < elements; ++i) {
      const double x = row[i], y = reference[i], difference = x - y;
      if (!std::isfinite(x) || !std::isfinite(y))
        fail(ErrorCode::kNumeric, "the {}'s output is infinite for sample {}",
             std::isfinite(y) ? "network" : "reference", sample);
      dot += x * y, own += x * x;
      sums.squares += y * y, sums.sum += y, sums.squared_difference += difference * difference;
      low_ = std::min(low_, y), high_ = std::max(high_, y);
      if (std::abs(difference) > max_abs_) max_abs_ = std::abs(difference), worst_sample_ = sample;
    }
    const double norms = std::sqrt(own) * std::sqrt(sums.squares);
    cosine_ += norms > 0 ? std::clamp(dot / norms, -1.0, 1.0) : (own == sums.squares ? 1 : 0);
    sums_.push_back(sums);
    elements_ = elements;
  }

  void add_threshold(const float* row, const float* reference, std::int64_t elements) {
    std::int64_t same_at_half = 0, same_at_0 = 0;
    for (std::int64_t i = 0; i < elements; ++i) {
      range_.see(reference[i]);
      same_at_half += (row[i] > 0.5F) == (reference[i] > 0.5F);
      same_at_0 += (row[i] > 0) == (reference[i] > 0);
    }
    share_.push_back(static_cast<float>(static_cast<double>(same_at_half) / static_cast<double>(elements)));
    share_at_0_.push_back(static_cast<float>(static_cast<double>(same_at_0) / static_cast<double>(elements)));
  }

  float pixel_share(const float* row, const float* reference) const {
    std::int64_t same = 0;
    for (std::int64_t y = 0; y < layout_.height; ++y)
      for (std::int64_t x = 0; x < layout_.width; ++x)
        same += layout_.argmax(row, y, x) == layout_.argmax(reference, y, x);
    return static_cast<float>(static_cast<double>(same) / static_cast<double>(layout_.height * layout_.width));
  }

  static std::int64_t argmax(const float* row, std::int64_t count) { return std::max_element(row, row + count) - row; }

  Task task_;
  std::int64_t classes_;
  Units units_ = Units::kUnknown;
  DenseLayout layout_;
  BinaryRange range_;
  std::vector<float> share_, share_at_0_;
  std::vector<SampleSums> sums_;
  std::int64_t elements_ = 0, worst_sample_ = -1;
  double cosine_ = 0, max_abs_ = 0;
  double low_ = std::numeric_limits<double>::infinity(), high_ = -low_;
};

Evaluation AgreementMeter::finish(std::uint64_t seed, ProgressSink& progress) {
  const auto samples = static_cast<std::int64_t>(sums_.size());
  const double values = static_cast<double>(samples * elements_);
  SampleSums all;
  for (const SampleSums& one : sums_)
    all.squared_difference += one.squared_difference, all.sum += one.sum, all.squares += one.squares;

  Evaluation result;
  result.metric = Metric::kAgreement;
  Agreement& agreement = result.agreement;
  agreement.cosine = cosine_ / static_cast<double>(samples);
  agreement.max_abs = max_abs_;
  agreement.worst_sample = worst_sample_;
  agreement.psnr_db = all.squared_difference > 0
                          ? 20 * std::log10((high_ - low_) / std::sqrt(all.squared_difference / values))
                          : std::numeric_limits<double>::infinity();
  if (units_ == Units::kNumbers) {
    const double mean = all.sum / values;
    for (const SampleSums& one : sums_) {
      const double variation = one.squares - 2 * mean * one.sum + mean * mean * static_cast<double>(elements_);
      result.scores.push_back(static_cast<float>(one.squared_difference));
      result.scores.push_back(static_cast<float>(std::max(0.0, variation)));
    }
    result.score_width = 2;
    progress.note("no classes to compare: agreement is the share of the reference's variance that is reproduced");
  } else {
    if (units_ == Units::kThreshold) progress.note(range_.note());
    result.scores = units_ == Units::kThreshold && !range_.probabilities() ? std::move(share_at_0_) : std::move(share_);
  }
  result.value = value_of(scores_of(result));
  if (units_ != Units::kNumbers) agreement.argmax_flips = 1 - result.value;
  if (std::all_of(result.scores.begin(), result.scores.end(), [](float score) { return score == 0 || score == 1; }) &&
      result.score_width == 1)
    result.interval = wilson_interval(std::llround(result.value * static_cast<double>(samples)), samples);
  else
    result.interval = bootstrap_interval(scores_of(result), seed);
  return result;
}

}  // namespace

Evaluation evaluate_agreement(Session& session, Session& reference, const Dataset& dataset,
                              const EvaluateOptions& options, ProgressSink& progress) {
  RowRunner runner(session, options.output), reference_runner(reference, options.output, "reference");
  AgreementMeter meter(dataset);
  const std::int64_t batch_size =
      std::max(runner.batch_size(options.batch_size), reference_runner.batch_size(options.batch_size));
  std::int64_t samples = 0;
  for_each_batch(dataset, batch_size, options.workers, "comparing outputs", progress,
                 [&](const Batch& batch, std::int64_t first_sample) {
                   const Rows rows = runner.run(batch, first_sample);
                   const Rows wanted = reference_runner.run(batch, first_sample);
                   if (rows.shape != wanted.shape)
                     fail(ErrorCode::kInvalidArgument,
                          "output '{}' gives {} for each sample, the reference's '{}' gives {}\n  remedy: name the "
                          "output to compare",
                          runner.output(), shape_text(rows.shape), reference_runner.output(), shape_text(wanted.shape));
                   meter.add(rows, wanted, first_sample);
                   samples += batch.size;
                 });
  Evaluation result = meter.finish(options.seed, progress);
  result.samples = samples;
  return result;
}

}  // namespace pare
