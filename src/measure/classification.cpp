#include <algorithm>

#include "core/fail.h"
#include "core/words.h"
#include "measure/scorer.h"
#include "measure/statistics.h"

namespace pare {
namespace {

/// At how many places the label's own value is beaten; equal values count by their index.
std::int64_t rank_of(const float* row, std::int64_t count, std::int64_t label) {
  const float own = row[label];
  std::int64_t better = 0;
  for (std::int64_t i = 0; i < count; ++i) better += row[i] > own || (row[i] == own && i < label);
  return better;
}

class Classification final : public Scorer {
 public:
  explicit Classification(const Dataset& dataset) : class_names_(dataset.class_names()) {}

  void add(const Rows& rows, const Batch& batch, std::int64_t first_sample) override {
    const std::int64_t outputs = rows.elements();
    decided_ = outputs == 1 && !is_float(rows.dtype);
    if (labels_.empty() && !decided_) check_class_count(outputs, class_names_);
    outputs_ = outputs;
    for (std::int64_t i = 0; i < rows.count; ++i) {
      const std::int64_t label = batch.labels[static_cast<std::size_t>(i)];
      const float* row = rows.row(i);
      labels_.push_back(label);
      if (decided_) {
        top1_.push_back(static_cast<std::int64_t>(row[0]) == label);
        continue;
      }
      const std::int64_t classes = std::max<std::int64_t>(2, outputs);
      if (label < 0 || label >= classes)
        fail(ErrorCode::kInvalidArgument,
             "sample {} has label {}, the network tells {} classes apart\n  remedy: number the classes from 0 as the "
             "network does",
             first_sample + i, label, classes);
      if (outputs == 1) {
        range_.see(row[0]);
        single_.push_back(row[0]);
        continue;
      }
      const std::int64_t rank = rank_of(row, outputs, label);
      top1_.push_back(rank == 0);
      top5_hits_ += rank < 5;
    }
  }

  Evaluation finish(std::uint64_t, ProgressSink& progress) override {
    if (!single_.empty()) {
      for (std::size_t i = 0; i < single_.size(); ++i)
        top1_.push_back((single_[i] > range_.threshold()) == (labels_[i] == 1));
      progress.note(range_.note());
    }
    if (decided_) progress.note("the output is a whole number for each sample: taken as the class itself");
    Evaluation result;
    result.metric = Metric::kTop1;
    const auto samples = static_cast<std::int64_t>(top1_.size());
    const std::int64_t hits = std::count(top1_.begin(), top1_.end(), 1.0F);
    result.value = static_cast<double>(hits) / static_cast<double>(samples);
    result.interval = wilson_interval(hits, samples);
    if (outputs_ > 5) result.top5 = static_cast<double>(top5_hits_) / static_cast<double>(samples);
    result.scores = std::move(top1_);
    return result;
  }

 private:
  std::vector<std::string> class_names_;
  std::vector<std::int64_t> labels_;
  std::vector<float> single_, top1_;
  std::int64_t top5_hits_ = 0, outputs_ = 0;
  BinaryRange range_;
  bool decided_ = false;  ///< the network ends in ArgMax
};

/// Folders that are there by accident: hidden ones, and what archives leave behind.
bool looks_accidental(const std::string& name) {
  return name.starts_with(".") || name.starts_with("__") || name == "lost+found";
}

}  // namespace

std::unique_ptr<Scorer> classification_scorer(const Dataset& dataset) {
  return std::make_unique<Classification>(dataset);
}

void check_class_count(std::int64_t outputs, const std::vector<std::string>& class_names) {
  const auto classes = static_cast<std::int64_t>(class_names.size());
  if (classes == 0 || classes == outputs || (outputs == 1 && classes == 2)) return;
  std::vector<std::string> accidental, listed;
  for (const std::string& name : class_names)
    if (looks_accidental(name)) accidental.push_back(name);
  for (const std::string& name : class_names) {
    if (listed.size() == 12) {
      listed.push_back(fmt::format("... {} more", classes - 12));
      break;
    }
    listed.push_back(name);
  }
  std::string detail, remedy;
  if (classes > outputs && !accidental.empty()) {
    detail = "extra: " + join(accidental, ", ");
    remedy = "remove it, or name the classes with --classes";
  } else if (classes > outputs) {
    detail = "classes: " + join(listed, ", ");
    remedy = "remove the folders that the network was not trained on, or name its classes with --classes";
  } else {
    detail = "classes: " + join(listed, ", ");
    remedy = "name all classes of the network in its order with --classes, so that each label gets the right number";
  }
  fail(ErrorCode::kInvalidArgument, "the network has {} output{}, the data {} class{}\n  {}\n  remedy: {}", outputs,
       outputs == 1 ? "" : "s", classes, classes == 1 ? "" : "es", detail, remedy);
}

std::string BinaryRange::note() const {
  return probabilities() ? "one output for two classes, all values within 0 and 1: class 1 above 0.5"
                         : "one output for two classes, values outside 0 and 1: class 1 above 0";
}

}  // namespace pare
