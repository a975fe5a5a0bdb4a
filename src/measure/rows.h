// rows.h - samples in, rows of one output out, whatever batch the network is fixed to.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "pare/dataset.h"
#include "pare/progress.h"
#include "pare/session.h"

namespace pare {

/// One output for some samples.
struct Rows {
  std::int64_t count = 0;
  Shape shape;  ///< of one sample
  DType dtype = DType::kUndefined;
  std::vector<float> values;  ///< count x elements()

  [[nodiscard]] std::int64_t elements() const { return element_count(shape); }
  [[nodiscard]] const float* row(std::int64_t index) const { return values.data() + index * elements(); }
};

/// Feeds batches to a session. Networks whose inputs have a fixed first dimension get exactly that many samples at a
/// time: the last sample is repeated to fill up, and what comes out for the copies is dropped.
class RowRunner {
 public:
  /// `output` empty: the first. Throws Error(kInvalidArgument) on an unknown name. `who` is for messages.
  RowRunner(Session& session, const std::string& output, const char* who = "network");
  /// The batch size that wastes nothing: the network's own if it is fixed, else `wanted`.
  [[nodiscard]] std::int64_t batch_size(std::int64_t wanted) const { return fixed_batch_.value_or(wanted); }
  [[nodiscard]] const std::string& output() const noexcept { return output_; }
  /// Throws Error(kUnsupported) if the output has not one row per sample, Error(kNumeric) if it holds NaN;
  /// `first_sample` is the number of the batch's first sample for that message.
  [[nodiscard]] Rows run(const Batch& batch, std::int64_t first_sample);

 private:
  void run_chunk(const Batch& batch, std::int64_t begin, std::int64_t count, std::int64_t padded, Rows& rows);

  Session& session_;
  const char* who_;
  std::string output_;
  std::size_t output_index_ = 0;
  std::optional<std::int64_t> fixed_batch_;
};

/// Walks the dataset once in order: `use(batch, first_sample)` for every batch, with progress in samples.
void for_each_batch(const Dataset& dataset, std::int64_t batch_size, int workers, const char* task,
                    ProgressSink& progress, const std::function<void(const Batch&, std::int64_t)>& use);

/// Samples [begin, begin + count) of a tensor, the last one repeated until there are `padded`.
[[nodiscard]] Tensor take_rows(const Tensor& tensor, std::int64_t begin, std::int64_t count, std::int64_t padded);

}  // namespace pare
