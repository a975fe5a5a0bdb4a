#include "budget/count_costs.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <unordered_set>

#include "budget/part_model.h"
#include "budget/value_channels.h"
#include "core/fail.h"
#include "core/words.h"
#include "ops/constant_roots.h"
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
        model_(model),
        constants_(model.graph),
        index_(constants_.index()),
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
      if (kind_ == CostKind::kMacs) products_of_data();
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

  /// Products of two computed values (attention) shrink evenly with the classes of a group that reaches them: one cut
  /// of each such group tells by how much.
  void products_of_data() {
    std::set<std::int64_t> products;
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i)
      if (layer_at_[i] < 0 && has_macs(graph_.nodes[i]) && !constants_.computes_constants(graph_.nodes[i]))
        products.insert(static_cast<std::int64_t>(i));
    if (products.empty() || !flow_.inputs) return;
    std::map<std::int64_t, std::vector<CostTable>> left;  // by node, what stays of it
    for (const ErrorCurve& curve : curves_) {
      const std::set<std::int64_t> reached = nodes_of_group(graph_, index_, flow_, curve.group);
      if (std::none_of(products.begin(), products.end(), [&](std::int64_t node) { return reached.contains(node); }))
        continue;
      const Model cut = remove_channels(model_, flow_, {curve.order[0]});
      const Trace trace = trace_model(cut, *flow_.inputs);
      for (const Node& node : cut.graph.nodes) {
        const std::int64_t before = index_.producer(node.output(0));
        if (!products.contains(before)) continue;
        const double whole = products_in(graph_.nodes[static_cast<std::size_t>(before)], *flow_.trace);
        const double lost = whole > 0 ? 1 - products_in(node, trace) / whole : 0;
        if (lost <= 0) continue;
        CostTable table{.group = curve.group};
        for (std::size_t n = 0; n <= curve.order.size(); ++n)
          table.by_removed.push_back(1 - static_cast<double>(n) * lost);
        left[before].push_back(std::move(table));
      }
    }
    for (auto& [node, tables] : left) {
      CostPart part{.in = {.fixed = 1}, .out = {.tables = {std::move(tables[0])}}};
      if (tables.size() > 1) part.in = {.tables = {std::move(tables[1])}};
      add({std::move(part)}, products_in(graph_.nodes[static_cast<std::size_t>(node)], *flow_.trace), node);
    }
  }
  double products_in(const Node& node, const Trace& trace) const {
    const auto macs = node_macs(node, [&](std::string_view value) -> std::optional<Shape> {
      const auto found = trace.shapes.find(std::string(value));
      return found == trace.shapes.end() ? std::nullopt : std::optional(found->second);
    });
    return static_cast<double>(macs.value_or(0));
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
      const std::string& value = node.inputs[i];
      if (!constants_.is_constant(value) || seen_.contains(value)) continue;
      const auto shape = shape_of(value);
      if (!shape) continue;
      double amount = 0;
      if (kind_ == CostKind::kBytes) {
        amount = static_cast<double>(index_.constant(value).size_bytes());  // 0: computed from others
      } else {
        const auto dtype = flow_.trace->dtypes.find(value);
        const std::int64_t elements = element_count(*shape);
        if (dtype != flow_.trace->dtypes.end() && is_parameter(node, i, dtype->second, elements))
          amount = static_cast<double>(elements);
      }
      if (amount == 0) continue;
      seen_.insert(value);
      const std::int64_t layer = layer_at_[index];
      if (layer >= 0 && product && i == product->weight) {
        add(layer_blocks(flow_.layers[static_cast<std::size_t>(layer)], flow_, curves_, places_), amount, at);
        continue;
      }
      add({{.in = {.fixed = 1}, .out = follower(node, i, *shape, values)}}, amount, at);
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
  const Model& model_;
  ConstantRoots constants_;
  const GraphIndex& index_;
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
