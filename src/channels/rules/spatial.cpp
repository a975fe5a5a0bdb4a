// Pools, resizing, pixel shuffles: space changes, channels pass or move in blocks.
#include "channels/cutter.h"
#include "channels/rules.h"

namespace pare {

void flow_pool(NodeFlow& flow) {
  Labels labels = flow.labels(0);
  if (!flow.node().output(1).empty()) return flow.freeze_inputs("it counts positions over all channels");
  for (std::int64_t axis = 2; axis < labels.rank(); ++axis)
    labels = flow.mix(std::move(labels), axis, "its window mixes these elements");
  flow.set(0, std::move(labels));
}

void flow_resize(NodeFlow& flow) {
  Labels labels = flow.labels(0);
  if (labels.none()) return;
  const auto rank = labels.rank();
  for (const std::int64_t axis : labels.axes())
    if (flow.shape(0)[static_cast<std::size_t>(axis)] != flow.out_shape()[static_cast<std::size_t>(axis)])
      labels = flow.mix(std::move(labels), axis, "it resizes along these channels");
  flow.set(0, std::move(labels));
  constexpr std::size_t kSizes = 3;
  if (!flow.has_input(kSizes)) return;
  std::vector<std::int64_t> axes = flow.node().ints_or("axes", {});
  if (axes.empty())
    for (std::int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  flow.edit([node = flow.index(), axes, rank, out = flow.node().output(0)](Cutter& cutter) {
    std::map<std::int64_t, std::int64_t> entries;
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const std::int64_t axis = positive_axis(axes[i], rank), size = cutter.new_size(out, axis);
      if (size != cutter.old_size(out, axis)) entries[static_cast<std::int64_t>(i)] = size;
    }
    cutter.set_entries(node, kSizes, entries);
  });
}

void flow_depth_to_space(NodeFlow& flow) {
  const std::int64_t block = flow.node().int_or("blocksize", 1), channels = flow.out_shape()[1];
  const bool row_major = flow.node().string_or("mode", "DCR") == "DCR";
  const Labels data = flow.only_axis(flow.labels(0), 1, "it moves these elements to space");
  if (data.none()) return;
  const std::vector<Unit> units = NodeFlow::along(data, 1, flow.shape(0)[1]);
  // The block * block inputs of one output channel stand and fall together.
  std::vector<Unit> made;
  for (std::int64_t channel = 0; channel < channels; ++channel) {
    const auto at = [&](std::int64_t q) {
      return static_cast<std::size_t>(row_major ? q * channels + channel : channel * block * block + q);
    };
    made.push_back(units[at(0)]);
    for (std::int64_t q = 1; q < block * block; ++q)
      flow.tie({{1}, {units[at(0)]}}, {{1}, {units[at(q)]}}, "they are pixels of one channel");
  }
  flow.set(0, labels_along(data.rank(), 1, std::move(made)));
}

void flow_space_to_depth(NodeFlow& flow) {
  const std::int64_t block = flow.node().int_or("blocksize", 1), channels = flow.shape(0)[1];
  const Labels data = flow.only_axis(flow.labels(0), 1, "it moves these elements to channels");
  if (data.none()) return;
  const std::vector<Unit> units = NodeFlow::along(data, 1, channels);
  std::vector<Unit> made;
  for (std::int64_t q = 0; q < block * block; ++q) made.insert(made.end(), units.begin(), units.end());
  flow.set(0, labels_along(data.rank(), 1, std::move(made)));
}

void flow_sample(NodeFlow& flow) {
  for (std::size_t i = 1; i < flow.node().inputs.size(); ++i)
    flow.freeze(flow.labels(i), "these channels are coordinates");
  flow.set(0, flow.only_axis(flow.labels(0), 1, "it samples these elements"));
}

}  // namespace pare
