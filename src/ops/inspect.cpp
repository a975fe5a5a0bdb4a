#include "pare/inspect.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/words.h"
#include "ops/constant_roots.h"
#include "ops/guess_task.h"
#include "ops/opportunities.h"
#include "ops/parameters.h"
#include "pare/model_io.h"

namespace pare {
namespace {

/// The model with its inputs at definite sizes as far as the options and the file say; adds a note for what stays open.
Model sized(const Model& model, const InspectOptions& options, std::vector<std::string>& notes) {
  Model copy = model;
  for (ValueInfo& input : copy.graph.inputs) {
    if (const auto given = options.input_shapes.find(input.name); given != options.input_shapes.end()) {
      input.shape.emplace();
      for (const std::int64_t size : given->second)
        input.shape->push_back({.value = size, .symbol = {}, .denotation = {}});
    }
    if (!input.shape) {
      if (input.opaque_type.empty()) notes.push_back(fmt::format("the rank of input '{}' is open", input.name));
      continue;
    }
    std::vector<std::string> open;
    for (std::size_t i = 0; i < input.shape->size(); ++i) {
      Dim& dim = (*input.shape)[i];
      if (dim.value && *dim.value > 0) continue;
      const auto symbol = options.symbols.find(dim.symbol);
      if (symbol != options.symbols.end()) {
        dim.value = symbol->second;
      } else if (i == 0) {
        dim.value = options.batch;
      } else if (options.image_size > 0) {
        dim.value = options.image_size;
      } else {
        dim.value.reset();
        open.push_back(dim.symbol.empty() ? fmt::format("dimension {}", i) : dim.symbol);
        continue;
      }
      dim.symbol.clear();
    }
    if (!open.empty())
      notes.push_back(
          fmt::format("input '{}' has open sizes ({}): figures behind it need them", input.name, join(open, ", ")));
  }
  // Declared sizes of outputs may be symbols where numbers are known now.
  for (ValueInfo& output : copy.graph.outputs)
    if (output.opaque_type.empty()) output.shape.reset();
  return copy;
}

std::string declared_text(const ValueInfo& info) {
  if (!info.opaque_type.empty()) return "no tensor";
  std::string text(dtype_name(info.dtype));
  if (!info.shape) return text + " [...]";
  std::vector<std::string> dims;
  for (const Dim& dim : *info.shape)
    dims.push_back(dim.value ? std::to_string(*dim.value) : dim.symbol.empty() ? "?" : dim.symbol);
  return text + " [" + join(dims, ", ") + "]";
}

/// Stored tensors of a graph and the graphs inside it.
template <class F>
void for_each_stored(const Graph& graph, F&& visit) {
  for (const auto& entry : graph.initializers) visit(entry.tensor);
  for (const Node& node : graph.nodes)
    for (const Attribute& attribute : node.attributes) {
      if (const auto* tensor = std::get_if<Tensor>(&attribute.value); tensor != nullptr && node.is("Constant"))
        visit(*tensor);
      if (const auto* inner = std::get_if<std::shared_ptr<const Graph>>(&attribute.value))
        for_each_stored(**inner, visit);
      if (const auto* inners = std::get_if<std::vector<std::shared_ptr<const Graph>>>(&attribute.value))
        for (const auto& inner : *inners) for_each_stored(*inner, visit);
    }
}

std::int64_t stored_bytes(const Tensor& tensor) {
  std::int64_t bytes = tensor.size_bytes();
  for (const std::string& text : tensor.strings()) bytes += static_cast<std::int64_t>(text.size());
  return bytes;
}

bool holds_products(const Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const Node& node) {
    if (has_macs(node)) return true;
    for (const Attribute& attribute : node.attributes)
      if (const auto* inner = std::get_if<std::shared_ptr<const Graph>>(&attribute.value);
          inner && holds_products(**inner))
        return true;
    return false;
  });
}

template <class Key>
std::vector<std::pair<Key, std::int64_t>> largest_first(const std::map<Key, std::int64_t>& counts) {
  std::vector<std::pair<Key, std::int64_t>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return sorted;
}

double share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

class Inspector {
 public:
  Inspector(const Model& model, const InspectOptions& options)
      : model_(model), graph_(model.graph), options_(options), constants_(model.graph) {
    std::vector<std::string> notes;
    types_ = infer_types(sized(model, options, notes));
    if (options.trace == nullptr) result_.notes = std::move(notes);
    shape_of_ = [this](std::string_view value) { return shape_of(std::string(value)); };
  }

  Inspection run() {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) node(static_cast<std::int64_t>(i));
    totals();
    for (const ValueInfo& input : graph_.inputs) result_.inputs.push_back(describe(input));
    for (const ValueInfo& output : graph_.outputs) result_.outputs.push_back(describe(output));
    const Guess guess = guess_task(graph_, shape_of_);
    result_.task = guess.task;
    result_.classes = guess.classes;
    result_.task_text = guess.text;
    result_.task_reason = guess.reason;
    opportunities();
    return std::move(result_);
  }

 private:
  std::optional<Shape> shape_of(const std::string& value) const {
    if (options_.trace != nullptr)
      if (const auto found = options_.trace->shapes.find(value); found != options_.trace->shapes.end())
        return found->second;
    if (const Tensor* weight = graph_.initializers.find(value)) return weight->shape();
    const auto found = types_.find(value);
    return found == types_.end() ? std::nullopt : found->second.static_shape();
  }
  DType dtype_of(const std::string& value) const {
    if (options_.trace != nullptr)
      if (const auto found = options_.trace->dtypes.find(value); found != options_.trace->dtypes.end())
        return found->second;
    if (const Tensor* weight = graph_.initializers.find(value)) return weight->dtype();
    const auto found = types_.find(value);
    return found == types_.end() ? DType::kUndefined : found->second.dtype;
  }
  ValueDescription describe(const ValueInfo& info) const {
    return {info.name, info.dtype, declared_text(info), shape_of(info.name)};
  }

  void node(std::int64_t index) {
    const Node& node = graph_.nodes[static_cast<std::size_t>(index)];
    NodeCost cost;
    cost.node = index;
    cost.label = node_label(node, index);
    cost.name = node.name;
    cost.op_type = node.op_type;
    cost.domain = node.domain;
    cost.outputs = node.outputs;
    for (const std::string& output : node.outputs)
      cost.output_shapes.push_back(output.empty() ? std::nullopt : shape_of(output));
    if (!constants_.computes_constants(node)) {
      weights(node, cost);
      macs(node, cost);
    }
    result_.nodes.push_back(std::move(cost));
  }

  void weights(const Node& node, NodeCost& cost) {
    std::set<std::string> roots;
    const auto take = [&](const std::string& value, std::optional<std::size_t> input) {
      const std::set<std::string>& behind = constants_.roots(value);
      roots.insert(behind.begin(), behind.end());
      if (!constants_.is_constant(value)) return;
      const auto shape = shape_of(value);
      const std::int64_t elements = shape ? element_count(*shape) : 0;
      const bool counts =
          input ? is_parameter(node, *input, dtype_of(value), elements) : is_float(dtype_of(value)) && elements > 1;
      if (!counts) return;
      cost.parameters += elements;
      if (counted_.insert(value).second) result_.total_parameters += elements;
    };
    for (std::size_t i = 0; i < node.inputs.size(); ++i) take(node.inputs[i], i);
    for (const std::string& root : roots) cost.weight_bytes += stored_bytes(constants_.stored(root));
    const auto inner = [&](const Graph& graph) {
      for (const std::string& value : captured_values(graph)) {
        if (!roots.contains(value)) cost.weight_bytes += stored_bytes(constants_.stored(value));
        take(value, std::nullopt);
      }
      for_each_stored(graph, [&](const Tensor& tensor) {
        cost.weight_bytes += stored_bytes(tensor);
        if (!is_float(tensor.dtype()) || tensor.element_count() < 2) return;
        cost.parameters += tensor.element_count();
        result_.total_parameters += tensor.element_count();
      });
    };
    for (const Attribute& attribute : node.attributes) {
      if (const auto* one = std::get_if<std::shared_ptr<const Graph>>(&attribute.value)) inner(**one);
      if (const auto* many = std::get_if<std::vector<std::shared_ptr<const Graph>>>(&attribute.value))
        for (const auto& graph : *many) inner(*graph);
    }
  }

  void macs(const Node& node, NodeCost& cost) {
    if (node.has_subgraph()) {
      cost.note = "holds a subgraph, counted as one node";
      for (const Attribute& attribute : node.attributes)
        if (const auto* inner = std::get_if<std::shared_ptr<const Graph>>(&attribute.value);
            inner && holds_products(**inner)) {
          cost.macs.reset();
          cost.note += "; its products are not counted";
          break;
        }
    } else if (has_macs(node)) {
      cost.macs = node_macs(node, shape_of_);
      if (!cost.macs) cost.note = "shapes are not known";
    } else if (!node.domain.empty() && node.domain != "com.microsoft" && node.domain != "ai.onnx.ml") {
      cost.macs.reset();
      cost.note = model_.functions.empty() ? fmt::format("an operator of the domain '{}', not known here", node.domain)
                                           : "calls a function of the model, or is not known here: counted as one node";
    }
    if (cost.macs)
      result_.total_macs += *cost.macs;
    else
      ++result_.unknown_macs;
  }

  void totals() {
    std::map<DType, std::int64_t> by_dtype;
    for_each_stored(graph_, [&](const Tensor& tensor) {
      result_.weight_bytes += stored_bytes(tensor);
      by_dtype[tensor.dtype()] += stored_bytes(tensor);
    });
    result_.bytes_by_dtype = largest_first(by_dtype);
    std::map<std::string, std::int64_t> ops;
    for (const Node& node : graph_.nodes) ++ops[node.domain.empty() ? node.op_type : node.domain + "." + node.op_type];
    result_.op_counts = largest_first(ops);
    for (NodeCost& cost : result_.nodes) {
      cost.mac_share = share(cost.macs.value_or(0), result_.total_macs);
      cost.parameter_share = share(cost.parameters, result_.total_parameters);
      cost.byte_share = share(cost.weight_bytes, result_.weight_bytes);
    }
    unused_weights();
    if (!model_.weights_as_inputs.empty())
      result_.notes.push_back(fmt::format("{} weights are listed as inputs, as old files had them; saving drops that",
                                          model_.weights_as_inputs.size()));
  }

  void unused_weights() {
    std::int64_t count = 0, bytes = 0;
    for (const auto& entry : graph_.initializers) {
      if (!constants_.index().uses(entry.name).empty() || constants_.index().is_output(entry.name)) continue;
      ++count;
      bytes += stored_bytes(entry.tensor);
    }
    if (count > 0)
      result_.notes.push_back(fmt::format("{} stored tensor{} ({} bytes) that nothing reads", count,
                                          count == 1 ? "" : "s", with_commas(bytes)));
  }

  void opportunities() {
    result_.opportunities =
        find_opportunities(graph_, constants_, shape_of_, [this](const std::string& value) { return dtype_of(value); });
    for (Opportunity& found : result_.opportunities) {
      for (const NodeNote& note : found.can) {
        const NodeCost& cost = result_.nodes[static_cast<std::size_t>(note.node)];
        found.mac_share += cost.mac_share;
        found.parameter_share += cost.parameter_share;
      }
      const std::size_t all = found.can.size() + found.cannot.size();
      found.summary = all == 0 ? "nothing to do here" : fmt::format("{} of {} nodes", found.can.size(), all);
      if (found.mac_share > 0) found.summary += fmt::format(", {:.1f} % of the MACs", 100 * found.mac_share);
    }
  }

  const Model& model_;
  const Graph& graph_;
  const InspectOptions& options_;
  ConstantRoots constants_;
  ValueTypes types_;
  ShapeOf shape_of_;
  std::unordered_set<std::string> counted_;
  Inspection result_;
};

}  // namespace

Inspection inspect_model(const Model& model, const InspectOptions& options) { return Inspector(model, options).run(); }

}  // namespace pare
