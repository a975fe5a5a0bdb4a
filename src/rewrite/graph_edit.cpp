#include "rewrite/graph_edit.h"

#include <algorithm>

#include "core/fail.h"

namespace pare {
namespace {

void collect_captures(const Node& node, std::unordered_set<std::string>& captured) {
  const auto add = [&](const std::shared_ptr<const Graph>& graph) {
    if (!graph) return;
    for (const std::string& name : captured_values(*graph)) captured.insert(name);
  };
  for (const Attribute& attribute : node.attributes) {
    if (const auto* one = std::get_if<std::shared_ptr<const Graph>>(&attribute.value)) add(*one);
    if (const auto* many = std::get_if<std::vector<std::shared_ptr<const Graph>>>(&attribute.value))
      for (const auto& graph : *many) add(graph);
  }
}

Tensor tensor_of_constant(const Node& node) {
  Graph alone;
  alone.nodes.push_back(node);
  return alone.constant(node.output(0));
}

}  // namespace

GraphEdit::GraphEdit(const Model& model)
    : model_(model), opset_(model.opset()), removed_(model.graph.nodes.size(), false), names_(model.graph) {
  for (std::int64_t i = 0; i < node_count(); ++i) {
    const Node& current = node(i);
    for (const std::string& output : current.outputs)
      if (!output.empty()) producers_.emplace(output, i);
    for (const std::string& input : current.inputs)
      if (!input.empty()) readers_[input].push_back(i);
    collect_captures(current, captured_);
    if (current.is("Constant"))
      if (Tensor tensor = tensor_of_constant(current); !tensor.empty())
        constant_nodes_.emplace(current.output(0), std::move(tensor));
  }
  for (const ValueInfo& output : graph().outputs) outputs_.insert(output.name);
}

std::int64_t GraphEdit::producer(const std::string& value) const {
  const auto found = producers_.find(value);
  return found == producers_.end() ? -1 : found->second;
}

const std::vector<std::int64_t>& GraphEdit::readers(const std::string& value) const {
  static const std::vector<std::int64_t> kNone;
  const auto found = readers_.find(value);
  return found == readers_.end() ? kNone : found->second;
}

bool GraphEdit::is_unused(const std::string& value) const {
  return readers(value).empty() && !is_output(value) && !is_captured(value);
}

std::string GraphEdit::not_private(const std::string& value) const {
  if (is_output(value)) return fmt::format("'{}' is an output of the graph", value);
  if (is_captured(value)) return fmt::format("a subgraph reads '{}'", value);
  if (readers(value).size() != 1) return fmt::format("'{}' is read {} times", value, readers(value).size());
  return {};
}

Tensor GraphEdit::constant(const std::string& value) const {
  if (value.empty()) return {};
  if (const Tensor* tensor = graph().initializers.find(value)) return *tensor;
  const auto found = constant_nodes_.find(value);
  return found == constant_nodes_.end() ? Tensor() : found->second;
}

const ValueInfo* GraphEdit::type(const std::string& value) const {
  if (!types_) types_ = types_from_inputs(model_);
  const auto found = types_->find(value);
  return found == types_->end() ? nullptr : &found->second;
}

std::optional<Shape> GraphEdit::known_shape(const std::string& value) const {
  if (const Tensor tensor = constant(value); !tensor.empty()) return tensor.shape();
  const ValueInfo* info = type(value);
  if (!info || !info->shape) return std::nullopt;
  Shape shape;
  // Exporters write 0 and -1 for "unknown" too.
  for (const Dim& dim : *info->shape) shape.push_back(dim.value && *dim.value > 0 ? *dim.value : -1);
  return shape;
}

void GraphEdit::forget_read(const std::string& value, std::int64_t index) {
  const auto found = readers_.find(value);
  if (found == readers_.end()) return;
  const auto read = std::find(found->second.begin(), found->second.end(), index);
  if (read != found->second.end()) found->second.erase(read);
}

void GraphEdit::set_input(std::int64_t index, std::size_t input, const std::string& value) {
  Node& changed = change_attributes(index);
  if (changed.inputs.size() <= input) changed.inputs.resize(input + 1);
  if (!changed.inputs[input].empty()) forget_read(changed.inputs[input], index);
  changed.inputs[input] = value;
  if (!value.empty()) readers_[value].push_back(index);
}

void GraphEdit::drop_input(std::int64_t index, std::size_t input) {
  Node& changed = change_attributes(index);
  forget_read(changed.inputs[input], index);
  changed.inputs.erase(changed.inputs.begin() + static_cast<std::ptrdiff_t>(input));
}

void GraphEdit::set_output(std::int64_t index, std::size_t output, const std::string& value) {
  Node& changed = change_attributes(index);
  producers_.erase(changed.outputs[output]);
  changed.outputs[output] = value;
  producers_[value] = index;
}

void GraphEdit::remove_node(std::int64_t index) {
  removed_[static_cast<std::size_t>(index)] = true;
  for (const std::string& input : node(index).inputs)
    if (!input.empty()) forget_read(input, index);
  for (const std::string& output : node(index).outputs) {
    if (output.empty()) continue;
    if (const auto made = producers_.find(output); made != producers_.end() && made->second == index)
      producers_.erase(made);
    constant_nodes_.erase(output);
  }
}

void GraphEdit::redirect(const std::string& from, const std::string& to) {
  if (is_captured(from)) {
    replace_uses(model_.graph, from, to);
    captured_.erase(from);
    captured_.insert(to);
  } else {
    for (const std::int64_t reader : readers(from))
      for (std::string& input : change_attributes(reader).inputs)
        if (input == from) input = to;
  }
  const std::vector<std::int64_t> moved = readers(from);
  readers_.erase(from);
  std::vector<std::int64_t>& all = readers_[to];
  all.insert(all.end(), moved.begin(), moved.end());
}

std::string GraphEdit::add_initializer(std::string_view wanted, Tensor tensor) {
  std::string name = names_.fresh(wanted);
  model_.graph.initializers.set(name, std::move(tensor));
  return name;
}

void GraphEdit::set_weight(std::int64_t index, std::size_t input, Tensor tensor, std::string_view wanted_name) {
  const std::string old = node(index).input(input);
  if (graph().initializers.contains(old) && not_private(old).empty() && !is_annotated(graph(), old))
    model_.graph.initializers.set(old, std::move(tensor));
  else
    set_input(index, input, add_initializer(wanted_name, std::move(tensor)));
}

void GraphEdit::done(std::int64_t index, std::string reason) {
  done({node_label(node(index), index), node(index).op_type, std::move(reason)});
}

void GraphEdit::done(NodeReason what) {
  result_.done.push_back(std::move(what));
  ++result_.changes;
}

void GraphEdit::skip(std::int64_t index, std::string reason) {
  result_.skipped.push_back({node_label(node(index), index), node(index).op_type, std::move(reason)});
}

StepResult GraphEdit::finish() {
  std::vector<Node> kept;
  for (std::int64_t i = 0; i < node_count(); ++i)
    if (!removed(i)) kept.push_back(std::move(change_attributes(i)));
  model_.graph.nodes = std::move(kept);
  if (result_.changes > 0) tidy_declarations(model_);
  result_.model = std::move(model_);
  return std::move(result_);
}

StepInfo rewrite_step(std::string name, std::string summary, std::function<StepResult(const Model&, Context&)> run) {
  StepInfo info;
  info.name = std::move(name);
  info.kind = StepKind::kRewrite;
  info.summary = std::move(summary);
  info.run = [run = std::move(run)](const Model& model, const StepOptions&, Context& context) {
    return run(model, context);
  };
  return info;
}

ValueTypes types_from_inputs(const Model& model) {
  Model bare = model;
  bare.graph.value_info.clear();
  for (ValueInfo& output : bare.graph.outputs)
    if (output.opaque_type.empty()) output.shape.reset();
  return infer_types(bare);
}

void tidy_declarations(Model& model) {
  std::unordered_set<std::string> made;
  for (const Node& node : model.graph.nodes) made.insert(node.outputs.begin(), node.outputs.end());
  std::erase_if(model.graph.value_info, [&](const ValueInfo& info) { return !made.contains(info.name); });
  model.weights_as_inputs.clear();
  model.ir_version = std::max<std::int64_t>(model.ir_version, 4);
}

bool is_annotated(const Graph& graph, std::string_view name) {
  return std::any_of(graph.quantization_annotations.begin(), graph.quantization_annotations.end(),
                     [&](const std::string& bytes) { return bytes.find(name) != std::string::npos; });
}

}  // namespace pare
