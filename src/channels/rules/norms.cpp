// Normalizations: those over space pass, those over channels hold them together.
#include "channels/cutter.h"
#include "channels/rules.h"

namespace pare {
namespace {

void follow_channels(NodeFlow& flow, std::size_t first, std::size_t last) {
  for (std::size_t input = first; input <= last; ++input)
    if (flow.has_input(input))
      flow.edit([node = flow.index(), input, out = flow.node().output(0)](Cutter& cutter) {
        cutter.cut_constant(node, input, 0, cutter.kept_along(out, 1));
      });
}

bool constant_parameters(NodeFlow& flow, std::size_t first, std::size_t last) {
  for (std::size_t input = first; input <= last; ++input)
    if (flow.has_input(input) && !flow.is_constant(input)) {
      flow.freeze_inputs("its parameters are computed from data");
      return false;
    }
  return true;
}

}  // namespace

void flow_batchnorm(NodeFlow& flow) {
  if (!constant_parameters(flow, 1, 4)) return;
  flow.set(0, flow.labels(0));
  follow_channels(flow, 1, 4);
}

void flow_instancenorm(NodeFlow& flow) {
  if (!constant_parameters(flow, 1, 2)) return;
  Labels labels = flow.labels(0);
  for (std::int64_t axis = 2; axis < labels.rank(); ++axis)
    labels = flow.mix(std::move(labels), axis, "it normalizes over these elements");
  flow.set(0, std::move(labels));
  follow_channels(flow, 1, 2);
}

void flow_groupnorm(NodeFlow& flow) {
  if (!constant_parameters(flow, 1, 2)) return;
  const std::int64_t channels = flow.shape(0)[1], groups = flow.node().int_or("num_groups", 1);
  const Labels data = flow.only_axis(flow.labels(0), 1, "it normalizes over these elements");
  if (data.none()) return;
  // Each group's channels stand and fall together: another number of them would change its statistics.
  Labels grouped{{groups, channels / groups}, NodeFlow::along(data, 1, channels)};
  if (groups == 1) flow.freeze(grouped, "it normalizes over all channels");
  for_each_line(grouped.shape, 1, [&](const std::vector<std::size_t>& line) {
    for (const std::size_t i : line)
      flow.tie({{1}, {grouped.units[line[0]]}}, {{1}, {grouped.units[i]}}, "it normalizes over groups of channels");
  });
  flow.set(0, data);
  const bool per_group = flow.shape(1)[0] == groups && groups != channels;
  flow.edit([node = flow.index(), grouped, per_group](Cutter& cutter) {
    const std::int64_t size = grouped.shape[1];
    std::vector<Unit> firsts;
    for (std::size_t i = 0; i < grouped.units.size(); i += static_cast<std::size_t>(size))
      firsts.push_back(grouped.units[i]);
    const std::vector<std::int64_t> kept_groups = cutter.kept(firsts);
    cutter.node(node).set_attribute("num_groups", static_cast<std::int64_t>(kept_groups.size()));
    for (const std::size_t input : {1U, 2U})
      cutter.cut_constant(node, input, 0, per_group ? kept_groups : cutter.kept(grouped.units));
  });
}

void flow_layernorm(NodeFlow& flow) {
  Labels labels = flow.labels(0);
  const std::int64_t first = positive_axis(flow.node().int_or("axis", -1), labels.rank());
  for (std::int64_t axis = first; axis < labels.rank(); ++axis)
    labels = flow.mix(std::move(labels), axis, "it normalizes over these channels");
  flow.set(0, std::move(labels));
}

void flow_softmax(NodeFlow& flow) {
  Labels labels = flow.labels(0);
  const bool old = flow.opset() < 13;  // everything from the axis on is one
  const std::int64_t axis = positive_axis(flow.node().int_or("axis", old ? 1 : -1), labels.rank());
  for (std::int64_t i = axis; i < (old ? labels.rank() : axis + 1); ++i)
    labels = flow.mix(std::move(labels), i, "it normalizes over these channels");
  flow.set(0, std::move(labels));
}

void flow_local_response(NodeFlow& flow) {
  Labels labels = flow.labels(0);
  flow.freeze(labels, "it normalizes over neighbouring channels");
  flow.set(0, std::move(labels));
}

}  // namespace pare
