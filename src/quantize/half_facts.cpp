#include "quantize/half_facts.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/fail.h"
#include "core/words.h"

namespace pare {
namespace {

constexpr std::int64_t kMostSamples = 128;
constexpr std::int64_t kRandomRuns = 8;

/// Values that nodes make and whose type may matter, in node order; what is an output already is not asked for twice.
std::vector<std::string> inner_values(const Model& model) {
  std::vector<std::string> names;
  const ValueTypes types = infer_types(model);
  for (const Node& node : model.graph.nodes)
    for (const std::string& output : node.outputs) {
      if (output.empty() || node.is("Constant") || model.graph.find_output(output)) continue;
      const auto found = types.find(output);
      if (found != types.end() && !found->second.opaque_type.empty()) continue;
      names.push_back(output);
    }
  return names;
}

void widen(MeasuredRanges& ranges, const std::string& name, const Tensor& tensor) {
  if (tensor.empty()) return;
  ranges.dtypes[name] = tensor.dtype();
  if (tensor.dtype() == DType::kString || dtype_bits(tensor.dtype()) < 8 || dtype_name(tensor.dtype())[0] == 'c')
    return;
  double& max_abs = ranges.max_abs.try_emplace(name, 0.0).first->second;
  for (const float value : tensor.to_floats()) {
    if (std::isnan(value)) continue;
    max_abs = std::max(max_abs, std::abs(static_cast<double>(value)));
  }
}

void run_once(Session& session, const NamedTensors& inputs, MeasuredRanges& ranges) {
  const std::vector<Tensor> results = session.run(inputs);
  for (const auto& [name, tensor] : inputs) widen(ranges, name, tensor);
  for (std::size_t i = 0; i < results.size(); ++i) widen(ranges, session.outputs()[i].name, results[i]);
  ranges.inputs = inputs;
}

/// A fixed first dimension decides the batch; else four samples at a time keep the memory of all inner values small.
std::int64_t batch_size(const Model& model, std::int64_t samples) {
  for (const ValueInfo& input : model.graph.inputs)
    if (input.shape && !input.shape->empty() && input.shape->front().value)
      return std::max<std::int64_t>(1, *input.shape->front().value);
  return std::clamp<std::int64_t>(samples, 1, 4);
}

void run_samples(const Model& model, Session& session, Context& context, MeasuredRanges& ranges) {
  const std::int64_t count = std::min(context.data->size(), kMostSamples);
  const std::int64_t batch = batch_size(model, count);
  if (count < batch)
    fail(ErrorCode::kInvalidArgument,
         "the data has {} samples, the network takes {} at a time\n  remedy: give more samples", count, batch);
  const std::vector<std::int64_t> indices = sample_indices(context.data->size(), count, context.seed);
  ProgressTask task(*context.progress, "measuring ranges", count, "samples");
  for (std::int64_t first = 0; first + batch <= count; first += batch) {
    run_once(session, context.data->batch({indices.data() + first, static_cast<std::size_t>(batch)}).inputs, ranges);
    ranges.samples += batch;
    task.advance(ranges.samples);
  }
  ranges.note =
      fmt::format("ranges measured on {} samples of {}", with_commas(ranges.samples), context.data->description());
}

void run_made_up(const Model& model, Session& session, Context& context, bool random, MeasuredRanges& ranges) {
  InputOptions options;
  options.seed = context.seed;
  const NamedTensors probe = probe_inputs(model, options);
  run_once(session, probe, ranges);
  ranges.samples = 1;
  if (!random) {
    ranges.note = "ranges measured on one made-up input: real data may exceed them; give data to be sure";
    return;
  }
  for (const auto& [name, tensor] : probe) options.shapes[name] = tensor.shape();
  for (; ranges.samples < kRandomRuns; ++ranges.samples) {
    options.seed = context.seed + static_cast<std::uint64_t>(ranges.samples);
    run_once(session, random_inputs(model.graph.inputs, options), ranges);
  }
  ranges.note = fmt::format("ranges measured on {} random inputs: real data may exceed them", ranges.samples);
}

}  // namespace

MeasuredRanges measure_ranges(const Model& model, Context& context, bool allow_random) {
  MeasuredRanges ranges;
  std::unique_ptr<Session> session;
  try {
    SessionOptions options = context.session;
    options.optimize = false;  // fused nodes would hide values
    options.profile = false;
    options.force_float32 = true;
    options.extra_outputs = inner_values(model);
    session = open_session(model, options);
    if (!context.data) {
      run_made_up(model, *session, context, allow_random, ranges);
      return ranges;
    }
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInterrupted) throw;
    ranges = {};
    ranges.note = fmt::format("no ranges were measured, only constants and types decide: {}", error.what());
    return ranges;
  }
  // With real data a failure is the user's to know: wrong shape, unreadable file.
  run_samples(model, *session, context, ranges);
  return ranges;
}

HalfFacts::HalfFacts(const Model& model, MeasuredRanges measured)
    : model_(model), index_(model.graph), measured_(std::move(measured)), types_(infer_types(model)) {
  for (const auto& entry : model.graph.initializers) constants_.emplace(entry.name, entry.tensor);
  Graph single;  // Graph::constant reads every spelling of a Constant node, but searches the whole graph
  single.nodes.resize(1);
  for (const Node& node : model.graph.nodes) {
    if (!node.is("Constant")) continue;
    single.nodes[0] = node;
    if (Tensor tensor = single.constant(node.output(0)); !tensor.empty())
      constants_.emplace(node.output(0), std::move(tensor));
  }
}

const Tensor* HalfFacts::constant(std::string_view value) const noexcept {
  const auto found = constants_.find(std::string(value));
  return found == constants_.end() ? nullptr : &found->second;
}

DType HalfFacts::dtype(std::string_view value) const noexcept {
  if (const Tensor* tensor = constant(value)) return tensor->dtype();
  const std::string name(value);
  if (const auto found = types_.find(name); found != types_.end() && found->second.dtype != DType::kUndefined)
    return found->second.dtype;
  if (const ValueInfo* input = graph().find_input(value)) return input->dtype;
  const auto found = measured_.dtypes.find(name);
  return found == measured_.dtypes.end() ? DType::kUndefined : found->second;
}

std::optional<std::vector<Dim>> HalfFacts::shape(std::string_view value) const {
  if (const Tensor* tensor = constant(value)) {
    std::vector<Dim> dims;
    for (const std::int64_t size : tensor->shape()) dims.push_back({.value = size, .symbol = {}, .denotation = {}});
    return dims;
  }
  const auto found = types_.find(std::string(value));
  return found == types_.end() ? std::nullopt : found->second.shape;
}

std::optional<double> HalfFacts::max_abs(std::string_view value) const {
  const auto found = measured_.max_abs.find(std::string(value));
  if (found == measured_.max_abs.end()) return std::nullopt;
  return found->second;
}

}  // namespace pare
