#include "measure/layer_error.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/fail.h"
#include "measure/rows.h"
#include "pare/model_io.h"

namespace pare {
namespace {

/// What stands for `value` in a quantized graph: the output of the DequantizeLinear behind its QuantizeLinear, or
/// itself. A DequantizeLinear that carries the name of another reference value stands for that one: the Relu or Clip
/// between the two went into the quantization.
std::string seen_by_readers(const Graph& graph, const GraphIndex& index, const GraphIndex& reference,
                            const std::string& value) {
  for (const GraphIndex::Use& quantize : index.uses(value)) {
    const Node& first = graph.nodes[static_cast<std::size_t>(quantize.node)];
    if (first.op_type != "QuantizeLinear" || quantize.input != 0) continue;
    for (const GraphIndex::Use& dequantize : index.uses(first.output(0))) {
      const Node& second = graph.nodes[static_cast<std::size_t>(dequantize.node)];
      if (second.op_type == "DequantizeLinear" && dequantize.input == 0 && reference.producer(second.output(0)) < 0)
        return second.output(0);
    }
  }
  return value;
}

struct Sums {
  double signal = 0, noise = 0, max_abs = 0;
  bool finite = true;
  std::int64_t elements = 0;

  void add(const Tensor& reference, const Tensor& other, const ValuePair& names) {
    if (!is_float(reference.dtype()) || !is_float(other.dtype())) return;
    if (reference.shape() != other.shape())
      fail(ErrorCode::kInvalidArgument, "value '{}' has shape {} in the reference, '{}' has {} in the other model",
           names.reference, shape_text(reference.shape()), names.other, shape_text(other.shape()));
    const std::vector<float> x = reference.to_floats(), y = other.to_floats();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double difference = static_cast<double>(x[i]) - y[i];
      finite = finite && std::isfinite(difference);
      signal += static_cast<double>(x[i]) * x[i];
      noise += difference * difference;
      max_abs = std::max(max_abs, std::abs(difference));
    }
    elements += static_cast<std::int64_t>(x.size());
  }

  [[nodiscard]] double snr_db() const {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    if (!finite) return -kInfinity;
    if (noise == 0) return kInfinity;
    return signal == 0 ? -kInfinity : 10 * std::log10(signal / noise);
  }
};

/// A session of one model whose outputs include the wanted values.
class Probe {
 public:
  Probe(const OpenSession& open, const Model& model, std::vector<std::string> values, SessionOptions options)
      : values_(std::move(values)) {
    options.extra_outputs.clear();
    for (const std::string& value : values_)
      if (model.graph.find_output(value) == nullptr &&
          std::find(options.extra_outputs.begin(), options.extra_outputs.end(), value) == options.extra_outputs.end())
        options.extra_outputs.push_back(value);
    session_ = open(model, options);
    const std::vector<ValueInfo>& outputs = session_->outputs();
    for (const std::string& value : values_) {
      const auto found =
          std::find_if(outputs.begin(), outputs.end(), [&](const ValueInfo& info) { return info.name == value; });
      if (found == outputs.end()) fail(ErrorCode::kInternal, "the session does not give value '{}'", value);
      places_.push_back(static_cast<std::size_t>(found - outputs.begin()));
    }
  }

  /// The values in order, for samples that are filled up to `padded`.
  std::vector<Tensor> run(const Batch& batch, std::int64_t padded) {
    NamedTensors inputs;
    for (const auto& [name, tensor] : batch.inputs) inputs.emplace(name, take_rows(tensor, 0, batch.size, padded));
    const std::vector<Tensor> results = session_->run(inputs);
    std::vector<Tensor> wanted;
    for (const std::size_t place : places_) wanted.push_back(results.at(place));
    return wanted;
  }

 private:
  std::vector<std::string> values_;
  std::vector<std::size_t> places_;
  std::unique_ptr<Session> session_;
};

std::vector<std::string> names_of(std::span<const ValuePair> pairs, std::string ValuePair::* side) {
  std::vector<std::string> names;
  for (const ValuePair& pair : pairs) names.push_back(pair.*side);
  return names;
}

}  // namespace

std::vector<ValuePair> match_values(const Model& reference, const Model& other) {
  const ValueTypes types = infer_types(reference);
  const GraphIndex index(other.graph), reference_index(reference.graph);
  std::vector<ValuePair> pairs;
  for (const Node& node : reference.graph.nodes) {
    if (node.op_type == "Constant") continue;
    for (const std::string& value : node.outputs) {
      if (value.empty() || index.producer(value) < 0) continue;
      const auto type = types.find(value);
      if (type != types.end() && type->second.dtype != DType::kUndefined && !is_float(type->second.dtype)) continue;
      pairs.push_back({value, seen_by_readers(other.graph, index, reference_index, value)});
    }
  }
  return pairs;
}

std::vector<LayerError> layer_errors(const Model& reference, const Model& other, const std::vector<ValuePair>& pairs,
                                     const Dataset& dataset, const LayerErrorOptions& options, ProgressSink& progress,
                                     const OpenSession& open) {
  if (options.values_per_chunk < 1 || options.samples < 1)
    fail(ErrorCode::kInvalidArgument, "layer errors need at least 1 value at a time and 1 sample, not {} and {}",
         options.values_per_chunk, options.samples);
  if (dataset.size() == 0) fail(ErrorCode::kInvalidArgument, "the data has no samples: {}", dataset.description());
  const OpenSession opener = open ? open : [](const Model& model, const SessionOptions& session_options) {
    return open_session(model, session_options);
  };
  const std::optional<std::int64_t> fixed = fixed_batch(reference.graph.inputs);
  const std::int64_t batch_size = fixed.value_or(options.batch_size), count = std::min(options.samples, dataset.size());
  // The dataset outlives this call, so nobody needs to own it.
  const auto samples = subset(std::shared_ptr<const Dataset>(std::shared_ptr<void>(), &dataset),
                              sample_indices(dataset.size(), count, options.seed));
  const auto total = static_cast<std::int64_t>(pairs.size()), step = options.values_per_chunk;
  ProgressTask task(progress, "comparing layers", (total + step - 1) / step * count, "samples");
  std::vector<LayerError> errors;
  std::int64_t done = 0;
  for (std::int64_t begin = 0; begin < total; begin += step) {
    const auto chunk = std::span(pairs).subspan(static_cast<std::size_t>(begin),
                                                static_cast<std::size_t>(std::min(step, total - begin)));
    Probe first(opener, reference, names_of(chunk, &ValuePair::reference), options.session);
    Probe second(opener, other, names_of(chunk, &ValuePair::other), options.session);
    std::vector<Sums> sums(chunk.size());
    BatchReader reader(*samples, batch_size, 1);
    while (const std::optional<Batch> batch = reader.next()) {
      const std::int64_t padded = fixed.value_or(batch->size);
      const std::vector<Tensor> x = first.run(*batch, padded), y = second.run(*batch, padded);
      for (std::size_t i = 0; i < chunk.size(); ++i) sums[i].add(x[i], y[i], chunk[i]);
      task.advance(done += batch->size);
    }
    for (std::size_t i = 0; i < chunk.size(); ++i)
      if (sums[i].elements > 0) errors.push_back({chunk[i], sums[i].snr_db(), sums[i].max_abs, sums[i].elements});
  }
  std::stable_sort(errors.begin(), errors.end(),
                   [](const LayerError& a, const LayerError& b) { return a.snr_db < b.snr_db; });
  return errors;
}

}  // namespace pare
