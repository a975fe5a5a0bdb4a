#include "quantize/observe.h"

#include <algorithm>
#include <numeric>

#include "core/fail.h"
#include "core/parallel.h"
#include "core/words.h"

namespace pare {
namespace {

void add(ActivationStats& stats, const std::string& value, const Tensor& tensor, bool histogram, std::int64_t sample) {
  if (tensor.dtype() != DType::kFloat32)
    fail(ErrorCode::kUnsupported, "calibration: value '{}' is {}, not float32", value, dtype_name(tensor.dtype()));
  const auto data = tensor.data<float>();
  if (data.empty()) return;
  const Extremes seen = extremes(data);
  if (!seen.finite)
    fail(ErrorCode::kNumeric,
         "calibration: value '{}' holds NaN or infinity for sample {}\n  remedy: check the samples and their "
         "preprocessing; a network whose float values overflow cannot be quantized",
         value, sample);
  stats.low = stats.count == 0 ? seen.low : std::min(stats.low, seen.low);
  stats.high = stats.count == 0 ? seen.high : std::max(stats.high, seen.high);
  stats.count += static_cast<std::int64_t>(data.size());
  if (histogram) stats.histogram.add(data);
}

}  // namespace

std::vector<std::int64_t> calibration_indices(const Dataset& data, std::int64_t samples, std::int64_t batch,
                                              std::uint64_t seed) {
  const std::int64_t wanted = std::min(samples, data.size()) / batch * batch;
  if (wanted <= 0)
    fail(
        ErrorCode::kInvalidArgument,
        "calibration: {} samples asked for and {} there, but the network takes {} at once\n  remedy: give more samples",
        samples, data.size(), batch);
  if (wanted < data.size()) return sample_indices(data.size(), wanted, seed);
  std::vector<std::int64_t> all(static_cast<std::size_t>(wanted));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

StatsByValue observe(const Model& model, const std::vector<std::string>& values, const Dataset& data,
                     const ObserveOptions& options, ProgressSink& progress) {
  const std::int64_t batch_size = fixed_batch(model.graph.inputs).value_or(1);
  const std::vector<std::int64_t> indices = calibration_indices(data, options.samples, batch_size, options.seed);
  SessionOptions session_options = options.session;
  session_options.threads = working_threads(session_options.threads);
  session_options.force_float32 = true;
  session_options.extra_outputs.clear();
  StatsByValue stats;
  for (const std::string& value : values) {
    stats[value];
    if (model.graph.find_input(value) == nullptr && model.graph.find_output(value) == nullptr)
      session_options.extra_outputs.push_back(value);
  }
  const std::unique_ptr<Session> session = open_session(model, session_options);
  ProgressTask task(progress, "calibrate", static_cast<std::int64_t>(indices.size()), "samples");
  for (std::size_t start = 0; start < indices.size(); start += static_cast<std::size_t>(batch_size)) {
    const Batch batch = data.batch(std::span(indices).subspan(start, static_cast<std::size_t>(batch_size)));
    const std::int64_t sample = indices[start];
    for (const auto& [name, tensor] : batch.inputs)
      if (const auto entry = stats.find(name); entry != stats.end())
        add(entry->second, name, tensor, options.histograms, sample);
    const std::vector<Tensor> results = session->run(batch.inputs);
    for (std::size_t k = 0; k < results.size(); ++k)
      if (const auto entry = stats.find(session->outputs()[k].name); entry != stats.end())
        add(entry->second, entry->first, results[k], options.histograms, sample);
    task.advance(static_cast<std::int64_t>(start) + batch_size);
  }
  return stats;
}

}  // namespace pare
