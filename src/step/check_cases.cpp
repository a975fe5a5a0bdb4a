#include "step/check_cases.h"

#include <algorithm>

#include "core/fail.h"

namespace pare {
namespace {

bool is_open(const Dim& dim) { return !dim.value || *dim.value < 0; }

std::map<std::string, Shape> shapes_of(const NamedTensors& inputs) {
  std::map<std::string, Shape> shapes;
  for (const auto& [name, tensor] : inputs) shapes.emplace(name, tensor.shape());
  return shapes;
}

/// The open first dimension that says how many samples there are: its symbol stands for the same number everywhere.
const Dim* batch_dim(const Graph& graph) {
  for (const ValueInfo& input : graph.inputs)
    if (input.shape && !input.shape->empty() && is_open(input.shape->front())) return &input.shape->front();
  return nullptr;
}

bool is_batch(const Dim& dim, std::size_t position, const Dim& batch) {
  if (!is_open(dim)) return false;
  return batch.symbol.empty() ? position == 0 : dim.symbol == batch.symbol;
}

/// The probe's shapes with another number in the batch dimension; empty if there is none.
std::map<std::string, Shape> with_batch(const Graph& graph, std::map<std::string, Shape> shapes, std::int64_t batch) {
  const Dim* open = batch_dim(graph);
  if (!open) return {};
  for (const ValueInfo& input : graph.inputs) {
    if (!input.shape || !shapes.contains(input.name)) continue;
    Shape& shape = shapes[input.name];
    for (std::size_t i = 0; i < std::min(shape.size(), input.shape->size()); ++i)
      if (is_batch((*input.shape)[i], i, *open)) shape[i] = batch;
  }
  return shapes;
}

/// The probe's shapes with the open dimensions of images `extra` larger; empty if there are none.
std::map<std::string, Shape> with_size(const Graph& graph, std::map<std::string, Shape> shapes, std::int64_t extra) {
  const Dim* batch = batch_dim(graph);
  bool changed = false;
  for (const ValueInfo& input : graph.inputs) {
    if (!input.shape || input.shape->size() != 4 || !shapes.contains(input.name)) continue;
    Shape& shape = shapes[input.name];
    for (std::size_t i = 1; i < 4; ++i) {
      const Dim& dim = (*input.shape)[i];
      // A channel count is small; what is open and at least 16 is a side of the image.
      if (!is_open(dim) || shape[i] < 16 || (batch && is_batch(dim, i, *batch))) continue;
      shape[i] += extra;
      changed = true;
    }
  }
  return changed ? shapes : std::map<std::string, Shape>{};
}

void add_real_samples(const Model& model, const Context& context, std::vector<CheckCase>& cases) {
  if (!context.data || context.data->size() == 0) return;
  constexpr std::int64_t kSamples = 8;
  // One at a time where the batch is open: images may differ in size, and a batch of two is tested anyway.
  const std::int64_t group = fixed_batch(model.graph.inputs).value_or(1);
  const std::vector<std::int64_t> chosen =
      sample_indices(context.data->size(), std::min(std::max(group, kSamples), context.data->size()), context.seed);
  for (std::int64_t first = 0; first < static_cast<std::int64_t>(chosen.size()) && first < kSamples; first += group) {
    const std::int64_t count = std::min(group, static_cast<std::int64_t>(chosen.size()) - first);
    if (count < group) break;  // a fixed batch that the data cannot fill
    const auto begin = chosen.begin() + first;
    const std::vector<std::int64_t> indices(begin, begin + count);
    cases.push_back({count == 1 ? fmt::format("real sample {}", first + 1)
                                : fmt::format("real samples {} to {}", first + 1, first + count),
                     context.data->batch(indices).inputs, false});
  }
}

}  // namespace

std::vector<CheckCase> check_cases(const Model& model, const Context& context) {
  std::vector<CheckCase> cases;
  const NamedTensors probe = probe_inputs(model, {.seed = context.seed});
  const std::map<std::string, Shape> shapes = shapes_of(probe);
  cases.push_back({fmt::format("random input, seed {}", context.seed), probe, true});
  const std::uint64_t other = context.seed + 1;
  const std::vector<ValueInfo>& inputs = model.graph.inputs;
  cases.push_back(
      {fmt::format("random input, seed {}", other), random_inputs(inputs, {.seed = other, .shapes = shapes}), false});
  if (const auto two = with_batch(model.graph, shapes, 2); !two.empty())
    cases.push_back({"batch of 2", random_inputs(inputs, {.seed = other, .shapes = two}), false});
  if (const auto larger = with_size(model.graph, shapes, 32); !larger.empty())
    cases.push_back({"second image size", random_inputs(inputs, {.seed = other, .shapes = larger}), false});
  add_real_samples(model, context, cases);
  return cases;
}

NamedTensors as_declared(const NamedTensors& inputs, const Model& model) {
  NamedTensors converted;
  for (const auto& [name, tensor] : inputs) {
    const ValueInfo* info = model.graph.find_input(name);
    const DType wanted = info ? info->dtype : tensor.dtype();
    if (wanted == tensor.dtype() || !is_float(wanted) || !is_float(tensor.dtype())) {
      converted.emplace(name, tensor);
      continue;
    }
    const std::vector<float> values = tensor.to_floats();
    if (wanted == DType::kFloat32) {
      converted.emplace(name, Tensor::of<float>(tensor.shape(), values));
    } else if (wanted == DType::kFloat64) {
      converted.emplace(name, Tensor::of<double>(tensor.shape(), std::vector<double>(values.begin(), values.end())));
    } else {
      std::vector<std::byte> bytes(values.size() * 2);
      for (std::size_t i = 0; i < values.size(); ++i) {
        const std::uint16_t bits = wanted == DType::kFloat16 ? float_to_half(values[i]) : float_to_bfloat16(values[i]);
        bytes[2 * i] = static_cast<std::byte>(bits & 0xff);
        bytes[2 * i + 1] = static_cast<std::byte>(bits >> 8);
      }
      converted.emplace(name, Tensor::from_bytes(wanted, tensor.shape(), std::move(bytes)));
    }
  }
  return converted;
}

}  // namespace pare
