#include "quantize/plan.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_set>

#include "core/fail.h"
#include "quantize/weights.h"

namespace pare {
namespace {

constexpr double kAlikeRatio = 16;

double magnitude(const Range& range) { return std::max(-range.low, range.high); }

class Planner {
 public:
  Planner(const Graph& graph, const PlanOptions& options)
      : graph_(graph),
        options_(options),
        index_(graph),
        rules_(graph.nodes.size()),
        reasons_(graph.nodes.size()),
        float_result_(graph.nodes.size(), false) {}

  Plan make() {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      rules_[i] = options_.target->find(graph_.nodes[i]);
      reasons_[i] = first_reason(i);
    }
    if (options_.float_outputs) keep_outputs_float();
    if (options_.ranges != nullptr) keep_unlike_concats_float();
    while (keep_half_shared_weights_float() || demote_followers()) {
    }
    choose_values();
    return result();
  }

 private:
  bool is(std::size_t i, Role role) const { return rules_[i] != nullptr && rules_[i]->role == role; }
  bool open(std::size_t i) const { return reasons_[i].empty(); }
  bool integer_kernel(std::size_t i) const { return open(i) && (is(i, Role::kAnchor) || is(i, Role::kFollower)); }

  /// Inputs of a node that hold activations (not constants, not shapes and axes).
  std::vector<std::string> activations(std::size_t i) const {
    const Node& node = graph_.nodes[i];
    std::vector<std::string> found;
    const std::size_t count =
        is(i, Role::kFollower) ? node.inputs.size() : std::min<std::size_t>(1, node.inputs.size());
    for (std::size_t k = 0; k < count; ++k)
      if (!node.inputs[k].empty() && graph_.constant(node.inputs[k]).empty()) found.push_back(node.inputs[k]);
    return found;
  }

  std::string anchor_reason(const Node& node) const {
    const Tensor weights = graph_.constant(node.input(1));
    if (weights.empty()) return "its weights are not constant";
    if (weights.dtype() != DType::kFloat32) return fmt::format("its weights are {}", dtype_name(weights.dtype()));
    if (weights.element_count() == 0 || weights.rank() < 2) return "its weights have no channels";
    if (!graph_.constant(node.input(0)).empty()) return "its input is constant";
    if (node.is("Gemm") && (node.float_or("alpha", 1) != 1 || node.float_or("beta", 1) != 1))
      return "its alpha or beta is not 1";
    try {
      (void)channel_bias(node, graph_, output_channels(node, weights));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  std::string follower_reason(std::size_t i) const {
    if (activations(i).empty()) return "all of its inputs are constant";
    for (const std::string& input : graph_.nodes[i].inputs) {
      const Tensor constant = graph_.constant(input);
      if (constant.empty()) continue;
      if (constant.dtype() != DType::kFloat32) return fmt::format("its operand is {}", dtype_name(constant.dtype()));
      if (constant.element_count() == 0) return "its operand is empty";
    }
    return "";
  }

  std::string clamp_reason(const Node& node) const {
    if (!node.is("Clip")) return "";
    for (const std::size_t k : {1, 2}) {
      if (node.input(k).empty()) continue;
      const Tensor bound = graph_.constant(node.input(k));
      if (bound.empty() || bound.dtype() != DType::kFloat32) return "its bounds are not constant";
      const float value = bound.data<float>()[0];
      if (k == 1 ? value > 0 : value < 0) return "0 lies outside of its bounds";
    }
    return "";
  }

  std::string first_reason(std::size_t i) const {
    const Node& node = graph_.nodes[i];
    const OpRule* rule = rules_[i];
    if (rule == nullptr) return fmt::format("no integer kernel for it in the target {}", options_.target->name);
    if (rule->role == Role::kFloat) return std::string(rule->why);
    if (!options_.user_reasons.empty() && !options_.user_reasons[i].empty() && rule->role != Role::kPassThrough)
      return options_.user_reasons[i];
    if (rule->declines != nullptr)
      if (std::string why = rule->declines(node, graph_); !why.empty()) return why;
    if (rule->role == Role::kAnchor) return anchor_reason(node);
    if (rule->role == Role::kFollower) return follower_reason(i);
    if (rule->role == Role::kClamp) return clamp_reason(node);
    if (activations(i).empty()) return "its input is constant";
    if (node.is("MaxPool") && !node.output(1).empty()) return "its indices are used";
    return "";
  }

  /// The value that a Q would stand on behind a node: the clamp that alone reads the node's output stands before it.
  const std::string& result_of(std::size_t i) const {
    const std::string& output = graph_.nodes[i].output(0);
    const std::int64_t reader = index_.sole_consumer(output);
    if (reader < 0) return output;
    const auto r = static_cast<std::size_t>(reader);
    return is(r, Role::kClamp) && open(r) && graph_.nodes[r].input(0) == output ? graph_.nodes[r].output(0) : output;
  }

  /// Walks from the graph's outputs to the first nodes with weights on every path.
  void keep_outputs_float() {
    std::vector<std::string> open_values;
    std::unordered_set<std::string> seen;
    for (const ValueInfo& output : graph_.outputs) open_values.push_back(output.name);
    while (!open_values.empty()) {
      const std::string value = open_values.back();
      open_values.pop_back();
      const std::int64_t producer = index_.producer(value);
      if (!seen.insert(value).second || producer < 0) continue;
      const auto i = static_cast<std::size_t>(producer);
      const Node& node = graph_.nodes[i];
      if (is(i, Role::kAnchor)) {
        float_result_[i] = true;
        if (open(i) && rules_[i]->needs_output_q)
          reasons_[i] = "last layer before an output that is not a class score: 256 steps are too few";
        continue;
      }
      if (open(i)) reasons_[i] = "behind the last layer, whose result stays float";
      for (const std::string& input : node.inputs)
        if (!input.empty()) open_values.push_back(input);
    }
  }

  void keep_unlike_concats_float() {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      if (!node.is("Concat") || !open(i) || rules_[i] == nullptr || rules_[i]->role != Role::kFollower) continue;
      double smallest = 0, largest = 0;
      for (const std::string& input : activations(i)) {
        const auto range = options_.ranges->find(input);
        if (range == options_.ranges->end() || magnitude(range->second) == 0) continue;
        const double size = magnitude(range->second);
        smallest = smallest == 0 ? size : std::min(smallest, size);
        largest = std::max(largest, size);
      }
      if (smallest == 0 || largest < kAlikeRatio * smallest) continue;
      reasons_[i] = fmt::format("its operands' ranges are {:.0f} times apart: one scale would erase the smaller",
                                largest / smallest);
      for (const GraphIndex::Use& use : index_.uses(node.output(0))) {
        const auto reader = static_cast<std::size_t>(use.node);
        if (is(reader, Role::kAnchor) && open(reader))
          reasons_[reader] = "it reads a concatenation whose operands' ranges are too far apart for one scale";
      }
    }
  }

  /// Weights that several nodes read are quantized for all of them or for none.
  bool keep_half_shared_weights_float() {
    bool changed = false;
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (!is(i, Role::kAnchor) || !open(i)) continue;
      const std::string& weights = graph_.nodes[i].input(1);
      const std::int64_t rank = graph_.constant(weights).rank();
      const auto axis = output_axis(graph_.nodes[i], rank);
      std::string other;
      for (const GraphIndex::Use& use : index_.uses(weights)) {
        const auto reader = static_cast<std::size_t>(use.node);
        const bool alike = use.input == 1 && is(reader, Role::kAnchor) && open(reader) &&
                           output_axis(graph_.nodes[reader], rank) == axis;
        if (!alike) other = node_label(graph_.nodes[reader], use.node);
      }
      if (index_.is_output(weights)) other = "the graph's outputs";
      if (other.empty()) continue;
      reasons_[i] = fmt::format("its weights '{}' are also read by {}, which needs them in float", weights, other);
      changed = true;
    }
    return changed;
  }

  /// Values that integer nodes give or that get a Q anyway, given the nodes still open.
  std::unordered_set<std::string> available_values() {
    std::unordered_set<std::string> available;
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i)
      if (open(i) && is(i, Role::kAnchor)) available.insert(graph_.nodes[i].input(0));
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (!open(i) || rules_[i] == nullptr) continue;
      const Node& node = graph_.nodes[i];
      const std::vector<std::string> inputs = activations(i);
      const bool fed = !inputs.empty() && std::all_of(inputs.begin(), inputs.end(),
                                                      [&](const std::string& v) { return available.contains(v); });
      bool gives = false;
      if (rules_[i]->role == Role::kAnchor) gives = !float_result_[i];
      if (rules_[i]->role == Role::kFollower || rules_[i]->role == Role::kPassThrough) gives = fed;
      if (rules_[i]->role == Role::kClamp) {
        const std::int64_t producer = index_.producer(node.input(0));
        gives = fed && producer >= 0 && integer_kernel(static_cast<std::size_t>(producer)) &&
                result_of(static_cast<std::size_t>(producer)) == node.output(0);
      }
      if (gives) available.insert(node.outputs.begin(), node.outputs.end());
    }
    return available;
  }

  /// Values that integer nodes want to read.
  std::unordered_set<std::string> useful_values() {
    std::unordered_set<std::string> useful;
    for (std::size_t k = graph_.nodes.size(); k > 0; --k) {
      const std::size_t i = k - 1;
      if (!open(i) || rules_[i] == nullptr) continue;
      const Node& node = graph_.nodes[i];
      const bool wanted = std::any_of(node.outputs.begin(), node.outputs.end(),
                                      [&](const std::string& v) { return useful.contains(v); });
      if (rules_[i]->role != Role::kAnchor && !wanted && !rules_[i]->shrinks) continue;
      for (const std::string& input : activations(i)) useful.insert(input);
    }
    return useful;
  }

  bool demote_followers() {
    bool changed = false;
    const auto available = available_values();
    const auto useful = useful_values();
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (!is(i, Role::kFollower) || !open(i)) continue;
      const std::vector<std::string> inputs = activations(i);
      const bool fed =
          std::all_of(inputs.begin(), inputs.end(), [&](const std::string& v) { return available.contains(v); });
      if (!fed) {
        reasons_[i] = "not all of its inputs come from integer nodes";
      } else if (!rules_[i]->shrinks && !useful.contains(graph_.nodes[i].output(0)) && !useful.contains(result_of(i))) {
        reasons_[i] = "no integer node follows it";
      }
      changed = changed || !open(i);
    }
    return changed;
  }

  void choose_values() {
    states_.assign(graph_.nodes.size(), NodeState::kFloat);
    const auto available = available_values();
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (!integer_kernel(i)) continue;
      states_[i] = NodeState::kInteger;
      for (const std::string& input : activations(i)) quantized_.insert(input);
      if (rules_[i]->needs_output_q && !float_result_[i]) quantized_.insert(result_of(i));
    }
    // Backwards: a reader's Q moves in front of what only moves values, if there is integer data or nothing to lose.
    for (std::size_t k = graph_.nodes.size(); k > 0; --k) {
      const std::size_t i = k - 1;
      if (!is(i, Role::kPassThrough) || !open(i)) continue;
      const Node& node = graph_.nodes[i];
      const bool wanted = std::any_of(node.outputs.begin(), node.outputs.end(),
                                      [&](const std::string& v) { return quantized_.contains(v); });
      if (wanted && (rules_[i]->hoists || available.contains(node.input(0)))) pass(i);
    }
    // Forwards: what shrinks its input does so on integers even if floats follow.
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i)
      if (is(i, Role::kPassThrough) && open(i) && rules_[i]->shrinks && states_[i] == NodeState::kFloat &&
          quantized_.contains(graph_.nodes[i].input(0)) && available.contains(graph_.nodes[i].input(0)))
        pass(i);
    if (!options_.target->clamps_vanish) return;
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (!integer_kernel(i)) continue;
      const std::string& value = result_of(i);
      if (value != graph_.nodes[i].output(0) && quantized_.contains(value))
        states_[static_cast<std::size_t>(index_.producer(value))] = NodeState::kVanished;
    }
  }

  void pass(std::size_t i) {
    const Node& node = graph_.nodes[i];
    states_[i] = NodeState::kInteger;
    quantized_.insert(node.input(0));
    for (const std::string& output : node.outputs)
      if (!output.empty()) quantized_.insert(output);
  }

  Plan result() {
    Plan plan;
    plan.states = states_;
    for (std::size_t i = 0; i < states_.size(); ++i)
      plan.on_stored.push_back(states_[i] == NodeState::kInteger && rules_[i]->on_stored);
    const auto add = [&](const std::string& value, const std::string& root) {
      if (!quantized_.contains(value) || !plan.range_of.emplace(value, root).second) return;
      plan.quantized.push_back(value);
    };
    for (const ValueInfo& input : graph_.inputs) add(input.name, input.name);
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      const bool moves = states_[i] == NodeState::kInteger && is(i, Role::kPassThrough);
      const auto source = moves ? plan.range_of.find(node.input(0)) : plan.range_of.end();
      const std::string root = source == plan.range_of.end() ? "" : source->second;
      for (const std::string& output : node.outputs) add(output, root.empty() ? output : root);
    }
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (states_[i] != NodeState::kFloat || reasons_[i].empty()) continue;
      const Node& node = graph_.nodes[i];
      const bool fed = std::any_of(node.inputs.begin(), node.inputs.end(),
                                   [&](const std::string& v) { return !v.empty() && plan.quantizes(v); });
      const bool asked = rules_[i] != nullptr && (rules_[i]->role == Role::kAnchor || rules_[i]->role == Role::kFloat);
      if (fed || asked)
        plan.skipped.push_back({node_label(node, static_cast<std::int64_t>(i)), node.op_type, reasons_[i]});
    }
    return plan;
  }

  const Graph& graph_;
  const PlanOptions& options_;
  GraphIndex index_;
  std::vector<const OpRule*> rules_;
  std::vector<std::string> reasons_;  // why a node stays float; "" while it may become integer
  std::vector<bool> float_result_;    // its result is not quantized though it may be integer itself
  std::vector<NodeState> states_;
  std::set<std::string> quantized_;
};

}  // namespace

std::vector<std::string> Plan::observed() const {
  std::vector<std::string> roots;
  for (const std::string& value : quantized)
    if (range_of.at(value) == value) roots.push_back(value);
  return roots;
}

std::int64_t output_channels(const Node& node, const Tensor& weights) {
  if (node.is("ConvTranspose")) return weights.shape()[1] * node.int_or("group", 1);
  const auto axis = output_axis(node, weights.rank());
  return weights.shape()[static_cast<std::size_t>(axis.value_or(weights.rank() - 1))];
}

std::vector<float> channel_bias(const Node& node, const Graph& graph, std::int64_t channels) {
  if (node.is("MatMul") || node.input(2).empty()) return {};
  const Tensor bias = graph.constant(node.input(2));
  if (bias.empty()) throw Error(ErrorCode::kUnsupported, "its bias is not constant");
  if (bias.dtype() != DType::kFloat32) fail(ErrorCode::kUnsupported, "its bias is {}", dtype_name(bias.dtype()));
  const auto values = bias.data<float>();
  const bool row = bias.shape().empty() || bias.shape().back() == bias.element_count();
  if (row && bias.element_count() == channels) return {values.begin(), values.end()};
  if (bias.element_count() == 1) return std::vector<float>(static_cast<std::size_t>(channels), values[0]);
  fail(ErrorCode::kUnsupported, "its bias of shape {} is not one value per channel", shape_text(bias.shape()));
}

Plan plan_quantization(const Graph& graph, const PlanOptions& options) { return Planner(graph, options).make(); }

}  // namespace pare
