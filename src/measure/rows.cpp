#include "measure/rows.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/fail.h"
#include "core/words.h"

namespace pare {

Tensor take_rows(const Tensor& tensor, std::int64_t begin, std::int64_t count, std::int64_t padded) {
  const std::int64_t total = tensor.shape().front();
  if (begin == 0 && count == total && padded == count) return tensor;
  const std::int64_t row_bytes = tensor.size_bytes() / total;
  Shape shape = tensor.shape();
  shape.front() = padded;
  const auto source = tensor.bytes().subspan(static_cast<std::size_t>(begin * row_bytes));
  if (padded == count)
    return Tensor::view(tensor.dtype(), std::move(shape), std::make_shared<Tensor>(tensor),
                        source.first(static_cast<std::size_t>(count * row_bytes)));
  std::vector<std::byte> bytes(static_cast<std::size_t>(padded * row_bytes));
  for (std::int64_t row = 0; row < padded; ++row)
    std::memcpy(bytes.data() + row * row_bytes, source.data() + std::min(row, count - 1) * row_bytes,
                static_cast<std::size_t>(row_bytes));
  return Tensor::from_bytes(tensor.dtype(), std::move(shape), std::move(bytes));
}

RowRunner::RowRunner(Session& session, const std::string& output, const char* who)
    : session_(session), who_(who), fixed_batch_(fixed_batch(session.inputs())) {
  const std::vector<ValueInfo>& outputs = session.outputs();
  if (outputs.empty()) fail(ErrorCode::kInvalidArgument, "the {} has no outputs", who);
  std::vector<std::string> names;
  for (const ValueInfo& info : outputs) names.push_back(info.name);
  const auto found = output.empty() ? names.begin() : std::find(names.begin(), names.end(), output);
  if (found == names.end())
    fail(ErrorCode::kInvalidArgument, "the {} has no output '{}'{}\n  outputs: {}", who, output,
         nearest_hint(output, names), join(names, ", "));
  output_ = *found;
  output_index_ = static_cast<std::size_t>(found - names.begin());
}

Rows RowRunner::run(const Batch& batch, std::int64_t first_sample) {
  Rows rows;
  const std::int64_t step = fixed_batch_.value_or(batch.size);
  for (std::int64_t begin = 0; begin < batch.size; begin += step)
    run_chunk(batch, begin, std::min(step, batch.size - begin), step, rows);
  const auto bad = std::find_if(rows.values.begin(), rows.values.end(), [](float value) { return std::isnan(value); });
  if (bad != rows.values.end())
    fail(ErrorCode::kNumeric,
         "output '{}' of the {} is NaN for sample {}\n  remedy: look for NaN in that sample, in the weights, and for "
         "overflow of "
         "half precision",
         output_, who_, first_sample + (bad - rows.values.begin()) / rows.elements());
  return rows;
}

void RowRunner::run_chunk(const Batch& batch, std::int64_t begin, std::int64_t count, std::int64_t padded, Rows& rows) {
  NamedTensors inputs;
  for (const auto& [name, tensor] : batch.inputs) {
    if (tensor.rank() == 0 || tensor.shape().front() != batch.size)
      fail(ErrorCode::kInvalidArgument, "input '{}': a batch of {} samples came as {}", name, batch.size,
           shape_text(tensor.shape()));
    inputs.emplace(name, take_rows(tensor, begin, count, padded));
  }
  session_.bind(inputs);
  session_.run_bound();
  const Tensor tensor = session_.results().at(output_index_);
  Shape shape = tensor.shape();
  // A network for one sample may give that sample's numbers without a dimension for the batch.
  const bool bare = padded == 1 && (shape.empty() || shape.front() != 1);
  if (!bare) {
    if (shape.empty() || shape.front() != padded)
      fail(ErrorCode::kUnsupported,
           "output '{}' has shape {} for {} samples, so its rows cannot be told apart\n  remedy: use batch size 1, or "
           "another output",
           output_, shape_text(shape), padded);
    shape.erase(shape.begin());
  }
  if (rows.count == 0) {
    rows.shape = shape;
    rows.dtype = tensor.dtype();
  } else if (rows.shape != shape) {
    fail(ErrorCode::kUnsupported, "output '{}' has shape {} for some samples and {} for others", output_,
         shape_text(rows.shape), shape_text(shape));
  }
  const std::vector<float> values = tensor.to_floats();
  rows.values.insert(rows.values.end(), values.begin(), values.begin() + count * element_count(shape));
  rows.count += count;
}

void for_each_batch(const Dataset& dataset, std::int64_t batch_size, int workers, const char* task,
                    ProgressSink& progress, const std::function<void(const Batch&, std::int64_t)>& use) {
  if (dataset.size() == 0) fail(ErrorCode::kInvalidArgument, "the data has no samples: {}", dataset.description());
  if (batch_size < 1) fail(ErrorCode::kInvalidArgument, "the batch size must be at least 1, not {}", batch_size);
  ProgressTask scope(progress, task, dataset.size(), "samples");
  BatchReader reader(dataset, batch_size, std::max(1, workers));
  std::int64_t done = 0;
  while (const std::optional<Batch> batch = reader.next()) {
    use(*batch, done);
    done += batch->size;
    scope.advance(done);
  }
}

}  // namespace pare
