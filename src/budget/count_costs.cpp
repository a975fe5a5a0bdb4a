#include "budget/count_costs.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <unordered_set>

#include "budget/value_channels.h"
#include "core/fail.h"
#include "core/words.h"
#include "ops/macs.h"
#include "ops/parameters.h"
#include "pare/inspect.h"

namespace pare {
namespace {

struct KindName {
  CostKind kind;
  std::string_view word, name;
};
constexpr std::array kKinds = {
    KindName{CostKind::kMacs, "macs", "MACs"}, KindName{CostKind::kParameters, "params", "parameters"},
    KindName{CostKind::kBytes, "bytes", "bytes"}, KindName{CostKind::kChannels, "channels", "channels"},
    KindName{CostKind::kMilliseconds, "ms", "milliseconds"}};

class Counter {
 public:
  Counter(CostKind kind, const Model& model, const ChannelFlow& flow, const std::vector<ErrorCurve>& curves,
          const std::vector<DropCandidate>& drops)
      : kind_(kind),
        graph_(model.graph),
        flow_(flow),
        curves_(curves),
        index_(model.graph),
        places_(places(flow, curves)),
        drops_of_(drops_of_nodes(model.graph.nodes.size(), drops)) {
    InspectOptions options;
    options.trace = flow.trace.get();
    const Inspection whole = inspect_model(model, options);
    constant_ = static_cast<double>(kind == CostKind::kMacs         ? whole.total_macs
                                    : kind == CostKind::kParameters ? whole.total_parameters
                                    : kind == CostKind::kBytes      ? whole.weight_bytes
                                                                    : 0);
    layer_at_.resize(graph_.nodes.size(), -1);
    for (std::size_t i = 0; i < flow.layers.size(); ++i)
      layer_at_[static_cast<std::size_t>(flow.layers[i].node)] = static_cast<std::int64_t>(i);
  }

  Cost run() {
    if (kind_ == CostKind::kMacs || kind_ == CostKind::kChannels) {
      for (const ChannelLayer& layer : flow_.layers) kind_ == CostKind::kMacs ? macs(layer) : channels(layer);
    } else {
      const ChannelsOfValues values = channels_of_values(graph_, flow_);
      for (std::size_t i = 0; i < graph_.nodes.size(); ++i) stored(i, values);
    }
    return {constant_, std::move(parts_), static_cast<std::int64_t>(flow_.groups.size())};
  }

 private:
  std::optional<Shape> shape_of(std::string_view value) const {
    if (const auto found = flow_.trace->shapes.find(std::string(value)); found != flow_.trace->shapes.end())
      return found->second;
    const Tensor constant = index_.constant(value);
    return constant.empty() ? std::nullopt : std::optional(constant.shape());
  }
  [[nodiscard]] double dense(const CostPart& part) const {
    const std::vector<std::int64_t> nothing(flow_.groups.size(), 0);
    return part.in.at(nothing) * part.out.at(nothing);
  }
  /// Moves `amount` of the constant into parts of equal unit.
  void add(std::vector<CostPart> parts, double amount, std::int64_t node) {
    double products = 0;
    for (const CostPart& part : parts) products += dense(part);
    if (products <= 0) return;
    const double unit = amount / products;
    constant_ -= amount;
    for (CostPart& part : parts) {
      part.out.fixed *= unit;
      for (CostTable& table : part.out.tables)
        for (double& value : table.by_removed) value *= unit;
      part.drops = drops_of_[static_cast<std::size_t>(node)];
      parts_.push_back(std::move(part));
    }
  }

  void macs(const ChannelLayer& layer) {
    const auto count = node_macs(graph_.nodes[static_cast<std::size_t>(layer.node)],
                                 [this](std::string_view value) { return shape_of(value); });
    if (count) add(layer_blocks(layer, flow_, curves_, places_), static_cast<double>(*count), layer.node);
  }
  void channels(const ChannelLayer& layer) {
    if (layer.depthwise) return;
    constant_ += static_cast<double>(layer.outputs.size());
    add({{.in = {.fixed = 1}, .out = kept_channels(layer.outputs, flow_, curves_, places_)}},
        static_cast<double>(layer.outputs.size()), layer.node);
  }

  /// Parameters or bytes of the node's constants; a tensor that several nodes read counts at the first, and stays with
  /// a dropped block while others read it.
  void stored(std::size_t index, const ChannelsOfValues& values) {
    const Node& node = graph_.nodes[index];
    const auto at = static_cast<std::int64_t>(index);
    const auto product = product_inputs(node);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const Tensor constant = index_.constant(node.inputs[i]);
      if (constant.empty() || seen_.contains(node.inputs[i])) continue;
      const bool parameter = is_parameter(node, i, constant.dtype(), constant.element_count());
      if (kind_ == CostKind::kParameters && !parameter) continue;
      seen_.insert(node.inputs[i]);
      const auto amount =
          static_cast<double>(kind_ == CostKind::kParameters ? constant.element_count() : constant.size_bytes());
      const std::int64_t layer = layer_at_[index];
      if (layer >= 0 && product && i == product->weight) {
        add(layer_blocks(flow_.layers[static_cast<std::size_t>(layer)], flow_, curves_, places_), amount, at);
        continue;
      }
      add({{.in = {.fixed = 1}, .out = follower(node, i, constant.shape(), values)}}, amount, at);
    }
  }

  CostFactor follower(const Node& node, std::size_t input, const Shape& constant, const ChannelsOfValues& values) {
    const auto channels = values.find(node.output(0));
    if (channels == values.end()) return {.fixed = 1};
    const auto rank = static_cast<std::int64_t>(flow_.trace->shapes.at(node.output(0)).size());
    if (follower_axis(node, input, constant, channels->second, rank) < 0) return {.fixed = 1};
    return kept_channels(channels->second.classes, flow_, curves_, places_);
  }

  CostKind kind_;
  const Graph& graph_;
  const ChannelFlow& flow_;
  const std::vector<ErrorCurve>& curves_;
  GraphIndex index_;
  std::vector<std::int64_t> places_;
  std::vector<std::vector<std::int64_t>> drops_of_;
  std::vector<std::int64_t> layer_at_;
  std::unordered_set<std::string> seen_;
  double constant_ = 0;
  std::vector<CostPart> parts_;
};

std::vector<ChannelClass> block_of(const std::vector<ChannelClass>& classes, std::int64_t block, std::int64_t blocks) {
  const auto size = static_cast<std::int64_t>(classes.size()) / blocks;
  return {classes.begin() + block * size, classes.begin() + (block + 1) * size};
}

}  // namespace

std::string_view cost_name(CostKind kind) noexcept {
  return std::find_if(kKinds.begin(), kKinds.end(), [&](const KindName& entry) { return entry.kind == kind; })->name;
}

CostKind parse_cost(std::string_view word) {
  std::vector<std::string> known;
  for (const KindName& entry : kKinds) {
    if (entry.word == word) return entry.kind;
    known.emplace_back(entry.word);
  }
  fail(ErrorCode::kInvalidArgument, "'{}' is no cost\n  remedy: one of {}{}", word, join(known, ", "),
       nearest_hint(word, known));
}

CostFactor kept_channels(const std::vector<ChannelClass>& classes, const ChannelFlow& flow,
                         const std::vector<ErrorCurve>& curves, const std::vector<std::int64_t>& places) {
  CostFactor factor;
  std::map<std::int64_t, std::vector<double>> gone_at;  // by group: channels that go with place n
  for (const ChannelClass channel : classes) {
    const std::int64_t place = channel < 0 ? -1 : places[static_cast<std::size_t>(channel)];
    const std::int64_t group = place < 0 ? -1 : flow.group_of_class[static_cast<std::size_t>(channel)];
    if (group < 0) {
      ++factor.fixed;
      continue;
    }
    std::vector<double>& gone = gone_at[group];
    if (gone.size() <= static_cast<std::size_t>(place)) gone.resize(static_cast<std::size_t>(place) + 1);
    ++gone[static_cast<std::size_t>(place)];
  }
  for (const ErrorCurve& curve : curves) {
    const auto found = gone_at.find(curve.group);
    if (found == gone_at.end()) continue;
    found->second.resize(curve.order.size());
    double kept = 0;
    for (const double count : found->second) kept += count;
    CostTable table{.group = curve.group, .by_removed = {kept}};
    for (const double count : found->second) table.by_removed.push_back(kept -= count);
    factor.tables.push_back(std::move(table));
  }
  return factor;
}

std::vector<CostPart> layer_blocks(const ChannelLayer& layer, const ChannelFlow& flow,
                                   const std::vector<ErrorCurve>& curves, const std::vector<std::int64_t>& places) {
  if (layer.depthwise) return {{.in = {.fixed = 1}, .out = kept_channels(layer.outputs, flow, curves, places)}};
  std::vector<CostPart> parts;
  for (std::int64_t block = 0; block < layer.groups; ++block)
    parts.push_back({.in = kept_channels(block_of(layer.inputs, block, layer.groups), flow, curves, places),
                     .out = kept_channels(block_of(layer.outputs, block, layer.groups), flow, curves, places)});
  return parts;
}

std::vector<std::vector<std::int64_t>> drops_of_nodes(std::size_t nodes, const std::vector<DropCandidate>& drops) {
  std::vector<std::vector<std::int64_t>> result(nodes);
  for (std::size_t d = 0; d < drops.size(); ++d)
    for (const std::int64_t node : drops[d].body)
      result[static_cast<std::size_t>(node)].push_back(static_cast<std::int64_t>(d));
  return result;
}

Cost count_costs(CostKind kind, const Model& model, const ChannelFlow& flow, const std::vector<ErrorCurve>& curves,
                 const std::vector<DropCandidate>& drops) {
  if (kind == CostKind::kMilliseconds)
    fail(ErrorCode::kInternal, "milliseconds are measured (latency_table), not counted");
  return Counter(kind, model, flow, curves, drops).run();
}

}  // namespace pare
