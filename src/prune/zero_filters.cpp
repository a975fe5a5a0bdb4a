#include "prune/zero_filters.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_set>

#include "core/fail.h"
#include "ops/macs.h"
#include "ops/weight_layer.h"
#include "pare/channels.h"
#include "prune/filters.h"
#include "step/prove.h"

namespace pare {
namespace {

/// f(0) = 0, channel by channel.
constexpr std::array<std::string_view, 24> kKeepZero = {
    "Relu",    "LeakyRelu", "PRelu", "Elu",       "Selu",     "Celu",     "Gelu",    "Mish",
    "MaxPool", "LpPool",    "Tanh",  "HardSwish", "Softsign", "Identity", "Dropout", "AveragePool",
    "Flatten", "Abs",       "Neg",   "Sqrt",      "Reshape",  "Cast",     "Floor",   "GlobalMaxPool"};

bool keeps_zero(const Node& node, const GraphIndex& index) {
  if (!node.domain.empty()) return false;
  if (node.op_type == "GlobalAveragePool") return true;
  if (node.op_type == "Clip") {
    const auto limit = [&](std::size_t input, const char* attribute, float otherwise) {
      if (node.find_attribute(attribute) != nullptr) return node.float_or(attribute, otherwise);
      if (node.input(input).empty()) return otherwise;
      const Tensor value = index.constant(node.input(input));
      return value.empty() || value.element_count() != 1 ? -otherwise : value.to_floats()[0];
    };
    return limit(1, "min", -1) <= 0 && limit(2, "max", 1) >= 0;
  }
  return std::find(kKeepZero.begin(), kKeepZero.end(), node.op_type) != kKeepZero.end();
}

/// "" if all that the value reaches before the next layers keeps zero at zero.
std::string what_changes_zero(const Graph& graph, const GraphIndex& index, const std::string& start) {
  std::vector<std::string> open = {start};
  std::unordered_set<std::string> seen;
  while (!open.empty()) {
    const std::string value = open.back();
    open.pop_back();
    if (!seen.insert(value).second) continue;
    if (index.is_output(value)) return "they reach an output of the network";
    for (const GraphIndex::Use& use : index.uses(value)) {
      const Node& node = graph.nodes[static_cast<std::size_t>(use.node)];
      const auto product = product_inputs(node);
      if (product && use.input == static_cast<std::int64_t>(product->data) &&
          !index.constant(node.input(product->weight)).empty() && node.int_or("group", 1) == 1)
        continue;
      if (use.input != 0 || !keeps_zero(node, index))
        return fmt::format("{} does not pass zero on alone", node_label(node, use.node));
      open.push_back(node.output(0));
    }
  }
  return {};
}

}  // namespace

std::vector<ZeroFilters> find_zero_filters(const Graph& graph) {
  const GraphIndex index(graph);
  std::vector<ZeroFilters> found;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (!is_weight_layer(node)) continue;
    const auto at = static_cast<std::int64_t>(i);
    const auto filters = filters_of(graph, index, at);
    std::vector<float> biases(filters.size(), 0.F);
    if (!node.input(2).empty() && !node.is("MatMul")) {
      const Tensor bias = index.constant(node.input(2));
      if (bias.empty() || bias.element_count() != static_cast<std::int64_t>(filters.size())) continue;
      biases = bias.to_floats();
    }
    ZeroFilters zero{.node = at, .channels = {}, .kept = {}};
    for (std::size_t channel = 0; channel < filters.size(); ++channel)
      if (biases[channel] == 0 &&
          std::all_of(filters[channel].begin(), filters[channel].end(), [](double weight) { return weight == 0; }))
        zero.channels.push_back(static_cast<std::int64_t>(channel));
    if (zero.channels.empty()) continue;
    if (zero.channels.size() == filters.size())
      zero.kept = "nothing of the layer would stay";
    else if (node.int_or("group", 1) != 1)
      zero.kept = "the layer is grouped";
    else
      zero.kept = what_changes_zero(graph, index, node.output(0));
    found.push_back(std::move(zero));
  }
  return found;
}

namespace {

/// Classes whose channels are zero filters in every layer that makes them.
std::vector<bool> zero_classes(const ChannelFlow& flow, const std::vector<ZeroFilters>& found) {
  std::vector<bool> zero(flow.group_of_class.size(), true);
  for (const ChannelLayer& layer : flow.layers) {
    if (layer.depthwise) continue;
    const auto own =
        std::find_if(found.begin(), found.end(), [&](const ZeroFilters& z) { return z.node == layer.node; });
    for (std::size_t c = 0; c < layer.outputs.size(); ++c) {
      const bool is_zero = own != found.end() && std::find(own->channels.begin(), own->channels.end(),
                                                           static_cast<std::int64_t>(c)) != own->channels.end();
      if (layer.outputs[c] != kFixedChannel && !is_zero) zero[static_cast<std::size_t>(layer.outputs[c])] = false;
    }
  }
  return zero;
}

}  // namespace

StepResult remove_zero_filters(const Model& model, const std::vector<std::string>& reasons, Context& context) {
  StepResult result;
  const ChannelFlow flow = trace_channels(model, probe_inputs(model, {.seed = context.seed}));
  const std::vector<ZeroFilters> found = find_zero_filters(model.graph);
  const std::vector<bool> zero = zero_classes(flow, found);
  RemovedClasses removed;
  result.model = model;
  for (const ZeroFilters& filters : found) {
    const Node& node = model.graph.nodes[static_cast<std::size_t>(filters.node)];
    const std::string label = node_label(node, filters.node);
    std::string kept = !reasons[static_cast<std::size_t>(filters.node)].empty()
                           ? reasons[static_cast<std::size_t>(filters.node)]
                           : filters.kept;
    RemovedClasses more = removed;
    for (const ChannelLayer& layer : flow.layers)
      for (std::size_t i = 0; kept.empty() && layer.node == filters.node && i < filters.channels.size(); ++i)
        if (const ChannelClass one = layer.outputs[static_cast<std::size_t>(filters.channels[i])];
            one != kFixedChannel && zero[static_cast<std::size_t>(one)] &&
            std::find(more.begin(), more.end(), one) == more.end())
          more.push_back(one);
    if (kept.empty() && more.size() == removed.size()) kept = "they go only together with others that are not zero";
    if (kept.empty()) {
      try {
        Model cut = remove_channels(model, flow, more);
        StepCheck check = prove_equal("without filters of zeros the same outputs", model, cut, context);
        result.model = std::move(cut);
        result.checks = {std::move(check)};
      } catch (const Error& error) {
        if (error.code() == ErrorCode::kInterrupted) throw;
        kept = "without them the outputs would change";
      }
    }
    if (!kept.empty()) {
      result.skipped.push_back(
          {label, node.op_type, fmt::format("filters of zeros that stay: {}; {}", filters.channels.size(), kept)});
      continue;
    }
    result.done.push_back(
        {label, node.op_type, fmt::format("filters of zeros that are gone: {}", more.size() - removed.size())});
    removed = std::move(more);
  }
  result.changes = static_cast<std::int64_t>(removed.size());
  if (found.empty()) result.notes.push_back("no filter is zero altogether");
  return result;
}

}  // namespace pare
