#include "quantize/half_guard.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "core/fail.h"
#include "quantize/half.h"

namespace pare {
namespace {

constexpr std::int64_t kLargestArea = 1024;

template <std::size_t N>
bool is_one_of(const Node& node, const std::array<std::string_view, N>& ops) {
  return node.domain.empty() && std::find(ops.begin(), ops.end(), node.op_type) != ops.end();
}

constexpr std::array<std::string_view, 16> kSquares = {"ReduceSumSquare",
                                                       "ReduceL2",
                                                       "InstanceNormalization",
                                                       "LayerNormalization",
                                                       "LRN",
                                                       "LpNormalization",
                                                       "MeanVarianceNormalization",
                                                       "GroupNormalization",
                                                       "LpPool",
                                                       "RMSNormalization",
                                                       "GlobalLpPool",
                                                       "ReduceProd",
                                                       "CumProd",
                                                       "Det",
                                                       "STFT",
                                                       "DFT"};
constexpr std::array<std::string_view, 10> kExponentials = {
    "Softmax", "LogSoftmax", "Exp",   "ReduceLogSumExp",         "ReduceLogSum",
    "Sinh",    "Cosh",       "Atanh", "SoftmaxCrossEntropyLoss", "Softplus"};
constexpr std::array<std::string_view, 3> kPositions = {"RoiAlign", "MaxRoiPool", "AffineGrid"};
constexpr std::array<std::string_view, 6> kSums = {"ReduceSum",         "ReduceMean",  "ReduceL1",
                                                   "GlobalAveragePool", "AveragePool", "CumSum"};

/// How many numbers one result of a reduction is made of; nullopt: known only at run time.
std::optional<std::int64_t> reduced_count(const HalfFacts& facts, const Node& node) {
  if (node.is("AveragePool")) {
    std::int64_t area = 1;
    for (const std::int64_t size : node.ints_or("kernel_shape", {})) area *= size;
    return area;
  }
  const auto shape = facts.shape(node.input(0));
  if (!shape) return std::nullopt;
  const auto rank = static_cast<std::int64_t>(shape->size());
  std::vector<std::int64_t> axes;
  if (node.is("GlobalAveragePool")) {
    for (std::int64_t axis = 2; axis < rank; ++axis) axes.push_back(axis);
  } else if (!node.input(1).empty()) {
    const Tensor* given = facts.constant(node.input(1));
    if (!given) return std::nullopt;
    axes = given->to_int64s();
  } else {
    axes = node.ints_or("axes", {});
  }
  if (axes.empty() && !node.is("GlobalAveragePool")) {
    if (node.int_or("noop_with_empty_axes", 0) != 0) return 1;
    for (std::int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  }
  std::int64_t count = 1;
  for (std::int64_t axis : axes) {
    if (axis < 0) axis += rank;
    if (axis < 0 || axis >= rank || !(*shape)[static_cast<std::size_t>(axis)].value) return std::nullopt;
    count *= *(*shape)[static_cast<std::size_t>(axis)].value;
  }
  return count;
}

Keep keep_sum(const HalfFacts& facts, const Node& node) {
  const auto count = reduced_count(facts, node);
  if (!count) return {KeepKind::kArithmetic, fmt::format("{} sums over an area known only at run time", node.op_type)};
  if (*count > kLargestArea)
    return {KeepKind::kArithmetic,
            fmt::format("{} sums over an area of {} elements, more than {}", node.op_type, *count, kLargestArea)};
  const auto largest = facts.max_abs(node.input(0));
  if (largest && *largest * static_cast<double>(*count) > kHalfTrusted)
    return {KeepKind::kRange, fmt::format("{} sums {} elements of up to {:.4g}", node.op_type, *count, *largest)};
  return {};
}

/// x * x or x ^ 2 on its way into a sum: the middle of a variance.
bool is_square_of_variance(const HalfFacts& facts, const Node& node) {
  bool square = node.is("Mul") && node.input(0) == node.input(1);
  if (node.is("Pow"))
    if (const Tensor* exponent = facts.constant(node.input(1)); exponent && exponent->element_count() == 1)
      square = exponent->to_floats()[0] == 2;
  if (!square) return false;
  const auto& uses = facts.index().uses(node.output(0));
  return std::any_of(uses.begin(), uses.end(), [&](const GraphIndex::Use& use) {
    const Node& reader = facts.graph().nodes[static_cast<std::size_t>(use.node)];
    return is_one_of(reader, kSums);
  });
}

/// Biases and means are added to larger numbers: what vanishes there is rounding. The variance has its own check.
bool is_addend(const Node& node, std::size_t position) {
  if (node.is("BatchNormalization")) return position >= 2;
  if (node.is("LSTM") || node.is("GRU") || node.is("RNN")) return position == 3;
  return position == 2 && (node.is("Conv") || node.is("ConvTranspose") || node.is("Gemm"));
}

Keep keep_constant(const Node& node, std::size_t position, const std::string& name, const Tensor& tensor) {
  const HalfLoss loss = half_loss(tensor);
  if (loss.max_abs > kHalfTrusted)
    return {KeepKind::kConstant, fmt::format("constant '{}' reaches {:.6g}, float16 is trusted up to {:.0f}", name,
                                             loss.max_abs, kHalfTrusted)};
  if (loss.inexact_integers)
    return {KeepKind::kCoordinates,
            fmt::format("constant '{}' holds whole numbers up to {:.0f} that float16 cannot tell apart", name,
                        loss.max_abs)};
  const bool divides = (node.is("Div") && position == 1) || node.is("Reciprocal") || node.is("Sqrt") ||
                       node.is("Log") || (node.is("Pow") && position == 0);
  const std::int64_t vanishing = loss.to_zero + loss.to_subnormal;
  if (!is_addend(node, position) && vanishing > 0 && (divides || vanishing == loss.nonzero))
    return {KeepKind::kTiny,
            fmt::format("constant '{}' holds {:.4g}, below float16's normal range", name, loss.min_abs)};
  return {};
}

/// Numbers in attributes keep their float32 bits, but the arithmetic around them would not hold them.
Keep keep_attributes(const Node& node) {
  for (const Attribute& attribute : node.attributes) {
    const float* number = std::get_if<float>(&attribute.value);
    if (!number || *number == 0 || (node.is("BatchNormalization"))) continue;
    const double magnitude = std::abs(static_cast<double>(*number));
    if (magnitude > kHalfTrusted || magnitude < kHalfNormalMin)
      return {magnitude < kHalfNormalMin ? KeepKind::kTiny : KeepKind::kConstant,
              fmt::format("attribute '{}' is {:.4g}, outside float16's normal range", attribute.name, *number)};
  }
  return {};
}

/// Before: y = (x - mean) * scale / sqrt(variance + epsilon) + bias. In float16 epsilon and small variances lose
/// digits; the node may be converted if the factor of no channel moves by more than float16 would move it anyway.
Keep keep_batchnorm(const HalfFacts& facts, const Node& node) {
  const Tensor* variance = facts.constant(node.input(4));
  if (!variance || variance->dtype() != DType::kFloat32)
    return {KeepKind::kArithmetic, "the variance of BatchNormalization is no constant"};
  const double epsilon = node.float_or("epsilon", 1e-5F);
  const double half_epsilon = half_to_float(float_to_half(static_cast<float>(epsilon)));
  for (const float value : variance->data<float>()) {
    if (value > kHalfTrusted)
      return {KeepKind::kConstant, fmt::format("variance {:.4g} is beyond what float16 is trusted with", value)};
    const double exact = value + epsilon, rounded = half_to_float(float_to_half(value)) + half_epsilon;
    if (!(std::abs(std::sqrt(exact / rounded) - 1) < 0x1p-9))
      return {KeepKind::kConstant,
              fmt::format("variance {:.4g} + epsilon {:.4g} loses digits in float16", value, epsilon)};
  }
  return {};
}

Keep keep_range(const HalfFacts& facts, const std::vector<std::string>& names, const std::vector<bool>& half) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!half[i] || facts.constant(names[i])) continue;
    const auto largest = facts.max_abs(names[i]);
    if (!largest || *largest == 0) continue;
    if (*largest > kHalfTrusted)
      return {KeepKind::kRange,
              fmt::format("'{}' reaches {:.4g}, float16 is trusted up to {:.0f}", names[i], *largest, kHalfTrusted)};
    if (*largest < kHalfNormalMin)
      return {KeepKind::kRange,
              fmt::format("'{}' stays below {:.4g}, under float16's normal range", names[i], *largest)};
  }
  return {};
}

}  // namespace

Keep keep_float32(const HalfFacts& facts, const Node& node, const HalfSlots& slots) {
  if (!slots.refusal.empty()) return {KeepKind::kTypes, slots.refusal};
  if (slots.transparent) return {};
  if (node.is("BitCast")) return {KeepKind::kTypes, "BitCast reads the bits of float32"};
  if (is_one_of(node, kSquares))
    return {KeepKind::kArithmetic, fmt::format("{} sums products of large numbers", node.op_type)};
  if (is_one_of(node, kExponentials))
    return {KeepKind::kArithmetic, fmt::format("{} has exponentials or their sums", node.op_type)};
  if (is_one_of(node, kPositions)) return {KeepKind::kCoordinates, fmt::format("{} reads positions", node.op_type)};
  if (is_square_of_variance(facts, node)) return {KeepKind::kArithmetic, "squares on their way into a sum"};
  if (is_one_of(node, kSums))
    if (Keep keep = keep_sum(facts, node)) return keep;
  if (node.is("BatchNormalization"))
    if (Keep keep = keep_batchnorm(facts, node)) return keep;
  for (std::size_t i = 0; i < node.inputs.size(); ++i)
    if (const Tensor* tensor = slots.inputs[i] ? facts.constant(node.inputs[i]) : nullptr) {
      if (Keep keep = keep_constant(node, i, node.inputs[i], *tensor)) return keep;
    }
  if (const Attribute* value = node.is("ConstantOfShape") ? node.find_attribute("value") : nullptr)
    if (const Tensor* tensor = std::get_if<Tensor>(&value->value))
      if (Keep keep = keep_constant(node, 0, "value", *tensor)) return keep;
  if (Keep keep = keep_attributes(node)) return keep;
  if (Keep keep = keep_range(facts, node.inputs, slots.inputs)) return keep;
  return keep_range(facts, node.outputs, slots.outputs);
}

}  // namespace pare
