#include "pare/graph.h"

#include <algorithm>
#include <functional>
#include <queue>

#include "core/fail.h"
#include "graph/proto.h"

namespace pare {
namespace {

const std::string kNoName;

template <class T>
const T& typed(const Node& node, const Attribute& attribute, const char* wanted) {
  if (const T* value = std::get_if<T>(&attribute.value)) return *value;
  fail(ErrorCode::kMalformedModel, "{}: attribute '{}' is not {}", node_label(node), attribute.name, wanted);
}

template <class F>
void for_each_subgraph(const Node& node, F&& visit) {
  for (const Attribute& attribute : node.attributes) {
    if (const auto* one = std::get_if<std::shared_ptr<const Graph>>(&attribute.value)) {
      if (*one) visit(**one);
    } else if (const auto* many = std::get_if<std::vector<std::shared_ptr<const Graph>>>(&attribute.value)) {
      for (const auto& graph : *many)
        if (graph) visit(*graph);
    }
  }
}

void collect_names(const Graph& graph, std::unordered_set<std::string>& names) {
  for (const Node& node : graph.nodes) {
    names.insert(node.name);
    names.insert(node.inputs.begin(), node.inputs.end());
    names.insert(node.outputs.begin(), node.outputs.end());
    for_each_subgraph(node, [&](const Graph& inner) { collect_names(inner, names); });
  }
  for (const auto& entry : graph.initializers) names.insert(entry.name);
  for (const std::string& sparse : graph.sparse_initializers) names.insert(sparse_initializer_name(sparse));
  for (const auto* infos : {&graph.inputs, &graph.outputs, &graph.value_info})
    for (const ValueInfo& info : *infos) names.insert(info.name);
}

/// The graph with every read of `from` turned into `to`, or null if it holds none.
std::shared_ptr<const Graph> renamed(const Graph& graph, std::string_view from, const std::string& to) {
  for (const ValueInfo& input : graph.inputs)
    if (input.name == from) return nullptr;  // shadowed
  for (const auto& entry : graph.initializers)
    if (entry.name == from) return nullptr;
  for (const Node& node : graph.nodes)
    if (std::find(node.outputs.begin(), node.outputs.end(), from) != node.outputs.end()) return nullptr;
  auto copy = std::make_shared<Graph>(graph);
  bool changed = false;
  for (Node& node : copy->nodes) {
    for (std::string& input : node.inputs)
      if (input == from) input = to, changed = true;
    for (Attribute& attribute : node.attributes) {
      if (auto* one = std::get_if<std::shared_ptr<const Graph>>(&attribute.value)) {
        if (auto inner = *one ? renamed(**one, from, to) : nullptr) *one = inner, changed = true;
      } else if (auto* many = std::get_if<std::vector<std::shared_ptr<const Graph>>>(&attribute.value)) {
        for (auto& entry : *many)
          if (auto inner = entry ? renamed(*entry, from, to) : nullptr) entry = inner, changed = true;
      }
    }
  }
  // A subgraph may hand an outer value straight out.
  for (ValueInfo& output : copy->outputs)
    if (output.name == from) output.name = to, changed = true;
  return changed ? copy : nullptr;
}

/// The tensor of a Constant node.
Tensor constant_of(const Node& node) {
  for (const Attribute& attribute : node.attributes) {
    if (const auto* tensor = std::get_if<Tensor>(&attribute.value)) return *tensor;
    if (const auto* number = std::get_if<std::int64_t>(&attribute.value)) return Tensor::scalar(*number);
    if (const auto* number = std::get_if<float>(&attribute.value)) return Tensor::scalar(*number);
    if (const auto* text = std::get_if<std::string>(&attribute.value)) return Tensor::from_strings({}, {*text});
    if (const auto* numbers = std::get_if<std::vector<std::int64_t>>(&attribute.value))
      return Tensor::of<std::int64_t>({static_cast<std::int64_t>(numbers->size())}, *numbers);
    if (const auto* numbers = std::get_if<std::vector<float>>(&attribute.value))
      return Tensor::of<float>({static_cast<std::int64_t>(numbers->size())}, *numbers);
    if (const auto* texts = std::get_if<std::vector<std::string>>(&attribute.value))
      return Tensor::from_strings({static_cast<std::int64_t>(texts->size())}, *texts);
  }
  return {};
}

}  // namespace

const std::string& Node::input(std::size_t index) const noexcept {
  return index < inputs.size() ? inputs[index] : kNoName;
}
const std::string& Node::output(std::size_t index) const noexcept {
  return index < outputs.size() ? outputs[index] : kNoName;
}

const Attribute* Node::find_attribute(std::string_view attribute) const noexcept {
  for (const Attribute& candidate : attributes)
    if (candidate.name == attribute) return &candidate;
  return nullptr;
}
std::int64_t Node::int_or(std::string_view attribute, std::int64_t fallback) const {
  const Attribute* found = find_attribute(attribute);
  return found ? typed<std::int64_t>(*this, *found, "an integer") : fallback;
}
float Node::float_or(std::string_view attribute, float fallback) const {
  const Attribute* found = find_attribute(attribute);
  return found ? typed<float>(*this, *found, "a number") : fallback;
}
std::string Node::string_or(std::string_view attribute, std::string_view fallback) const {
  const Attribute* found = find_attribute(attribute);
  return found ? typed<std::string>(*this, *found, "a string") : std::string(fallback);
}
std::vector<std::int64_t> Node::ints_or(std::string_view attribute, std::vector<std::int64_t> fallback) const {
  const Attribute* found = find_attribute(attribute);
  return found ? typed<std::vector<std::int64_t>>(*this, *found, "a list of integers") : fallback;
}
void Node::set_attribute(std::string_view attribute, Attribute::Value value) {
  for (Attribute& candidate : attributes)
    if (candidate.name == attribute) {
      candidate.value = std::move(value);
      return;
    }
  attributes.push_back({std::string(attribute), std::move(value), {}});
}
void Node::remove_attribute(std::string_view attribute) {
  std::erase_if(attributes, [&](const Attribute& candidate) { return candidate.name == attribute; });
}
bool Node::has_subgraph() const noexcept {
  bool found = false;
  for_each_subgraph(*this, [&](const Graph&) { found = true; });
  return found;
}

std::optional<Shape> ValueInfo::static_shape() const {
  if (!shape) return std::nullopt;
  Shape numbers;
  for (const Dim& dim : *shape) {
    if (!dim.value) return std::nullopt;
    numbers.push_back(*dim.value);
  }
  return numbers;
}

const Tensor* Initializers::find(std::string_view name) const noexcept {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &entries_[found->second].tensor;
}
void Initializers::set(const std::string& name, Tensor tensor, std::string doc) {
  const auto [found, added] = index_.try_emplace(name, entries_.size());
  if (added) {
    entries_.push_back({name, std::move(tensor), std::move(doc)});
  } else {
    entries_[found->second].tensor = std::move(tensor);
    if (!doc.empty()) entries_[found->second].doc = std::move(doc);
  }
}
void Initializers::remove(std::string_view name) {
  keep_if([&](const std::string& candidate) { return candidate != name; });
}
void Initializers::reindex() {
  index_.clear();
  for (std::size_t i = 0; i < entries_.size(); ++i) index_.emplace(entries_[i].name, i);
}

Tensor Graph::constant(std::string_view value) const {
  if (value.empty()) return {};
  if (const Tensor* tensor = initializers.find(value)) return *tensor;
  for (const Node& node : nodes)
    if (node.is("Constant") && node.output(0) == value) return constant_of(node);
  return {};
}
const ValueInfo* Graph::find_input(std::string_view value) const noexcept {
  for (const ValueInfo& info : inputs)
    if (info.name == value) return &info;
  return nullptr;
}
const ValueInfo* Graph::find_output(std::string_view value) const noexcept {
  for (const ValueInfo& info : outputs)
    if (info.name == value) return &info;
  return nullptr;
}

std::int64_t Model::opset() const noexcept {
  for (const OpsetImport& import : opset_imports)
    if (import.domain.empty()) return import.version;
  return 0;
}
void Model::set_opset(std::int64_t version) {
  for (OpsetImport& import : opset_imports)
    if (import.domain.empty()) {
      import.version = version;
      return;
    }
  opset_imports.insert(opset_imports.begin(), {"", version});
}
const std::string* Model::find_metadata(std::string_view key) const noexcept {
  for (const auto& [name, value] : metadata)
    if (name == key) return &value;
  return nullptr;
}
void Model::set_metadata(std::string_view key, std::string value) {
  for (auto& [name, old] : metadata)
    if (name == key) {
      old = std::move(value);
      return;
    }
  metadata.emplace_back(std::string(key), std::move(value));
}

GraphIndex::GraphIndex(const Graph& graph) {
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const auto index = static_cast<std::int64_t>(i);
    for (const std::string& output : node.outputs)
      if (!output.empty()) producers_.emplace(output, index);
    for (std::size_t j = 0; j < node.inputs.size(); ++j)
      if (!node.inputs[j].empty()) uses_[node.inputs[j]].push_back({index, static_cast<std::int64_t>(j)});
    for_each_subgraph(node, [&](const Graph& inner) {
      for (const std::string& name : captured_values(inner)) uses_[name].push_back({index, -1});
    });
  }
  for (const ValueInfo& output : graph.outputs) outputs_.insert(output.name);
  for (const auto& entry : graph.initializers) constants_.emplace(entry.name, entry.tensor);
  for (const Node& node : graph.nodes)
    if (node.is("Constant") && !node.output(0).empty()) constants_.emplace(node.output(0), constant_of(node));
}
Tensor GraphIndex::constant(std::string_view value) const {
  const auto found = constants_.find(std::string(value));
  return found == constants_.end() ? Tensor() : found->second;
}
std::int64_t GraphIndex::producer(std::string_view value) const noexcept {
  const auto found = producers_.find(std::string(value));
  return found == producers_.end() ? -1 : found->second;
}
const std::vector<GraphIndex::Use>& GraphIndex::uses(std::string_view value) const noexcept {
  static const std::vector<Use> kNone;
  const auto found = uses_.find(std::string(value));
  return found == uses_.end() ? kNone : found->second;
}
bool GraphIndex::is_output(std::string_view value) const noexcept { return outputs_.contains(std::string(value)); }
std::int64_t GraphIndex::sole_consumer(std::string_view value) const noexcept {
  const std::vector<Use>& all = uses(value);
  if (all.size() != 1 || all[0].input < 0 || is_output(value)) return -1;
  return all[0].node;
}

NameGenerator::NameGenerator(const Graph& graph) { collect_names(graph, taken_); }
std::string NameGenerator::fresh(std::string_view wanted) {
  std::string name(wanted);
  for (std::int64_t i = 1; name.empty() || !taken_.insert(name).second; ++i) name = fmt::format("{}_{}", wanted, i);
  return name;
}

bool sort_topologically(Graph& graph) {
  const std::size_t count = graph.nodes.size();
  std::unordered_map<std::string, std::size_t> producers;
  for (std::size_t i = 0; i < count; ++i)
    for (const std::string& output : graph.nodes[i].outputs)
      if (!output.empty()) producers.emplace(output, i);

  std::vector<std::vector<std::size_t>> readers(count);
  std::vector<std::int64_t> waiting(count, 0);
  const auto depends = [&](std::size_t node, const std::string& value) {
    const auto found = producers.find(value);
    if (found == producers.end()) return;
    readers[found->second].push_back(node);
    ++waiting[node];
  };
  for (std::size_t i = 0; i < count; ++i) {
    for (const std::string& input : graph.nodes[i].inputs)
      if (!input.empty()) depends(i, input);
    for_each_subgraph(graph.nodes[i], [&](const Graph& inner) {
      for (const std::string& value : captured_values(inner)) depends(i, value);
    });
  }

  // Smallest old index first: what is in order stays as it is.
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
  for (std::size_t i = 0; i < count; ++i)
    if (waiting[i] == 0) ready.push(i);
  std::vector<std::size_t> order;
  while (!ready.empty()) {
    const std::size_t next = ready.top();
    ready.pop();
    order.push_back(next);
    for (const std::size_t reader : readers[next])
      if (--waiting[reader] == 0) ready.push(reader);
  }
  if (order.size() != count) {
    std::string names;
    int shown = 0;
    for (std::size_t i = 0; i < count && shown < 4; ++i)
      if (waiting[i] > 0) names += (shown++ ? ", " : "") + node_label(graph.nodes[i], static_cast<std::int64_t>(i));
    fail(ErrorCode::kMalformedModel,
         "the graph has a cycle through {}\n  remedy: export the model again; an ONNX graph must have none", names);
  }
  if (std::is_sorted(order.begin(), order.end())) return false;
  std::vector<Node> sorted;
  sorted.reserve(count);
  for (const std::size_t index : order) sorted.push_back(std::move(graph.nodes[index]));
  graph.nodes = std::move(sorted);
  return true;
}

std::vector<std::string> captured_values(const Graph& subgraph) {
  std::unordered_set<std::string> own, seen;
  for (const ValueInfo& input : subgraph.inputs) own.insert(input.name);
  for (const auto& entry : subgraph.initializers) own.insert(entry.name);
  for (const std::string& sparse : subgraph.sparse_initializers) own.insert(sparse_initializer_name(sparse));
  for (const Node& node : subgraph.nodes) own.insert(node.outputs.begin(), node.outputs.end());
  std::vector<std::string> captured;
  const auto read = [&](const std::string& name) {
    if (!name.empty() && !own.contains(name) && seen.insert(name).second) captured.push_back(name);
  };
  for (const Node& node : subgraph.nodes) {
    for (const std::string& input : node.inputs) read(input);
    for_each_subgraph(node, [&](const Graph& inner) {
      for (const std::string& name : captured_values(inner)) read(name);
    });
  }
  for (const ValueInfo& output : subgraph.outputs) read(output.name);
  return captured;
}

std::string node_label(const Node& node, std::int64_t index) {
  const std::string op = node.domain.empty() ? node.op_type : node.domain + "." + node.op_type;
  if (!node.name.empty()) return fmt::format("{} '{}'", op, node.name);
  const std::string position = index >= 0 ? fmt::format(" #{}", index) : std::string();
  return fmt::format("{}{} (output '{}')", op, position, node.output(0));
}

std::optional<std::int64_t> fixed_batch(const std::vector<ValueInfo>& inputs) {
  const ValueInfo* fixed = nullptr;
  for (const ValueInfo& input : inputs) {
    if (!input.shape || input.shape->empty() || !input.shape->front().value) continue;
    if (fixed != nullptr && fixed->shape->front().value != input.shape->front().value)
      fail(
          ErrorCode::kUnsupported,
          "inputs '{}' and '{}' are fixed to {} and {} samples at a time\n  remedy: export the model with a free batch "
          "dimension",
          fixed->name, input.name, *fixed->shape->front().value, *input.shape->front().value);
    fixed = &input;
  }
  if (fixed == nullptr) return std::nullopt;
  const std::int64_t batch = *fixed->shape->front().value;
  if (batch < 1) fail(ErrorCode::kUnsupported, "input '{}' is fixed to {} samples at a time", fixed->name, batch);
  return batch;
}

void replace_uses(Graph& graph, std::string_view from, const std::string& to) {
  for (Node& node : graph.nodes) {
    for (std::string& input : node.inputs)
      if (input == from) input = to;
    for (Attribute& attribute : node.attributes) {
      if (auto* one = std::get_if<std::shared_ptr<const Graph>>(&attribute.value)) {
        if (auto inner = *one ? renamed(**one, from, to) : nullptr) *one = inner;
      } else if (auto* many = std::get_if<std::vector<std::shared_ptr<const Graph>>>(&attribute.value)) {
        for (auto& entry : *many)
          if (auto inner = entry ? renamed(*entry, from, to) : nullptr) entry = inner;
      }
    }
  }
}

}  // namespace pare
