#include "train/block_samples.h"

#include <algorithm>
#include <span>

#include "core/fail.h"
#include "train/engine.h"

namespace pare {
namespace {

bool takes_two(const Model& model, const NamedTensors& inputs, const SessionOptions& session) {
  try {
    const std::vector<Tensor> results = open_session(model, session)->run(inputs);
    return std::all_of(results.begin(), results.end(),
                       [](const Tensor& t) { return t.rank() > 0 && t.shape()[0] == 2; });
  } catch (const Error&) {
    return false;
  }
}

NamedTensors read_inputs(const Model& model, const Dataset& data, std::span<const std::int64_t> indices) {
  const Batch batch = data.batch(indices);
  NamedTensors inputs;
  for (const ValueInfo& input : model.graph.inputs) {
    const auto found = batch.inputs.find(input.name);
    if (found == batch.inputs.end())
      fail(ErrorCode::kInvalidArgument, "reconstruct: the data has nothing for the network's input '{}'", input.name);
    inputs[input.name] = found->second;
  }
  return inputs;
}

}  // namespace

BlockSamples read_block_samples(const Model& dense, const Model& changed, const Dataset& data, std::int64_t count,
                                const Context& context) {
  constexpr std::int64_t kBatchBytes = 128 << 20, kMost = 64;
  BlockSamples samples;
  const std::int64_t wanted = std::min(count, data.size());
  // Not the images that a step before was fitted on, as far as there are others: on those it looks better than it is.
  constexpr std::uint64_t kOtherImages = 0x7265636f;
  samples.indices = sample_indices(data.size(), wanted, context.seed + kOtherImages);
  const auto fixed = fixed_batch(changed.graph.inputs);
  const std::int64_t first = fixed.value_or(1);
  if (wanted < 2 * first)
    fail(ErrorCode::kInvalidArgument, "reconstruct: {} samples are too few for a network that takes {} at a time",
         wanted, first);
  const std::span<const std::int64_t> all(samples.indices);
  const NamedTensors one = read_inputs(changed, data, all.first(static_cast<std::size_t>(first)));
  samples.dense = trace_model(dense, one, 0);
  samples.changed = trace_model(changed, one, 0);
  std::int64_t size = first;
  samples.whole_batches = fixed || !takes_two(changed, read_inputs(changed, data, all.first(2)), context.session);
  if (!samples.whole_batches) {
    std::int64_t largest = 1;
    for (const auto& [name, shape] : samples.dense.shapes) largest = std::max(largest, element_count(shape) * 4);
    size = std::clamp<std::int64_t>(kBatchBytes / largest, 1, std::min(kMost, wanted));
  }
  samples.batch = size;
  for (std::int64_t at = 0; at < wanted; at += size) {
    const std::int64_t rows = std::min(size, wanted - at);
    if (samples.whole_batches && rows < size) break;
    samples.batches.push_back(
        read_inputs(changed, data, all.subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(rows))));
  }
  return samples;
}

std::shared_ptr<const Dataset> judging_samples(const std::shared_ptr<const Dataset>& data,
                                               const BlockSamples& samples) {
  const std::size_t size = samples.whole_batches ? static_cast<std::size_t>(samples.batch) : 1;
  const std::size_t places = samples.whole_batches ? samples.batches.size() : samples.indices.size();
  const std::size_t every = std::min(kJudgedEvery, places);
  std::vector<std::int64_t> indices;
  for (std::size_t place = every - 1; place < places; place += every)
    for (std::size_t i = 0; i < size; ++i) indices.push_back(samples.indices[place * size + i]);
  return subset(data, std::move(indices));
}

}  // namespace pare
