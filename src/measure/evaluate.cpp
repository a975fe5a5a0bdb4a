#include "core/fail.h"
#include "measure/scorer.h"

namespace pare {
namespace {

std::unique_ptr<Scorer> make_scorer(const Dataset& dataset) {
  switch (dataset.task()) {
    case Task::kClassification:
      return classification_scorer(dataset);
    case Task::kSegmentation:
      return segmentation_scorer(dataset);
    case Task::kRegression:
      return regression_scorer();
    case Task::kNone:
      break;
  }
  return nullptr;
}

bool labelled(const Batch& batch, Task task) {
  if (task == Task::kClassification) return static_cast<std::int64_t>(batch.labels.size()) == batch.size;
  return !batch.target.empty();
}

[[noreturn]] void fail_unlabelled(const Dataset& dataset) {
  fail(ErrorCode::kInvalidArgument,
       "the data has no labels: {}\n  remedy: add labels, or measure the agreement with a reference model on the same "
       "samples, which needs none",
       dataset.description());
}

}  // namespace

Evaluation evaluate(Session& session, const Dataset& dataset, const EvaluateOptions& options, ProgressSink& progress) {
  const std::unique_ptr<Scorer> scorer = make_scorer(dataset);
  if (!scorer) fail_unlabelled(dataset);
  RowRunner runner(session, options.output);
  std::int64_t samples = 0;
  for_each_batch(dataset, runner.batch_size(options.batch_size), options.workers, "evaluating", progress,
                 [&](const Batch& batch, std::int64_t first_sample) {
                   if (!labelled(batch, dataset.task())) fail_unlabelled(dataset);
                   scorer->add(runner.run(batch, first_sample), batch, first_sample);
                   samples += batch.size;
                 });
  Evaluation result = scorer->finish(options.seed, progress);
  result.samples = samples;
  return result;
}

}  // namespace pare
