// Reshape and its kin: labels move as the data moves.
#include <algorithm>
#include <numeric>

#include "channels/cutter.h"
#include "channels/rules.h"

namespace pare {
namespace {

/// Sizes that a list of the node's spells, [output axis] = size, follow the output.
void spell_sizes(NodeFlow& flow, std::size_t list, bool zero_copies) {
  flow.edit([node = flow.index(), list, zero_copies, old = flow.integers(list), in = flow.node().input(0),
             in_rank = flow.shape(0).size(), out = flow.node().output(0),
             rank = flow.out_shape().size()](Cutter& cutter) {
    std::map<std::int64_t, std::int64_t> entries;
    for (std::size_t i = 0; i < rank; ++i) {
      const auto axis = static_cast<std::int64_t>(i);
      const std::int64_t size = cutter.new_size(out, axis);
      if (size == cutter.old_size(out, axis)) continue;
      const std::int64_t spelt = old && i < old->size() ? (*old)[i] : size;
      if (spelt == -1 || (old && spelt == 1)) continue;
      if (zero_copies && spelt == 0 && i < in_rank && cutter.new_size(in, axis) == size) continue;
      entries[axis] = size;
    }
    cutter.set_entries(node, list, entries);
  });
}

}  // namespace

void flow_same_elements(NodeFlow& flow) { flow.set(0, reshape(flow.labels(0), flow.shape(0), flow.out_shape())); }

void flow_reshape(NodeFlow& flow) {
  if (flow.labels(0).none()) return;
  if (!flow.has_input(1)) return flow.freeze_inputs("the shape is an attribute; the step 'rewrite' raises the opset");
  flow_same_elements(flow);
  spell_sizes(flow, 1, flow.node().int_or("allowzero", 0) == 0);
}

void flow_transpose(NodeFlow& flow) {
  std::vector<std::int64_t> reversed(flow.shape(0).size());
  for (std::size_t i = 0; i < reversed.size(); ++i) reversed[i] = static_cast<std::int64_t>(reversed.size() - 1 - i);
  flow.set(0, transpose(flow.labels(0), flow.node().ints_or("perm", reversed)));
}

void flow_expand(NodeFlow& flow) {
  Labels labels = flow.labels(0);
  if (labels.none()) return;
  const std::size_t more = flow.out_shape().size() - flow.shape(0).size();
  labels.shape.insert(labels.shape.begin(), more, 1);
  flow.set(0, std::move(labels));
  if (more == 0)
    spell_sizes(flow, 1, false);
  else
    flow.edit([node = flow.index(), out = flow.node().output(0), rank = flow.out_shape().size()](Cutter& cutter) {
      std::map<std::int64_t, std::int64_t> entries;
      for (std::int64_t axis = 0; axis < static_cast<std::int64_t>(rank); ++axis)
        if (cutter.new_size(out, axis) != cutter.old_size(out, axis)) entries[axis] = cutter.new_size(out, axis);
      cutter.set_entries(node, 1, entries);
    });
}

void flow_tile(NodeFlow& flow) {
  Labels labels = flow.labels(0);
  if (labels.none()) return;
  for (const std::int64_t axis : labels.axes()) {
    const auto a = static_cast<std::size_t>(axis);
    const std::int64_t size = flow.shape(0)[a];
    std::vector<std::int64_t> positions(static_cast<std::size_t>(flow.out_shape()[a]));
    for (std::size_t i = 0; i < positions.size(); ++i) positions[i] = static_cast<std::int64_t>(i) % size;
    labels = take(labels, axis, positions);
  }
  flow.set(0, std::move(labels));
}

namespace {

/// Channels lie on other axes than the one that is joined: they are the same in all parts.
void concat_across(NodeFlow& flow, std::int64_t axis) {
  const auto a = static_cast<std::size_t>(axis);
  const auto alone = [&](Shape shape) {
    shape[a] = 1;
    return shape;
  };
  std::vector<Operand> operands;
  for (std::size_t i = 0; i < flow.node().inputs.size(); ++i)
    if (!flow.is_constant(i)) operands.push_back({flow.labels(i), alone(flow.shape(i))});
  flow.set(0, join_operands(flow, std::move(operands), alone(flow.out_shape())));
  for (std::size_t i = 0; i < flow.node().inputs.size(); ++i)
    if (flow.is_constant(i))
      flow.edit([node = flow.index(), i, axis, shape = flow.shape(i), out = flow.node().output(0)](Cutter& cutter) {
        for (std::int64_t other = 0; other < static_cast<std::int64_t>(shape.size()); ++other)
          if (other != axis && shape[static_cast<std::size_t>(other)] > 1)
            cutter.cut_constant(node, i, other, cutter.kept_along(out, other));
      });
}

}  // namespace

void flow_concat(NodeFlow& flow) {
  const std::size_t count = flow.node().inputs.size();
  const std::int64_t axis =
      positive_axis(flow.node().int_or("axis", 1), static_cast<std::int64_t>(flow.out_shape().size()));
  std::vector<Labels> parts;
  bool along = false, any = false;
  for (std::size_t i = 0; i < count; ++i) {
    parts.push_back(flow.labels(i));
    const bool labelled = !parts.back().none();
    any = any || labelled;
    along = along || (labelled && (parts.back().varies(axis) || parts.back().axes().empty()));
  }
  if (!any) return;
  if (!along) return concat_across(flow, axis);
  for (std::size_t i = 0; i < count; ++i) {
    parts[i] = flow.only_axis(std::move(parts[i]), axis, "it joins unlike parts");
    parts[i] = expand_axis(parts[i], axis, flow.shape(i)[static_cast<std::size_t>(axis)]);
  }
  flow.set(0, concat(parts, axis));
}

void flow_pad(NodeFlow& flow) {
  Labels labels = flow.labels(0);
  if (labels.none()) return;
  const auto rank = static_cast<std::int64_t>(flow.shape(0).size());
  const bool listed = flow.has_input(1);
  std::vector<std::int64_t> axes(static_cast<std::size_t>(rank));
  std::iota(axes.begin(), axes.end(), 0);
  if (flow.has_input(3))
    if (const auto given = flow.integers(3)) axes = *given;
  std::optional<std::vector<std::int64_t>> pads =
      listed ? flow.integers(1) : std::optional(flow.node().ints_or("pads", flow.node().ints_or("paddings", {})));
  if (!pads || pads->size() != 2 * axes.size()) return flow.freeze_inputs("how far it pads is computed from data");
  const bool constant = flow.node().string_or("mode", "constant") == "constant";
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::int64_t axis = positive_axis(axes[i], rank);
    const std::int64_t before = (*pads)[i], after = (*pads)[i + axes.size()];
    if (before == 0 && after == 0) continue;
    if (labels.axes().empty()) flow.freeze(labels, "it pads the one channel");
    if (!labels.varies(axis)) continue;
    if (!constant || before < 0 || after < 0) {
      labels = flow.mix(std::move(labels), axis, "it does not pad channels with a constant");
      continue;
    }
    // Channels of nothing but the constant: each can go with whatever it is added to.
    const std::vector<Unit> first = flow.produce(before), last = flow.produce(after);
    Shape shape = labels.shape;
    const auto block = [&](const std::vector<Unit>& units) {
      shape[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(units.size());
      return expand(labels_along(rank, axis, units), shape);
    };
    std::vector<Labels> parts;
    if (!first.empty()) parts.push_back(block(first));
    parts.push_back(labels);
    if (!last.empty()) parts.push_back(block(last));
    labels = concat(parts, axis);
    flow.edit([node = flow.index(), listed, i, end = i + axes.size(), first, last](Cutter& cutter) {
      const auto begin_pads = static_cast<std::int64_t>(cutter.kept(first).size());
      const auto end_pads = static_cast<std::int64_t>(cutter.kept(last).size());
      if (listed) {
        cutter.set_entries(node, 1,
                           {{static_cast<std::int64_t>(i), begin_pads}, {static_cast<std::int64_t>(end), end_pads}});
        return;
      }
      const char* name = cutter.node(node).find_attribute("pads") != nullptr ? "pads" : "paddings";
      std::vector<std::int64_t> values = cutter.node(node).ints_or(name, {});
      values[i] = begin_pads;
      values[end] = end_pads;
      cutter.node(node).set_attribute(name, values);
    });
  }
  flow.set(0, std::move(labels));
}

}  // namespace pare
