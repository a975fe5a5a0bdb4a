#include "step/compare_outputs.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_set>

#include "core/fail.h"

namespace pare {
namespace {

bool is_quantizing(const Node& node) {
  const std::string& op = node.op_type;
  return op == "QuantizeLinear" || op == "DequantizeLinear" || op == "DynamicQuantizeLinear" ||
         op.starts_with("QLinear") || op.ends_with("Integer");
}

std::string index_text(std::int64_t flat, const Shape& shape) {
  Shape index(shape.size(), 0);
  for (std::size_t i = shape.size(); i-- > 0;) {
    index[i] = shape[i] > 0 ? flat % shape[i] : 0;
    flat = shape[i] > 0 ? flat / shape[i] : 0;
  }
  return shape_text(index);
}

/// An output that cannot be judged by numbers: different type or shape, strings.
std::optional<OutputDifference> compare_kind(const std::string& name, const Tensor& expected, const Tensor& actual) {
  constexpr double kFar = std::numeric_limits<double>::infinity();
  if (expected.shape() != actual.shape())
    return OutputDifference{kFar,
                            fmt::format("output '{}': shape {} instead of {}", name, shape_text(actual.shape()),
                                        shape_text(expected.shape())),
                            false};
  if (is_float(expected.dtype()) && is_float(actual.dtype())) return std::nullopt;
  if (expected.dtype() != actual.dtype())
    return OutputDifference{
        kFar,
        fmt::format("output '{}': {} instead of {}", name, dtype_name(actual.dtype()), dtype_name(expected.dtype())),
        false};
  if (expected.dtype() == DType::kString && expected.strings() != actual.strings())
    return OutputDifference{kFar, fmt::format("output '{}': other strings", name), false};
  if (expected.dtype() == DType::kString) return OutputDifference{0, fmt::format("output '{}': equal", name), true};
  return std::nullopt;
}

OutputDifference compare_integers(const std::string& name, const Tensor& expected, const Tensor& actual) {
  const std::vector<std::int64_t> a = expected.to_int64s(), b = actual.to_int64s();
  std::int64_t unequal = 0, first = -1;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i] != b[i] && unequal++ == 0) first = static_cast<std::int64_t>(i);
  if (unequal == 0) return {0, fmt::format("output '{}': equal", name), true};
  const auto count = static_cast<std::int64_t>(a.size());
  return {static_cast<double>(unequal) / static_cast<double>(count),
          fmt::format("output '{}': {} of {} elements differ, the first at {} ({} instead of {})", name, unequal, count,
                      index_text(first, expected.shape()), b[static_cast<std::size_t>(first)],
                      a[static_cast<std::size_t>(first)]),
          unequal <= count / 10'000};
}

OutputDifference compare_floats(const std::string& name, const Tensor& expected, const Tensor& actual,
                                const OutputTolerance& tolerance) {
  const bool saturating =
      std::find(tolerance.saturating.begin(), tolerance.saturating.end(), name) != tolerance.saturating.end();
  const double rounding = saturating ? 2.4e-7 : 0;
  const std::vector<float> a = expected.to_floats(), b = actual.to_floats();
  double low = std::numeric_limits<double>::infinity(), high = -low, largest = 0, worst = 0, squares = 0;
  std::int64_t at = 0, finite = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = a[i], y = b[i];
    if (x == y || (std::isnan(x) && std::isnan(y))) {
      if (!std::isfinite(x)) continue;
    } else if (!std::isfinite(x) || !std::isfinite(y)) {
      return {std::numeric_limits<double>::infinity(),
              fmt::format("output '{}': {} instead of {} at {}", name, y, x,
                          index_text(static_cast<std::int64_t>(i), expected.shape())),
              false};
    }
    low = std::min(low, x), high = std::max(high, x), largest = std::max(largest, std::abs(x));
    squares += (x - y) * (x - y), ++finite;
    if (std::abs(x - y) > worst) worst = std::abs(x - y), at = static_cast<std::int64_t>(i);
  }
  if (worst == 0) return {0, fmt::format("output '{}': equal", name), true};
  // A constant output has no range: then its size serves.
  const double range = high > low ? high - low : std::max(largest, 1e-30);
  const double measured = tolerance.mean_square ? std::sqrt(squares / static_cast<double>(finite)) : worst;
  return {
      measured / range,
      fmt::format("output '{}': {} difference {:.2g} of the range at {} ({} instead of {})", name,
                  tolerance.mean_square ? "root mean square" : "max", measured / range,
                  index_text(at, expected.shape()), b[static_cast<std::size_t>(at)], a[static_cast<std::size_t>(at)]),
      measured <= std::max(tolerance.share * range + 1e-6 * largest, rounding)};
}

DType float_type_of(const Graph& graph) {
  const auto is_half = [](DType dtype) { return dtype == DType::kFloat16 || dtype == DType::kBFloat16; };
  for (const auto& entry : graph.initializers)
    if (is_half(entry.tensor.dtype())) return DType::kFloat16;
  for (const Node& node : graph.nodes)  // weights of 16 bits may also stand in Constant nodes, or be made by Casts
    if (node.is("Cast") && is_half(static_cast<DType>(node.int_or("to", 0)))) return DType::kFloat16;
  for (const ValueInfo& input : graph.inputs)
    if (is_half(input.dtype)) return DType::kFloat16;
  return DType::kFloat32;
}

}  // namespace

OutputTolerance tolerance_for(const Model& model) {
  const Graph& graph = model.graph;
  OutputTolerance tolerance;
  if (std::any_of(graph.nodes.begin(), graph.nodes.end(), is_quantizing)) {
    tolerance.share = 0.05;
    tolerance.mean_square = true;
  } else if (float_type_of(graph) == DType::kFloat16) {
    // With optimizations off every node rounds to 16 bits, with them on only some do: single elements of a deep network
    // may differ by more than 2 % of the range.
    tolerance.share = 0.02;
    tolerance.mean_square = true;
  }
  // What such an operator makes keeps its scale where it is only moved, joined or averaged.
  std::unordered_set<std::string> saturated;
  for (const Node& node : graph.nodes) {
    for (const char* op : {"Sigmoid", "HardSigmoid", "Softmax", "Tanh", "Erf"})
      if (node.is(op)) saturated.insert(node.output(0));
    for (const char* op : {"ReduceMean", "Concat", "Reshape", "Transpose", "Slice", "Gather", "Unsqueeze", "Squeeze",
                           "Identity", "Flatten"})
      if (node.is(op) && saturated.contains(node.input(0))) saturated.insert(node.outputs.begin(), node.outputs.end());
  }
  for (const ValueInfo& output : graph.outputs)
    if (saturated.contains(output.name)) tolerance.saturating.push_back(output.name);
  return tolerance;
}

OutputDifference compare_outputs(const std::vector<ValueInfo>& outputs, const std::vector<Tensor>& expected,
                                 const std::vector<Tensor>& actual, const OutputTolerance& tolerance) {
  if (expected.size() != actual.size())
    return {std::numeric_limits<double>::infinity(),
            fmt::format("{} outputs instead of {}", actual.size(), expected.size()), false};
  OutputDifference worst{0, "equal", true};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const std::string name = i < outputs.size() ? outputs[i].name : std::to_string(i);
    OutputDifference one;
    if (auto kind = compare_kind(name, expected[i], actual[i]))
      one = *kind;
    else if (is_float(expected[i].dtype()))
      one = compare_floats(name, expected[i], actual[i], tolerance);
    else
      one = compare_integers(name, expected[i], actual[i]);
    if ((worst.within && !one.within) || (worst.within == one.within && one.share > worst.share)) worst = one;
  }
  return worst;
}

}  // namespace pare
