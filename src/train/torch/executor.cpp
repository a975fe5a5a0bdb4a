#include "train/torch/executor.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "core/fail.h"
#include "core/words.h"
#include "ops/constant_roots.h"
#include "ops/weight_layer.h"
#include "train/lower/torch_tensor.h"

namespace pare {
namespace {

/// Operators and their inputs that are trained: weights, biases, scales and shifts, slopes. Everything else that is
/// constant stays: normalization of the input, anchors, limits.
struct TrainedInputs {
  std::string_view op;
  std::array<std::size_t, 2> inputs;
};
constexpr std::array kTrainedInputs = {
    TrainedInputs{"Conv", {1, 2}},
    TrainedInputs{"ConvTranspose", {1, 2}},
    TrainedInputs{"FusedConv", {1, 2}},
    TrainedInputs{"Gemm", {1, 2}},
    TrainedInputs{"MatMul", {0, 1}},
    TrainedInputs{"BatchNormalization", {1, 2}},
    TrainedInputs{"InstanceNormalization", {1, 2}},
    TrainedInputs{"LayerNormalization", {1, 2}},
    TrainedInputs{"GroupNormalization", {1, 2}},
    TrainedInputs{"PRelu", {1, 1}},
};
/// What may stand between a stored weight and the node that multiplies with it.
constexpr std::array<std::string_view, 6> kViews = {"Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Cast"};

bool is_trained(const Graph& graph, const GraphIndex& index, const Node& node, std::size_t input) {
  for (const TrainedInputs& trained : kTrainedInputs)
    if (node.op_type == trained.op) return input == trained.inputs[0] || input == trained.inputs[1];
  if (!node.is("Add") || input > 1) return false;  // the bias of a product
  const std::int64_t before = index.producer(node.input(1 - input));
  if (before < 0) return false;
  return is_weight_layer(graph.nodes[static_cast<std::size_t>(before)]);
}

/// The stored tensor that a value is a view of, "" if there is none.
std::string stored_behind(const Graph& graph, const GraphIndex& index, std::string value) {
  for (;;) {
    const std::int64_t producer = index.producer(value);
    if (producer < 0) return graph.initializers.contains(value) ? value : "";
    const Node& node = graph.nodes[static_cast<std::size_t>(producer)];
    if (node.is("Constant")) return value;
    if (std::find(kViews.begin(), kViews.end(), node.op_type) == kViews.end()) return "";
    value = node.input(0);
  }
}

/// The integers behind the DequantizeLinear that a value is a view of, "" if there are none.
std::string integers_behind(const Graph& graph, const GraphIndex& index, std::string value) {
  for (;;) {
    const std::int64_t producer = index.producer(value);
    if (producer < 0) return "";
    const Node& node = graph.nodes[static_cast<std::size_t>(producer)];
    value = node.input(0);
    if (node.is("DequantizeLinear")) return graph.initializers.contains(value) ? value : "";
    if (std::find(kViews.begin(), kViews.end(), node.op_type) == kViews.end()) return "";
  }
}

std::string lower_reason(const Node& node, std::int64_t opset) {
  if (node.is("Constant")) return "";
  const Lowering* lowering = all_lowerings().find(node);
  if (lowering == nullptr)
    return node.has_subgraph() ? "control flow cannot be trained through" : "no gradient is known for this operator";
  try {
    (void)lowering->make({node, opset});
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// 0 for subnormal numbers.
at::Tensor flushed(const at::Tensor& tensor) {
  at::Tensor out = tensor.detach().clone();
  if (out.scalar_type() == at::kFloat) out.masked_fill_(out.abs().lt(std::numeric_limits<float>::min()), 0);
  return out;
}

}  // namespace

std::vector<NodeReason> Executor::refusals(const Model& model) {
  std::vector<NodeReason> refused;
  for (std::size_t i = 0; i < model.graph.nodes.size(); ++i) {
    const Node& node = model.graph.nodes[i];
    const std::string reason = lower_reason(node, model.opset());
    if (!reason.empty()) refused.push_back({node_label(node, static_cast<std::int64_t>(i)), node.op_type, reason});
  }
  return refused;
}

Executor::Executor(const Model& model, const ExecutorOptions& options) : model_(model), options_(options) {
  const std::vector<NodeReason> refused = refusals(model);
  if (!refused.empty()) {
    std::string lines;
    for (std::size_t i = 0; i < refused.size() && i < 10; ++i)
      lines += fmt::format("\n  {}: {}", refused[i].node, refused[i].reason);
    if (refused.size() > 10) lines += fmt::format("\n  and {} more", refused.size() - 10);
    fail(ErrorCode::kUnsupported, "this network cannot be trained: {} of {} nodes{}", refused.size(),
         model.graph.nodes.size(), lines);
  }
  find_parameters();
  const std::set<std::string> integers = find_integer_weights();
  if (options_.quantization_aware) {
    quantized_ = read_quantized_graph(model_.graph, integers);
    find_quantized_parameters();
  }
  if (options_.trainable && parameters_.empty())
    fail(ErrorCode::kInvalidArgument,
         "this network has no float32 weights that could be trained\n  remedy: finetune --qat for a quantized network; "
         "for float16 convert it to float32 first");
  std::vector<std::string> results = options_.results;
  if (results.empty())
    for (const ValueInfo& output : model_.graph.outputs) results.push_back(output.name);
  plan(results);
}

std::int64_t Executor::slot_of(const std::string& value) {
  const auto [at, added] = slots_.try_emplace(value, static_cast<std::int64_t>(slots_.size()));
  if (added) constants_.emplace_back();
  return at->second;
}

void Executor::find_parameters() {
  const Graph& graph = model_.graph;
  const GraphIndex index(graph);
  std::set<std::string> taken;
  const auto tensor_of = [&](const std::string& name) {
    at::Tensor tensor = to_torch(index.constant(name));
    if (options_.channels_last && tensor.dim() == 4) tensor = tensor.contiguous(at::MemoryFormat::ChannelsLast);
    return tensor;
  };
  for (const Node& node : graph.nodes) {
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.is("BatchNormalization") && i >= 3) {
        const std::string name = stored_behind(graph, index, node.input(i));
        if (name.empty() || !taken.insert(name).second) continue;
        buffers_.push_back({name, tensor_of(name)});
        constants_[static_cast<std::size_t>(slot_of(name))] = buffers_.back().tensor;
        continue;
      }
      if (!is_trained(graph, index, node, i)) continue;
      const std::string name = stored_behind(graph, index, node.input(i));
      if (name.empty() || taken.contains(name) || index.constant(name).dtype() != DType::kFloat32) continue;
      taken.insert(name);
      at::Tensor tensor = tensor_of(name);
      if (options_.trainable) tensor.set_requires_grad(true);
      constants_[static_cast<std::size_t>(slot_of(name))] = tensor;
      parameters_.push_back({name, tensor, tensor.dim() > 1});
    }
  }
}

at::Tensor Executor::constant_of(const std::string& name) const {
  return constants_[static_cast<std::size_t>(slots_.at(name))];
}

at::Tensor Executor::scale_of(const StoredWeight& weight) const {
  const auto learned = [&](const std::string& name) {
    return std::any_of(scales_.begin(), scales_.end(), [&](const LearnedScale& one) { return one.name == name; });
  };
  if (learned(weight.input_scale) || learned(weight.weight_scale)) {
    const at::Tensor product =
        constant_of(weight.input_scale).detach().reshape({}) * constant_of(weight.weight_scale).detach();
    return product.expand_as(constant_of(weight.scale));
  }
  return constant_of(weight.scale);
}

std::set<std::string> Executor::find_integer_weights() {
  const GraphIndex index(model_.graph);
  std::set<std::string> found;
  for (const Node& node : model_.graph.nodes)
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      if (is_trained(model_.graph, index, node, i)) found.insert(integers_behind(model_.graph, index, node.input(i)));
  found.erase("");
  for (const std::string& name : found)
    integer_weights_ += element_count(model_.graph.initializers.find(name)->shape());
  return found;
}

void Executor::find_quantized_parameters() {
  const Graph& graph = model_.graph;
  for (const StoredWeight& weight : quantized_.weights) {
    constants_[static_cast<std::size_t>(slot_of(weight.scale))] = to_torch(*graph.initializers.find(weight.scale));
    const at::Tensor scale = constant_of(weight.scale);
    const at::Tensor levels = to_torch(*graph.initializers.find(weight.name)).to(at::kFloat) - weight.grid.zero_point;
    at::Tensor master = levels * along_axis(scale, levels, weight.axis);
    if (options_.channels_last && master.dim() == 4) master = master.contiguous(at::MemoryFormat::ChannelsLast);
    if (options_.trainable) master.set_requires_grad(true);
    constants_[static_cast<std::size_t>(slot_of(weight.name))] = master;
    parameters_.push_back({weight.name, master, master.dim() > 1});
  }
  if (!options_.trainable) return;
  if (options_.learn_ranges) learn_scales(quantized_.movable_activations);
  if (options_.learn_weight_ranges) learn_scales(quantized_.movable_weights);
}

void Executor::learn_scales(const std::set<std::string>& names) {
  for (const std::string& name : names) {
    at::Tensor scale = to_torch(*model_.graph.initializers.find(name));
    scales_.push_back({name, scale, scale.clone()});
    scale.set_requires_grad(true);
    constants_[static_cast<std::size_t>(slot_of(name))] = scale;
    parameters_.push_back({name, scale, false});
  }
}

void Executor::bound_scales() {
  for (const LearnedScale& scale : scales_) {
    at::Tensor plain = scale.tensor.detach();
    plain.copy_(at::minimum(at::maximum(plain, scale.start * 0.25), scale.start * 4));
  }
}

void Executor::plan(const std::vector<std::string>& results) {
  const Graph& graph = model_.graph;
  for (const Initializers::Entry& entry : graph.initializers) {
    at::Tensor& slot = constants_[static_cast<std::size_t>(slot_of(entry.name))];
    if (!slot.defined() && entry.tensor.dtype() != DType::kString) slot = to_torch(entry.tensor);
  }
  // What depends on constants alone is computed once; what depends on a weight, in every pass.
  std::set<std::int64_t> fixed;
  for (const auto& [name, slot] : slots_)
    if (constants_[static_cast<std::size_t>(slot)].defined() &&
        !constants_[static_cast<std::size_t>(slot)].requires_grad())
      fixed.insert(slot);
  for (const TrainedBuffer& buffer : buffers_) fixed.erase(slot_of(buffer.name));

  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (node.is("Constant")) {
      const std::int64_t slot = slot_of(node.output(0));
      at::Tensor& constant = constants_[static_cast<std::size_t>(slot)];
      if (constant.defined()) continue;  // a weight, or statistics
      constant = to_torch(graph.constant(node.output(0)));
      fixed.insert(slot);
      continue;
    }
    Op op = make_op(static_cast<std::int64_t>(i));
    const bool constant = std::all_of(op.inputs.begin(), op.inputs.end(),
                                      [&](std::int64_t slot) { return slot < 0 || fixed.contains(slot); });
    if (!constant) {
      ops_.push_back(std::move(op));
      continue;
    }
    const c10::NoGradGuard no_gradient;
    run_op(op, constants_, {});
    for (const std::int64_t slot : op.outputs)
      if (slot >= 0) fixed.insert(slot);
  }

  for (const std::string& result : results) {
    if (!slots_.contains(result)) {
      std::vector<std::string> names;
      for (const auto& [name, slot] : slots_) names.push_back(name);
      fail(ErrorCode::kInvalidArgument, "the network has no value '{}'{}", result, nearest_hint(result, names));
    }
    results_.push_back(slots_.at(result));
  }
  std::set<std::int64_t> read(results_.begin(), results_.end());
  std::vector<Op> needed;
  for (auto op = ops_.rbegin(); op != ops_.rend(); ++op) {
    const bool wanted = std::any_of(op->outputs.begin(), op->outputs.end(),
                                    [&](std::int64_t slot) { return slot >= 0 && read.contains(slot); });
    if (!wanted) continue;
    for (const std::int64_t slot : op->inputs)
      if (slot >= 0 && !constants_[static_cast<std::size_t>(slot)].defined() && read.insert(slot).second)
        op->last_read.push_back(slot);
    for (const std::int64_t slot : op->outputs)
      if (slot >= 0 && !read.contains(slot)) op->last_read.push_back(slot);
    needed.push_back(std::move(*op));
  }
  ops_.assign(std::make_move_iterator(needed.rbegin()), std::make_move_iterator(needed.rend()));
}

Executor::Op Executor::make_op(std::int64_t i) {
  const Node& node = model_.graph.nodes[static_cast<std::size_t>(i)];
  Op op;
  op.node = i;
  for (const std::string& input : node.inputs) op.inputs.push_back(input.empty() ? -1 : slot_of(input));
  for (const std::string& output : node.outputs) op.outputs.push_back(output.empty() ? -1 : slot_of(output));
  if (const auto rounding = quantized_.rounding.find(i); rounding != quantized_.rounding.end()) {
    op.kernel = [grid = rounding->second](std::span<const at::Tensor> in, const PassOptions&) {
      return std::vector{fake_quantize(in[0], in[1], grid)};
    };
    return op;
  }
  if (quantized_.passing.contains(i)) {
    op.kernel = [](std::span<const at::Tensor> in, const PassOptions&) { return std::vector{in[0]}; };
    return op;
  }
  if (const StoredWeight* weight = quantized_.weight_of(i); weight != nullptr) {
    op.kernel = [this, weight](std::span<const at::Tensor> in, const PassOptions&) {
      return std::vector{fake_quantize_channels(in[0], scale_of(*weight), weight->axis, weight->grid)};
    };
    return op;
  }
  if (quantized_.plain_pad.contains(i)) op.inputs[2] = -1;  // pads with 0
  op.kernel = all_lowerings().find(node)->make({node, model_.opset()});
  return op;
}

void Executor::run_op(const Op& op, std::vector<at::Tensor>& slots, const PassOptions& pass) const {
  std::vector<at::Tensor> inputs;
  inputs.reserve(op.inputs.size());
  for (const std::int64_t slot : op.inputs)
    inputs.push_back(slot < 0 ? at::Tensor() : slots[static_cast<std::size_t>(slot)]);
  const auto label = [&] {
    std::string shapes;
    for (const at::Tensor& input : inputs)
      shapes +=
          (shapes.empty() ? "" : ", ") + (input.defined() ? shape_text(input.sizes().vec()) : std::string("none"));
    return fmt::format("{} with inputs {}", node_label(model_.graph.nodes[static_cast<std::size_t>(op.node)], op.node),
                       shapes);
  };
  try {
    const std::vector<at::Tensor> outputs = op.kernel(inputs, pass);
    for (std::size_t i = 0; i < op.outputs.size() && i < outputs.size(); ++i)
      if (op.outputs[i] >= 0) slots[static_cast<std::size_t>(op.outputs[i])] = outputs[i];
  } catch (const Error& error) {
    fail(error.code(), "training: {}: {}", label(), error.what());
  } catch (const c10::Error& error) {
    fail(ErrorCode::kInvalidArgument, "training: {}: {}", label(), error.what_without_backtrace());
  }
}

std::vector<at::Tensor> Executor::run(const std::map<std::string, at::Tensor>& inputs, const PassOptions& pass) {
  std::vector<at::Tensor> slots = constants_;
  for (const ValueInfo& input : model_.graph.inputs) {
    const auto found = inputs.find(input.name);
    if (found == inputs.end()) fail(ErrorCode::kInvalidArgument, "training: input '{}' is missing", input.name);
    const auto slot = slots_.find(input.name);
    if (slot == slots_.end()) continue;  // nobody reads it
    at::Tensor value = found->second;
    if (options_.channels_last && value.dim() == 4) value = value.contiguous(at::MemoryFormat::ChannelsLast);
    slots[static_cast<std::size_t>(slot->second)] = value;
  }
  for (const Op& op : ops_) {
    run_op(op, slots, pass);
    for (const std::int64_t slot : op.last_read) slots[static_cast<std::size_t>(slot)].reset();
  }
  std::vector<at::Tensor> results;
  for (const std::int64_t slot : results_) results.push_back(slots[static_cast<std::size_t>(slot)]);
  return results;
}

std::map<std::string, at::Tensor> Executor::state() const {
  std::map<std::string, at::Tensor> state;
  for (const TrainedTensor& parameter : parameters_) state[parameter.name] = parameter.tensor.detach();
  for (const TrainedBuffer& buffer : buffers_) state[buffer.name] = buffer.tensor;
  return state;
}

void Executor::set_state(const std::map<std::string, at::Tensor>& state) {
  for (auto& [name, tensor] : this->state()) {
    const auto found = state.find(name);
    if (found == state.end() || found->second.sizes() != tensor.sizes())
      fail(ErrorCode::kMalformedModel, "the saved state is of another network: '{}' does not fit", name);
    tensor.copy_(found->second);
  }
}

Model Executor::export_model() const {
  Model out = model_;
  std::map<std::string, Tensor> changed;
  for (const TrainedTensor& parameter : parameters_) changed[parameter.name] = from_torch(flushed(parameter.tensor));
  for (const StoredWeight& weight : quantized_.weights) {
    const at::Tensor levels = quantized_levels(constant_of(weight.name), scale_of(weight), weight.axis, weight.grid);
    changed[weight.name] = from_torch(levels.to(torch_type(weight.dtype)));
    if (!weight.input_scale.empty()) changed[weight.scale] = from_torch(scale_of(weight));
  }
  for (const TrainedBuffer& buffer : buffers_) changed[buffer.name] = from_torch(flushed(buffer.tensor));
  for (const auto& [name, tensor] : changed)
    if (out.graph.initializers.contains(name)) out.graph.initializers.set(name, tensor);
  for (Node& node : out.graph.nodes)
    if (const auto found = changed.find(node.output(0)); node.is("Constant") && found != changed.end()) {
      node.attributes.clear();
      node.set_attribute("value", found->second);
    }
  return out;
}

}  // namespace pare
