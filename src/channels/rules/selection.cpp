// Slice, Split, Gather: parts of what there is.
#include <algorithm>
#include <numeric>

#include "channels/cutter.h"
#include "channels/rules.h"

namespace pare {
namespace {

struct SliceSpec {
  std::vector<std::int64_t> starts, ends, axes, steps;
  bool attributes = false;
};

std::optional<SliceSpec> slice_spec(const NodeFlow& flow) {
  SliceSpec spec;
  const auto rank = static_cast<std::int64_t>(flow.shape(0).size());
  spec.attributes = flow.node().find_attribute("starts") != nullptr;
  if (spec.attributes) {
    spec.starts = flow.node().ints_or("starts", {});
    spec.ends = flow.node().ints_or("ends", {});
    spec.axes = flow.node().ints_or("axes", {});
  } else {
    const auto starts = flow.integers(1), ends = flow.integers(2);
    if (!starts || !ends) return std::nullopt;
    spec.starts = *starts;
    spec.ends = *ends;
    for (const std::size_t input : {3U, 4U}) {
      if (!flow.has_input(input)) continue;
      const auto values = flow.integers(input);
      if (!values) return std::nullopt;
      (input == 3 ? spec.axes : spec.steps) = *values;
    }
  }
  if (spec.axes.empty()) {
    spec.axes.resize(spec.starts.size());
    std::iota(spec.axes.begin(), spec.axes.end(), 0);
  }
  if (spec.steps.empty()) spec.steps.assign(spec.starts.size(), 1);
  for (std::int64_t& axis : spec.axes) axis = positive_axis(axis, rank);
  return spec;
}

/// Start and end within [0, size] for a step of 1.
std::pair<std::int64_t, std::int64_t> clamp_range(std::int64_t start, std::int64_t end, std::int64_t size) {
  if (start < 0) start += size;
  if (end < 0) end += size;
  start = std::clamp<std::int64_t>(start, 0, size);
  return {start, std::clamp<std::int64_t>(end, start, size)};
}

std::int64_t below(const std::vector<std::int64_t>& positions, std::int64_t limit) {
  return std::lower_bound(positions.begin(), positions.end(), limit) - positions.begin();
}

/// The ranges in terms of what stays.
void edit_slice(NodeFlow& flow, const SliceSpec& spec, const std::vector<bool>& cut) {
  const bool all_cut = std::find(cut.begin(), cut.end(), false) == cut.end();
  flow.edit([node = flow.index(), spec, cut, all_cut, value = flow.node().input(0)](Cutter& cutter) {
    std::vector<std::int64_t> starts = spec.starts, ends = spec.ends;
    std::map<std::int64_t, std::int64_t> new_starts, new_ends;
    for (std::size_t i = 0; i < cut.size(); ++i) {
      if (!cut[i]) continue;
      const std::vector<std::int64_t> kept = cutter.kept_along(value, spec.axes[i]);
      const std::int64_t size = cutter.old_size(value, spec.axes[i]);
      if (static_cast<std::int64_t>(kept.size()) == size) continue;
      const auto [start, end] = clamp_range(starts[i], ends[i], size);
      const auto at = static_cast<std::int64_t>(i);
      new_starts[at] = starts[i] = below(kept, start);
      new_ends[at] = ends[i] = below(kept, end);
    }
    if (new_starts.empty()) return;
    if (spec.attributes) {
      cutter.node(node).set_attribute("starts", starts);
      cutter.node(node).set_attribute("ends", ends);
    } else if (all_cut) {  // however they were computed
      cutter.set_integers(node, 1, starts);
      cutter.set_integers(node, 2, ends);
    } else {
      cutter.set_entries(node, 1, new_starts);
      cutter.set_entries(node, 2, new_ends);
    }
  });
}

}  // namespace

void flow_slice(NodeFlow& flow) {
  Labels labels = flow.labels(0);
  if (labels.none()) return;
  const std::optional<SliceSpec> spec = slice_spec(flow);
  if (!spec) return flow.freeze_inputs("where it slices is computed from data");
  std::vector<bool> cut(spec->axes.size(), false);
  for (std::size_t i = 0; i < spec->axes.size(); ++i) {
    const std::int64_t axis = spec->axes[i];
    if (!labels.varies(axis)) continue;
    if (spec->steps[i] != 1) {
      labels = flow.mix(std::move(labels), axis, "it takes channels in steps");
      continue;
    }
    const auto [start, end] =
        clamp_range(spec->starts[i], spec->ends[i], flow.shape(0)[static_cast<std::size_t>(axis)]);
    if (start == end) return flow.freeze_inputs("it takes nothing");
    std::vector<std::int64_t> positions(static_cast<std::size_t>(end - start));
    std::iota(positions.begin(), positions.end(), start);
    labels = take(labels, axis, positions);
    cut[i] = true;
  }
  flow.set(0, std::move(labels));
  if (std::find(cut.begin(), cut.end(), true) != cut.end()) edit_slice(flow, *spec, cut);
}

void flow_split(NodeFlow& flow) {
  const Labels labels = flow.labels(0);
  if (labels.none()) return;
  const std::int64_t axis =
      positive_axis(flow.node().int_or("axis", 0), static_cast<std::int64_t>(flow.shape(0).size()));
  const auto a = static_cast<std::size_t>(axis);
  if (!labels.varies(axis)) {
    for (std::size_t i = 0; i < flow.node().outputs.size(); ++i) flow.set(i, labels);
    return;
  }
  std::int64_t start = 0;
  std::vector<std::int64_t> sizes;
  for (std::size_t i = 0; i < flow.node().outputs.size(); ++i) {
    if (flow.node().output(i).empty()) return flow.freeze_inputs("a part of it is left out");
    sizes.push_back(flow.out_shape(i)[a]);
    std::vector<std::int64_t> positions(static_cast<std::size_t>(sizes.back()));
    std::iota(positions.begin(), positions.end(), start);
    start += sizes.back();
    flow.set(i, take(labels, axis, positions));
  }
  const bool attribute = flow.opset() < 13;
  flow.edit([node = flow.index(), axis, sizes, attribute, outputs = flow.node().outputs](Cutter& cutter) {
    std::vector<std::int64_t> kept;
    for (const std::string& output : outputs) kept.push_back(cutter.new_size(output, axis));
    if (kept == sizes) return;
    if (attribute) return cutter.node(node).set_attribute("split", kept);
    cutter.node(node).remove_attribute("num_outputs");
    cutter.set_integers(node, 1, kept);
  });
}

void flow_gather(NodeFlow& flow) {
  Labels labels = flow.labels(0);
  if (flow.is_constant(0)) return flow.freeze_inputs("it looks channels up in a table");
  if (labels.none()) return flow.freeze_inputs("its indices are computed from these channels");
  const std::int64_t axis =
      positive_axis(flow.node().int_or("axis", 0), static_cast<std::int64_t>(flow.shape(0).size()));
  const auto a = static_cast<std::size_t>(axis);
  const Shape index_shape = flow.shape(1);
  const std::int64_t size = flow.shape(0)[a];
  std::vector<std::int64_t> positions;
  if (labels.varies(axis)) {
    const auto known = flow.integers(1);
    if (!known || known->empty()) return flow.freeze_inputs("which channels it takes is computed from data");
    for (const std::int64_t index : *known) positions.push_back(positive_axis(index, size));
    labels = take(labels, axis, positions);
  } else {
    positions.assign(1, 0);
  }
  const bool varies = labels.shape[a] > 1 || positions.size() > 1;
  const bool indexed = flow.labels(0).varies(axis);
  // The axis becomes the axes of the indices.
  labels.shape.erase(labels.shape.begin() + axis);
  for (std::size_t i = 0; i < index_shape.size(); ++i)
    labels.shape.insert(labels.shape.begin() + axis + static_cast<std::ptrdiff_t>(i), varies ? index_shape[i] : 1);
  flow.set(0, std::move(labels));
  if (!indexed) return;
  flow.edit([node = flow.index(), axis, positions, index_shape, in = flow.node().input(0),
             out = flow.node().output(0)](Cutter& cutter) {
    const std::vector<std::int64_t> kept = cutter.kept_along(in, axis);
    if (static_cast<std::int64_t>(kept.size()) == cutter.old_size(in, axis)) return;
    Tensor indices = Tensor::of<std::int64_t>(index_shape, positions);
    for (std::size_t i = 0; i < index_shape.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      indices = take_positions(indices, at, cutter.kept_along(out, axis + at));
    }
    std::vector<std::int64_t> moved;
    for (const std::int64_t position : indices.data<std::int64_t>()) moved.push_back(below(kept, position));
    cutter.set_constant(node, 1, Tensor::of<std::int64_t>(indices.shape(), moved));
  });
}

}  // namespace pare
