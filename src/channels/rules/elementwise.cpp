// Activations and arithmetic: what meets, element by element, goes together.
#include <algorithm>

#include "channels/cutter.h"
#include "channels/rules.h"

namespace pare {
namespace {

constexpr const char* kOtherStays = "it meets values whose channels stay";

bool live(const Operand& operand) { return !operand.labels.none(); }

/// Ties a live operand to what has been joined so far; `whole` is the shape of that.
Labels join_two(NodeFlow& flow, const Labels& joined, const Shape& whole, const Operand& other) {
  std::vector<std::int64_t> axes = joined.axes(), more = other.labels.axes();
  axes.insert(axes.end(), more.begin(), more.end());
  const auto size = [](const Shape& shape, std::int64_t axis) { return shape[static_cast<std::size_t>(axis)]; };
  const bool apart = std::any_of(axes.begin(), axes.end(), [&](std::int64_t axis) {
    return (size(whole, axis) == 1) != (size(other.shape, axis) == 1);
  });
  if (apart) {
    constexpr const char* kOuter = "it spreads these channels over others";
    // One channel that is spread over many imposes nothing on them.
    if (more.empty()) {
      flow.freeze(other.labels, kOuter);
      return joined;
    }
    flow.freeze(joined, kOuter);
    if (joined.axes().empty()) return other.labels;
    flow.freeze(other.labels, kOuter);
    return joined;
  }
  Shape both = joined.shape;
  for (std::size_t i = 0; i < both.size(); ++i) both[i] = std::max(both[i], other.labels.shape[i]);
  Labels a = expand(joined, both);
  flow.tie(a, expand(other.labels, both), kOtherStays);
  return a;
}

}  // namespace

Labels join_operands(NodeFlow& flow, std::vector<Operand> operands, const Shape& out) {
  for (Operand& operand : operands) {
    operand.labels.shape.insert(operand.labels.shape.begin(), out.size() - operand.labels.shape.size(), 1);
    operand.shape.insert(operand.shape.begin(), out.size() - operand.shape.size(), 1);
  }
  std::stable_partition(operands.begin(), operands.end(), live);
  Labels joined = operands.at(0).labels;
  Shape whole = operands.at(0).shape;
  if (joined.none()) return joined;
  for (std::size_t i = 1; i < operands.size(); ++i) {
    const Operand& other = operands[i];
    if (live(other)) {
      joined = join_two(flow, joined, whole, other);
    } else {  // it stays: so does every axis along which it has more than one element
      for (const std::int64_t axis : joined.axes())
        if (other.shape[static_cast<std::size_t>(axis)] > 1) joined = flow.mix(std::move(joined), axis, kOtherStays);
    }
    for (std::size_t axis = 0; axis < whole.size(); ++axis) whole[axis] = std::max(whole[axis], other.shape[axis]);
  }
  return joined;
}

void follow_output(NodeFlow& flow, std::size_t input, std::size_t output) {
  const auto offset = static_cast<std::int64_t>(flow.out_shape(output).size() - flow.shape(input).size());
  flow.edit([node = flow.index(), input, offset, shape = flow.shape(input),
             value = flow.node().output(output)](Cutter& cutter) {
    for (std::size_t axis = 0; axis < shape.size(); ++axis)
      if (shape[axis] > 1)
        cutter.cut_constant(node, input, static_cast<std::int64_t>(axis),
                            cutter.kept_along(value, static_cast<std::int64_t>(axis) + offset));
  });
}

void flow_unary(NodeFlow& flow) { flow.set(0, flow.labels(0)); }

void flow_elementwise(NodeFlow& flow) {
  const Shape& out = flow.out_shape();
  std::vector<Operand> operands;
  for (std::size_t i = 0; i < flow.node().inputs.size(); ++i)
    if (flow.has_input(i) && !flow.is_constant(i)) operands.push_back({flow.labels(i), flow.shape(i)});
  if (operands.empty()) return;
  Labels joined = join_operands(flow, std::move(operands), out);
  if (joined.none()) return;
  for (std::size_t i = 0; i < flow.node().inputs.size(); ++i)
    if (flow.has_input(i) && flow.is_constant(i)) follow_output(flow, i);
  flow.set(0, std::move(joined));
}

}  // namespace pare
