// Reductions: what is summed up goes together, the rest passes.
#include <algorithm>
#include <numeric>

#include "channels/rules.h"

namespace pare {
namespace {

Labels without_axes(Labels labels, const std::vector<std::int64_t>& axes) {
  Labels result;
  result.units = std::move(labels.units);
  for (std::int64_t axis = 0; axis < labels.rank(); ++axis)
    if (std::find(axes.begin(), axes.end(), axis) == axes.end())
      result.shape.push_back(labels.shape[static_cast<std::size_t>(axis)]);
  return result;
}

}  // namespace

void flow_reduce(NodeFlow& flow) {
  Labels labels = flow.labels(0);
  if (labels.none()) return;
  std::vector<std::int64_t> axes = flow.node().ints_or("axes", {});
  if (flow.has_input(1)) {
    const auto given = flow.integers(1);
    if (!given) return flow.freeze_inputs("the axes that it sums over are computed from data");
    axes = *given;
  }
  if (axes.empty()) {
    if (flow.node().int_or("noop_with_empty_axes", 0) != 0) return flow.set(0, std::move(labels));
    axes.resize(static_cast<std::size_t>(labels.rank()));
    std::iota(axes.begin(), axes.end(), 0);
  }
  for (std::int64_t& axis : axes) {
    axis = positive_axis(axis, labels.rank());
    labels = flow.mix(std::move(labels), axis, "it reduces over these channels");
  }
  flow.set(0, flow.node().int_or("keepdims", 1) != 0 ? std::move(labels) : without_axes(std::move(labels), axes));
}

void flow_along_axis(NodeFlow& flow) {
  Labels labels = flow.labels(0);
  if (labels.none()) return;
  std::int64_t axis = flow.node().int_or("axis", flow.node().op_type.starts_with("Arg") ? 0 : -1);
  if (flow.node().is("CumSum")) {
    const auto given = flow.integers(1);
    if (!given) return flow.freeze_inputs("the axis is computed from data");
    axis = given->at(0);
  }
  axis = positive_axis(axis, labels.rank());
  labels = flow.mix(std::move(labels), axis, "it compares or sums these channels");
  if (flow.node().op_type.starts_with("Arg") && flow.node().int_or("keepdims", 1) == 0)
    labels = without_axes(std::move(labels), {axis});
  for (std::size_t i = 0; i < flow.node().outputs.size(); ++i) flow.set(i, labels);
}

void flow_shape(NodeFlow&) {}

}  // namespace pare
