#include "quantize/place_qdq.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "core/fail.h"
#include "ops/weight_layer.h"
#include "quantize/weights.h"

namespace pare {
namespace {

class Placer {
 public:
  Placer(const Model& model, const Plan& plan, const Ranges& ranges, const PlaceOptions& options)
      : source_(model.graph), plan_(plan), ranges_(ranges), options_(options), index_(source_), names_(source_) {
    placed_.model = model;
    placed_.model.graph.nodes.clear();
    placed_.model.graph.value_info.clear();
  }

  Placed place() {
    for (const ValueInfo& input : source_.inputs)
      if (plan_.quantizes(input.name)) quantize_float_value(input.name);
    for (std::size_t i = 0; i < source_.nodes.size(); ++i) {
      if (plan_.states[i] == NodeState::kVanished) {
        ++placed_.vanished;
        continue;
      }
      emit(i);
    }
    drop_unread_dequantizers();
    drop_unread_constants();
    return std::move(placed_);
  }

 private:
  Graph& graph() { return placed_.model.graph; }
  bool integer(std::size_t i) const { return plan_.states[i] == NodeState::kInteger; }

  struct Params {
    QuantParams values;
    std::string scale, zero_point;  // initializers
  };

  /// Shared by all values that share a scale.
  const Params& params(const std::string& value) {
    const std::string& root = plan_.range_of.at(value);
    const auto known = params_.find(root);
    if (known != params_.end()) return known->second;
    const auto range = ranges_.find(root);
    if (range == ranges_.end()) fail(ErrorCode::kInternal, "quantize: no range was measured for '{}'", root);
    return params_.emplace(root, store(root, params_of(range->second))).first->second;
  }

  Params store(const std::string& base, const QuantParams& values) {
    Params stored{values, names_.fresh(base + "_scale"), names_.fresh(base + "_zero_point")};
    graph().initializers.set(stored.scale, Tensor::scalar(values.scale));
    graph().initializers.set(stored.zero_point, Tensor::scalar(values.zero_point));
    return stored;
  }

  Node& add_node(const char* op, const std::string& output, std::vector<std::string> inputs) {
    Node node;
    node.op_type = op;
    node.name = names_.fresh(output + "_" + op);
    node.inputs = std::move(inputs);
    node.outputs = {output};
    graph().nodes.push_back(std::move(node));
    return graph().nodes.back();
  }

  void add_pair(const std::string& from, const std::string& to, const Params& with) {
    const std::string stored = names_.fresh(to + "_q");
    add_node("QuantizeLinear", stored, {from, with.scale, with.zero_point});
    add_node("DequantizeLinear", to, {stored, with.scale, with.zero_point});
    stored_[to] = stored;
  }

  /// The node computes on what the Q gave; its DQ follows.
  void emit_on_stored(Node node) {
    const std::string value = node.output(0);
    const Params& with = params(value);
    node.inputs[0] = stored_.at(node.inputs[0]);
    // What pads must be the stored form of 0.
    if (node.is("Pad")) {
      if (node.inputs.size() < 3) node.inputs.resize(3);
      node.inputs[2] = with.zero_point;
    }
    node.outputs[0] = names_.fresh(value + "_q");
    stored_[value] = node.outputs[0];
    graph().nodes.push_back(node);
    add_node("DequantizeLinear", value, {node.outputs[0], with.scale, with.zero_point});
  }

  /// A value that float nodes go on reading as it is.
  void quantize_float_value(const std::string& value) {
    const std::string dequantized = names_.fresh(value + "_dq");
    add_pair(value, dequantized, params(value));
    for_integer_readers_[value] = dequantized;
  }

  void emit(std::size_t i) {
    Node node = source_.nodes[i];
    if (integer(i)) make_integer(i, node);
    if (plan_.on_stored[i]) return emit_on_stored(node);
    // Names of outputs behind which a Q follows; a vanished clamp hands its name on.
    std::vector<std::pair<std::string, std::string>> pairs;
    std::vector<std::string> after;
    for (std::string& output : node.outputs) {
      if (output.empty()) continue;
      std::string value = output;
      const std::int64_t reader = index_.sole_consumer(output);
      // As data, that is: the bounds of a Clip are read by it too.
      if (reader >= 0 && plan_.states[static_cast<std::size_t>(reader)] == NodeState::kVanished &&
          source_.nodes[static_cast<std::size_t>(reader)].input(0) == output)
        value = source_.nodes[static_cast<std::size_t>(reader)].output(0);
      if (!plan_.quantizes(value)) continue;
      if (!integer(i)) {
        after.push_back(value);
        continue;
      }
      // Where a clamp vanished the node's own output name is free.
      if (value == output) output = names_.fresh(value + "_raw");
      pairs.emplace_back(output, value);
    }
    graph().nodes.push_back(std::move(node));
    for (const auto& [from, to] : pairs) add_pair(from, to, params(to));
    for (const std::string& value : after) quantize_float_value(value);
  }

  void make_integer(std::size_t i, Node& node) {
    const Tensor weights = is_weight_layer(node) ? source_.constant(node.input(1)) : Tensor();
    const std::string input = node.input(0);
    for (std::size_t k = 0; k < node.inputs.size(); ++k) {
      const auto other = for_integer_readers_.find(node.inputs[k]);
      if (other != for_integer_readers_.end() && (k == 0 || weights.empty())) node.inputs[k] = other->second;
    }
    std::string how = "int8";
    if (!weights.empty()) {
      how = place_weights(i, node, input, weights);
    } else if (node.is("Add") || node.is("Mul") || node.is("Concat")) {
      for (std::string& operand : node.inputs) place_constant(operand);
    } else if (node.is("Pad") && !plan_.on_stored[i]) {
      place_padding(node, input);
    }
    placed_.done.push_back({node_label(source_.nodes[i], static_cast<std::int64_t>(i)), node.op_type, how});
  }

  std::string place_weights(std::size_t i, Node& node, const std::string& input, const Tensor& weights) {
    const std::string name = node.input(1);
    if (!weights_.contains(name)) quantize_shared_weights(name, weights);
    const QuantizedWeights& quantized = weights_.at(name);
    const std::vector<float> bias = shifted_bias(i, weights);
    if (!bias.empty()) {
      const QuantizedBias stored = quantize_bias(bias, params(input).values.scale, quantized.scales);
      const std::string base = node.input(2).empty() ? node.output(0) + "_bias" : node.input(2);
      const std::string values = names_.fresh(base + "_q"), scale = names_.fresh(base + "_scale");
      graph().initializers.set(values, stored.values);
      graph().initializers.set(scale, Tensor::of({static_cast<std::int64_t>(stored.scales.size())}, stored.scales));
      const std::string dequantized = names_.fresh(base + "_dq");
      add_node("DequantizeLinear", dequantized, {values, scale}).set_attribute("axis", std::int64_t{0});
      node.inputs.resize(2);
      node.inputs.push_back(dequantized);
    }
    std::string how = quantized.axis ? fmt::format("int8, {} weight scales", quantized.scales.size())
                                     : std::string("int8, one weight scale");
    if (quantized.narrowed > 0) how += fmt::format(", {} channels under 8 bits against saturation", quantized.narrowed);
    return how;
  }

  std::vector<float> shifted_bias(std::size_t i, const Tensor& weights) const {
    const Node& node = source_.nodes[i];
    const std::int64_t channels = output_channels(node, weights);
    std::vector<float> bias = channel_bias(node, source_, channels);
    const auto shift = options_.bias_shift.find(i);
    if (shift == options_.bias_shift.end() || node.is("MatMul")) return bias;
    bias.resize(static_cast<std::size_t>(channels), 0.0f);
    for (std::size_t c = 0; c < bias.size(); ++c)
      bias[c] = static_cast<float>(static_cast<double>(bias[c]) + shift->second[c]);
    return bias;
  }

  /// Weights under their old name behind the DQ; their scales satisfy the biases of all readers.
  void quantize_shared_weights(const std::string& name, const Tensor& weights) {
    WeightOptions options;
    options.limit_pairs = options_.limit_pairs;
    for (const GraphIndex::Use& use : index_.uses(name)) {
      const auto reader = static_cast<std::size_t>(use.node);
      const Node& node = source_.nodes[reader];
      options.axis = output_axis(node, weights.rank());
      const std::vector<double> floors = bias_floor(shifted_bias(reader, weights), params(node.input(0)).values.scale);
      if (options.floors.empty()) options.floors.assign(floors.size(), 0);
      for (std::size_t c = 0; c < floors.size(); ++c) options.floors[c] = std::max(options.floors[c], floors[c]);
    }
    QuantizedWeights quantized = quantize_weights(weights, options);
    if (quantized.narrowed > 0) ++placed_.narrowed_layers;
    const std::string values = names_.fresh(name + "_q"), scale = names_.fresh(name + "_scale"),
                      zero = names_.fresh(name + "_zero_point");
    const auto channels = static_cast<std::int64_t>(quantized.scales.size());
    const Shape shape = quantized.axis ? Shape{channels} : Shape{};
    graph().initializers.set(values, quantized.values);
    graph().initializers.set(scale, Tensor::of(shape, quantized.scales));
    graph().initializers.set(zero, Tensor::zeros(DType::kInt8, shape));
    graph().initializers.remove(name);
    Node& node = add_node("DequantizeLinear", name, {values, scale, zero});
    // Without the attribute the axis is 1, which is right for few layers and an error for most.
    if (quantized.axis) node.set_attribute("axis", *quantized.axis);
    replaced_.insert(name);
    weights_.emplace(name, std::move(quantized));
  }

  void place_constant(std::string& operand) {
    const Tensor constant = source_.constant(operand);
    if (constant.empty()) return;
    auto known = constants_.find(operand);
    if (known == constants_.end()) {
      const Extremes seen = extremes(constant.data<float>());
      if (!seen.finite) fail(ErrorCode::kNumeric, "the constant '{}' holds NaN or infinity", operand);
      const Params with = store(operand, params_of({seen.low, seen.high}));
      const std::string values = names_.fresh(operand + "_q"), dequantized = names_.fresh(operand + "_dq");
      graph().initializers.set(values, quantize_constant(constant, with.values.scale, with.values.zero_point));
      add_node("DequantizeLinear", dequantized, {values, with.scale, with.zero_point});
      known = constants_.emplace(operand, dequantized).first;
    }
    operand = known->second;
  }

  /// A padding value of its own goes through the same Q, or the runtime does not see the pattern.
  void place_padding(Node& node, const std::string& input) {
    if (node.input(2).empty()) return;
    const Params& with = params(input);
    const std::string values = names_.fresh(node.input(2) + "_q"), dequantized = names_.fresh(node.input(2) + "_dq");
    graph().initializers.set(values, Tensor::scalar(with.values.zero_point));
    add_node("DequantizeLinear", dequantized, {values, with.scale, with.zero_point});
    node.inputs[2] = dequantized;
  }

  /// A DQ whose readers all compute on what is stored.
  void drop_unread_dequantizers() {
    const GraphIndex now(graph());
    std::erase_if(graph().nodes, [&](const Node& node) {
      return node.is("DequantizeLinear") && now.uses(node.output(0)).empty() && !now.is_output(node.output(0));
    });
  }

  /// Only what the quantization left without readers: weights and biases in float.
  void drop_unread_constants() {
    Graph& result = graph();
    // A DQ took over the names of weights that were Constant nodes; ask for readers before two nodes define one name.
    std::erase_if(result.nodes,
                  [&](const Node& node) { return node.is("Constant") && replaced_.contains(node.output(0)); });
    const GraphIndex now(result);
    const auto orphaned = [&](const std::string& name) {
      return now.uses(name).empty() && !now.is_output(name) && !index_.uses(name).empty();
    };
    std::erase_if(result.nodes, [&](const Node& node) { return node.is("Constant") && orphaned(node.output(0)); });
    result.initializers.keep_if([&](const std::string& name) { return !orphaned(name); });
    std::erase_if(placed_.model.weights_as_inputs,
                  [&](const ValueInfo& input) { return !result.initializers.contains(input.name); });
  }

  const Graph& source_;
  const Plan& plan_;
  const Ranges& ranges_;
  const PlaceOptions& options_;
  GraphIndex index_;
  NameGenerator names_;
  Placed placed_;
  std::unordered_map<std::string, Params> params_;
  std::unordered_map<std::string, std::string> for_integer_readers_;
  std::unordered_map<std::string, std::string> stored_;  // dequantized value -> what its DQ reads
  std::unordered_map<std::string, QuantizedWeights> weights_;
  std::unordered_map<std::string, std::string> constants_;
  std::unordered_set<std::string> replaced_;
};

}  // namespace

Placed place_qdq(const Model& model, const Plan& plan, const Ranges& ranges, const PlaceOptions& options) {
  return Placer(model, plan, ranges, options).place();
}

}  // namespace pare
