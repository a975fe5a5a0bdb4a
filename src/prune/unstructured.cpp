#include "prune/unstructured.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "core/deflated_size.h"
#include "core/fail.h"
#include "core/words.h"
#include "ops/macs.h"
#include "ops/weight_layer.h"
#include "pare/model_io.h"
#include "prune/zero_filters.h"

namespace pare {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

/// One stored tensor and the nodes that read it as their weight.
struct Layer {
  std::string weight;
  std::vector<std::int64_t> nodes;
  std::int64_t input_axis = 0;  ///< along which its layer sums up
  Tensor tensor;
  std::vector<float> values;
  std::vector<bool> zero;  ///< afterwards
  [[nodiscard]] std::int64_t count() const { return static_cast<std::int64_t>(values.size()); }
  [[nodiscard]] std::int64_t zeros() const { return std::count(zero.begin(), zero.end(), true); }
};

void check(const UnstructuredOptions& options) {
  const int given =
      int{options.amount.has_value()} + int{options.threshold.has_value()} + int{options.pattern.has_value()};
  if (given != 1)
    fail(ErrorCode::kInvalidArgument,
         "prune: {} of amount, threshold and pattern given\n  remedy: one of them says which weights go", given);
  if (options.amount && !(*options.amount >= 0 && *options.amount <= 1))
    fail(ErrorCode::kInvalidArgument, "prune: {} of the weights cannot be zero\n  remedy: a share between 0 and 1",
         *options.amount);
  if (options.threshold && !(*options.threshold >= 0 && std::isfinite(*options.threshold)))
    fail(ErrorCode::kInvalidArgument, "prune: the threshold is {}\n  remedy: a number from 0 on", *options.threshold);
  if (options.pattern && (options.pattern->keep < 1 || options.pattern->of <= options.pattern->keep))
    fail(ErrorCode::kInvalidArgument, "prune: {} of {} weights cannot stay\n  remedy: a pattern like 2:4",
         options.pattern->keep, options.pattern->of);
}

// --- Which tensors

class Selection {
 public:
  Selection(const Graph& graph, const UnstructuredOptions& options, StepResult& result)
      : graph_(graph), index_(graph), options_(options), result_(result) {}

  std::vector<Layer> run() {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      if (!is_weight_layer(node)) continue;
      const auto at = static_cast<std::int64_t>(i);
      const std::size_t input = weight_input(node);
      if (const std::string why = why_not(node, at, input); !why.empty())
        result_.skipped.push_back({node_label(node, at), node.op_type, why});
      else
        add(node, at, input);
    }
    return std::move(layers_);
  }

 private:
  std::size_t weight_input(const Node& node) const {
    return node.is("MatMul") && index_.constant(node.input(1)).empty() && !index_.constant(node.input(0)).empty() ? 0
                                                                                                                  : 1;
  }
  std::string user_reason(std::int64_t node) const {
    return options_.user_reasons.empty() ? "" : options_.user_reasons.at(static_cast<std::size_t>(node));
  }
  std::int64_t input_axis(const Node& node, std::size_t input, std::int64_t rank) const {
    if (node.is("Conv")) return 1;
    if (node.is("ConvTranspose")) return 0;
    if (node.is("Gemm")) return node.int_or("transB", 0) != 0 ? 1 : 0;
    return input == 0 ? rank - 1 : std::max<std::int64_t>(rank - 2, 0);
  }

  std::string why_not(const Node& node, std::int64_t at, std::size_t input) const {
    if (const std::string reason = user_reason(at); !reason.empty()) return reason;
    const std::string& name = node.input(input);
    const Tensor weight = index_.constant(name);
    if (weight.empty()) return "its weights are no stored tensor";
    if (!is_float(weight.dtype())) return fmt::format("its weights are {}", dtype_name(weight.dtype()));
    if (index_.is_output(name)) return "its weights are an output of the network";
    const std::int64_t axis = input_axis(node, input, weight.rank());
    for (const GraphIndex::Use& use : index_.uses(name)) {
      const Node& reader = graph_.nodes[static_cast<std::size_t>(use.node)];
      const auto place = static_cast<std::size_t>(std::max<std::int64_t>(use.input, 0));
      const bool as_weight = use.input >= 0 && product_inputs(reader) && place == weight_input(reader);
      if (!as_weight) return fmt::format("{} reads its weights too", node_label(reader, use.node));
      if (const std::string reason = user_reason(use.node); !reason.empty())
        return fmt::format("shares its weights with {}: {}", node_label(reader, use.node), reason);
      if (options_.pattern && input_axis(reader, place, weight.rank()) != axis)
        return fmt::format("{} sums its weights along another axis", node_label(reader, use.node));
    }
    if (options_.pattern && weight.shape()[static_cast<std::size_t>(axis)] < options_.pattern->of)
      return fmt::format("{} weights along its inputs make no {}", weight.shape()[static_cast<std::size_t>(axis)],
                         options_.pattern->of);
    return {};
  }

  void add(const Node& node, std::int64_t at, std::size_t input) {
    const std::string& name = node.input(input);
    const auto [known, added] = layer_of_.try_emplace(name, layers_.size());
    if (!added) {
      layers_[known->second].nodes.push_back(at);
      return;
    }
    Layer& layer = layers_.emplace_back();
    layer.weight = name;
    layer.nodes = {at};
    layer.tensor = index_.constant(name);
    layer.input_axis = input_axis(node, input, layer.tensor.rank());
    layer.values = layer.tensor.to_floats();
    for (const float value : layer.values) {
      if (std::isnan(value)) fail(ErrorCode::kNumeric, "prune: the weights of {} hold NaN", node_label(node, at));
      layer.zero.push_back(value == 0);
    }
  }

  const Graph& graph_;
  GraphIndex index_;
  const UnstructuredOptions& options_;
  StepResult& result_;
  std::map<std::string, std::size_t> layer_of_;
  std::vector<Layer> layers_;
};

// --- Which weights

std::vector<double> magnitudes(const Layer& layer) {
  std::vector<double> result;
  for (const float value : layer.values) result.push_back(std::abs(static_cast<double>(value)));
  return result;
}

/// Positions by score, equal ones in their order.
std::vector<std::int64_t> ascending(const std::vector<double>& scores) {
  std::vector<std::int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return scores[static_cast<std::size_t>(a)] < scores[static_cast<std::size_t>(b)];
  });
  return order;
}

void by_layer(Layer& layer, double amount) {
  const std::vector<std::int64_t> order = ascending(magnitudes(layer));
  const std::int64_t wanted = std::llround(amount * static_cast<double>(layer.count()));
  for (std::int64_t i = 0; i < wanted; ++i)
    layer.zero[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])] = true;
}

std::vector<double> lamp(const Layer& layer) {
  std::vector<double> scores = magnitudes(layer);
  const std::vector<std::int64_t> order = ascending(scores);
  double left = 0;
  for (auto at = order.rbegin(); at != order.rend(); ++at) {
    double& score = scores[static_cast<std::size_t>(*at)];
    left += score * score;
    score = left > 0 ? score * score / left : 0;
  }
  return scores;
}

void over_all(std::vector<Layer>& layers, double amount, bool as_lamp) {
  std::vector<double> scores;
  std::vector<std::pair<std::size_t, std::size_t>> places;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    std::vector<double> of_layer = as_lamp ? lamp(layers[l]) : magnitudes(layers[l]);
    // A layer without weights would cut the network in two: its largest one goes last.
    if (!of_layer.empty()) of_layer[static_cast<std::size_t>(ascending(magnitudes(layers[l])).back())] = kNever;
    scores.insert(scores.end(), of_layer.begin(), of_layer.end());
    for (std::size_t i = 0; i < of_layer.size(); ++i) places.emplace_back(l, i);
  }
  const std::vector<std::int64_t> order = ascending(scores);
  const std::int64_t wanted = std::llround(amount * static_cast<double>(scores.size()));
  for (std::int64_t i = 0; i < wanted; ++i) {
    const auto [layer, at] = places[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])];
    layers[layer].zero[at] = true;
  }
}

/// Runs of `of` along the input axis; the last one may be shorter, as if zeros followed.
void by_pattern(Layer& layer, const ZeroPattern& pattern) {
  const Shape& shape = layer.tensor.shape();
  std::int64_t inner = 1;
  for (std::size_t d = static_cast<std::size_t>(layer.input_axis) + 1; d < shape.size(); ++d) inner *= shape[d];
  const std::int64_t length = shape[static_cast<std::size_t>(layer.input_axis)];
  for (std::int64_t outer = 0; outer < layer.count() / (length * inner); ++outer)
    for (std::int64_t rest = 0; rest < inner; ++rest)
      for (std::int64_t start = 0; start < length; start += pattern.of) {
        std::vector<double> run;
        const auto at = [&](std::int64_t i) {
          return static_cast<std::size_t>((outer * length + start + i) * inner + rest);
        };
        for (std::int64_t i = 0; i < std::min(pattern.of, length - start); ++i)
          run.push_back(std::abs(static_cast<double>(layer.values[at(i)])));
        const std::vector<std::int64_t> order = ascending(run);
        for (std::int64_t i = 0; i + pattern.keep < static_cast<std::int64_t>(run.size()); ++i)
          layer.zero[at(order[static_cast<std::size_t>(i)])] = true;
      }
}

void choose(std::vector<Layer>& layers, const UnstructuredOptions& options) {
  if (options.amount && options.scope != ZeroScope::kLayer)
    return over_all(layers, *options.amount, options.scope == ZeroScope::kGlobalLamp);
  for (Layer& layer : layers) {
    if (options.amount) by_layer(layer, *options.amount);
    if (options.pattern) by_pattern(layer, *options.pattern);
    if (options.threshold)
      for (std::size_t i = 0; i < layer.values.size(); ++i)
        if (std::abs(static_cast<double>(layer.values[i])) < *options.threshold) layer.zero[i] = true;
  }
}

// --- The network with them

/// Zero is all bits zero in every float type.
Tensor zeroed(const Layer& layer) {
  const auto bytes = layer.tensor.bytes();
  std::vector<std::byte> copy(bytes.begin(), bytes.end());
  const std::size_t size = copy.size() / layer.values.size();
  for (std::size_t i = 0; i < layer.zero.size(); ++i)
    if (layer.zero[i]) std::fill_n(copy.begin() + static_cast<std::ptrdiff_t>(i * size), size, std::byte{0});
  return Tensor::from_bytes(layer.tensor.dtype(), layer.tensor.shape(), std::move(copy));
}

void store(Graph& graph, const Layer& layer) {
  Tensor tensor = zeroed(layer);
  if (graph.initializers.contains(layer.weight)) {
    const auto entry = std::find_if(graph.initializers.begin(), graph.initializers.end(),
                                    [&](const auto& stored) { return stored.name == layer.weight; });
    graph.initializers.set(layer.weight, std::move(tensor), std::string(entry->doc));
    return;
  }
  for (Node& node : graph.nodes) {
    if (!node.is("Constant") || node.output(0) != layer.weight) continue;
    node.attributes.clear();
    node.set_attribute("value", std::move(tensor));
  }
}

std::int64_t stored_zeros(const Graph& graph, const Layer& layer) {
  const std::vector<float> values = graph.constant(layer.weight).to_floats();
  return std::count(values.begin(), values.end(), 0.F);
}

std::int64_t asked_zeros(const std::vector<Layer>& layers, const UnstructuredOptions& options) {
  if (!options.amount) return 0;
  std::int64_t all = 0, by_layers = 0;
  for (const Layer& layer : layers) {
    all += layer.count();
    by_layers += std::llround(*options.amount * static_cast<double>(layer.count()));
  }
  return options.scope == ZeroScope::kLayer ? by_layers : std::llround(*options.amount * static_cast<double>(all));
}

void report_sizes(const Model& before, StepResult& result) {
  std::int64_t bytes = 0;
  for (const auto& entry : before.graph.initializers) bytes += entry.tensor.size_bytes();
  if (bytes > 1'900'000'000) return;
  const std::string file = serialize_model(result.model);
  result.figures["file_bytes"] = static_cast<double>(file.size());
  result.figures["deflated_bytes"] = static_cast<double>(deflated_size(file));
  result.figures["deflated_bytes_before"] = static_cast<double>(deflated_size(serialize_model(before)));
  result.notes.push_back(fmt::format(
      "the file stays at {} bytes and runtimes for dense networks get no faster by zeros; packed (zip, gzip) it has {} "
      "bytes, {} before",
      with_commas(static_cast<std::int64_t>(file.size())),
      with_commas(static_cast<std::int64_t>(result.figures["deflated_bytes"])),
      with_commas(static_cast<std::int64_t>(result.figures["deflated_bytes_before"]))));
}

void report_filters(StepResult& result) {
  std::int64_t removable = 0;
  for (const ZeroFilters& zero : find_zero_filters(result.model.graph)) {
    const Node& node = result.model.graph.nodes[static_cast<std::size_t>(zero.node)];
    const std::string label = node_label(node, zero.node);
    const auto count = static_cast<std::int64_t>(zero.channels.size());
    if (zero.kept.empty()) {
      removable += count;
      result.notes.push_back(fmt::format("{}: {} filter{} all zero, taking {} out is exact", label, count,
                                         count == 1 ? " is" : "s are", count == 1 ? "it" : "them"));
    } else {
      result.skipped.push_back(
          {label, node.op_type,
           fmt::format("{} of its filters {} all zero, but {}", count, count == 1 ? "is" : "are", zero.kept)});
    }
  }
  result.figures["removable_filters"] = static_cast<double>(removable);
}

}  // namespace

ZeroPattern parse_zero_pattern(std::string_view word) {
  ZeroPattern pattern;
  const std::size_t colon = word.find(':');
  const auto number = [&](std::string_view text, std::int64_t& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && !text.empty();
  };
  if (colon == std::string_view::npos || !number(word.substr(0, colon), pattern.keep) ||
      !number(word.substr(colon + 1), pattern.of) || pattern.keep < 1 || pattern.of <= pattern.keep)
    fail(ErrorCode::kInvalidArgument, "'{}' is no pattern\n  remedy: how many of how many stay, like 2:4", word);
  return pattern;
}

StepResult prune_unstructured(const Model& model, const UnstructuredOptions& options, Context&) {
  check(options);
  StepResult result;
  result.model = model;
  std::vector<Layer> layers = Selection(model.graph, options, result).run();
  if (layers.empty()) {
    result.notes.emplace_back("there is no layer whose weights may be set to zero");
    return result;
  }
  choose(layers, options);
  std::int64_t zeros = 0, weights = 0;
  for (const Layer& layer : layers) {
    const std::int64_t before = std::count(layer.values.begin(), layer.values.end(), 0.F);
    if (layer.zeros() > before) {
      store(result.model.graph, layer);
      ++result.changes;
    }
    const std::int64_t got = stored_zeros(result.model.graph, layer);
    if (got != layer.zeros())
      fail(ErrorCode::kInternal, "prune: '{}' has {} zeros, {} were set", layer.weight, got, layer.zeros());
    zeros += got;
    weights += layer.count();
    for (const std::int64_t at : layer.nodes) {
      const Node& node = model.graph.nodes[static_cast<std::size_t>(at)];
      result.done.push_back({node_label(node, at), node.op_type,
                             fmt::format("{} of {} weights zero{}", with_commas(got), with_commas(layer.count()),
                                         at == layer.nodes.front() ? "" : " (shared)")});
    }
  }
  if (zeros < asked_zeros(layers, options))
    fail(ErrorCode::kInternal, "prune: {} of {} weights are zero, {} were asked for", zeros, weights,
         asked_zeros(layers, options));
  result.figures["zeros"] = static_cast<double>(zeros);
  result.figures["weights"] = static_cast<double>(weights);
  result.figures["zero_share"] = weights > 0 ? static_cast<double>(zeros) / static_cast<double>(weights) : 0;
  report_sizes(model, result);
  report_filters(result);
  return result;
}

}  // namespace pare
