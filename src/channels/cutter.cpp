#include "channels/cutter.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/fail.h"

namespace pare {
namespace {

/// The node that makes `value`, seen through what does not change integers.
const Node* maker(const Graph& graph, const GraphIndex& index, std::string value) {
  for (;;) {
    const std::int64_t producer = index.producer(value);
    if (producer < 0) return nullptr;
    const Node& node = graph.nodes[static_cast<std::size_t>(producer)];
    if (!node.is("Cast") && !node.is("Identity")) return &node;
    value = node.input(0);
  }
}

bool moves_uniformly(const Node& node) {
  return node.is("Unsqueeze") || node.is("Squeeze") || node.is("Reshape") || node.is("Identity") ||
         node.is("Transpose") || node.is("Expand") || node.is("Flatten");
}

Tensor with_entries(const Tensor& tensor, const std::map<std::int64_t, std::int64_t>& entries) {
  std::vector<std::int64_t> values = tensor.to_int64s();
  for (const auto& [at, value] : entries) values.at(static_cast<std::size_t>(at)) = value;
  if (tensor.dtype() == DType::kInt64) return Tensor::of<std::int64_t>(tensor.shape(), values);
  return Tensor::of<std::int32_t>(tensor.shape(), std::vector<std::int32_t>(values.begin(), values.end()));
}

}  // namespace

Tensor take_positions(const Tensor& tensor, std::int64_t axis, std::span<const std::int64_t> positions) {
  Shape shape = tensor.shape();
  const auto a = static_cast<std::size_t>(axis);
  const int bits = dtype_bits(tensor.dtype());
  if (bits < 8) fail(ErrorCode::kUnsupported, "a weight of type {} cannot be cut", dtype_name(tensor.dtype()));
  std::int64_t inner = bits / 8, outer = 1;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i < a) outer *= shape[i];
    if (i > a) inner *= shape[i];
  }
  const std::int64_t size = shape[a];
  shape[a] = static_cast<std::int64_t>(positions.size());
  std::vector<std::byte> bytes(static_cast<std::size_t>(outer * shape[a] * inner));
  std::byte* to = bytes.data();
  for (std::int64_t o = 0; o < outer; ++o)
    for (const std::int64_t position : positions) {
      std::memcpy(to, tensor.bytes().data() + (o * size + position) * inner, static_cast<std::size_t>(inner));
      to += inner;
    }
  return Tensor::from_bytes(tensor.dtype(), std::move(shape), std::move(bytes));
}

Cutter::Cutter(const Model& model, const LabelFlow& flow, std::vector<bool> gone)
    : model_(model), flow_(flow), gone_(std::move(gone)), names_(model.graph) {}

bool Cutter::gone(Unit unit) const {
  return unit != kNoUnit && gone_[static_cast<std::size_t>(flow_.units().root(unit))];
}

std::vector<std::int64_t> Cutter::kept(std::span<const Unit> units) const {
  std::vector<std::int64_t> positions;
  for (std::size_t i = 0; i < units.size(); ++i)
    if (!gone(units[i])) positions.push_back(static_cast<std::int64_t>(i));
  return positions;
}

std::int64_t Cutter::old_size(const std::string& value, std::int64_t axis) const {
  return flow_.trace().shapes.at(value).at(static_cast<std::size_t>(axis));
}

std::vector<std::int64_t> Cutter::kept_along(const std::string& value, std::int64_t axis) const {
  std::vector<std::int64_t> positions(static_cast<std::size_t>(old_size(value, axis)));
  std::iota(positions.begin(), positions.end(), 0);
  const auto entry = flow_.labels().find(value);
  if (entry == flow_.labels().end() || !entry->second.varies(axis)) return positions;
  const Labels& labels = entry->second;
  std::vector<bool> stays(positions.size(), false);
  for_each_line(labels.shape, axis, [&](const std::vector<std::size_t>& line) {
    for (std::size_t i = 0; i < line.size(); ++i)
      if (!gone(labels.units[line[i]])) stays[i] = true;
  });
  std::erase_if(positions, [&](std::int64_t position) { return !stays[static_cast<std::size_t>(position)]; });
  return positions;
}

std::int64_t Cutter::new_size(const std::string& value, std::int64_t axis) const {
  return static_cast<std::int64_t>(kept_along(value, axis).size());
}

Shape Cutter::new_shape(const std::string& value) const {
  Shape shape = flow_.trace().shapes.at(value);
  const auto entry = flow_.labels().find(value);
  if (entry == flow_.labels().end()) return shape;
  std::int64_t grid = 1, stays = 0;
  for (const std::int64_t axis : entry->second.axes())
    grid *= shape[static_cast<std::size_t>(axis)] = new_size(value, axis);
  for (const Unit unit : entry->second.units) stays += gone(unit) ? 0 : 1;
  if (grid != stays)
    fail(ErrorCode::kInternal, "what stays of '{}' is no full grid: {} elements for {}", value, stays,
         shape_text(shape));
  return shape;
}

Tensor Cutter::current(std::int64_t node, std::size_t input) const {
  if (const auto wanted = wanted_.find({node, input}); wanted != wanted_.end() && !wanted->second.tensor.empty())
    return wanted->second.tensor;
  return flow_.constants().stored(model_.graph.nodes[static_cast<std::size_t>(node)].input(input));
}

void Cutter::set_constant(std::int64_t node, std::size_t input, Tensor tensor) {
  wanted_[{node, input}].tensor = std::move(tensor);
}

void Cutter::cut_constant(std::int64_t node, std::size_t input, std::int64_t axis,
                          const std::vector<std::int64_t>& positions) {
  const std::string& name = this->node(node).input(input);
  const Tensor tensor = current(node, input);
  const Shape& shape = tensor.empty() ? flow_.trace().shapes.at(name) : tensor.shape();
  if (shape.empty() || static_cast<std::int64_t>(positions.size()) == shape.at(static_cast<std::size_t>(axis))) return;
  // One value for all channels serves what is left of them.
  if (shape[static_cast<std::size_t>(axis)] == 1) return;
  if (tensor.empty())
    wanted_[{node, input}].cuts.emplace_back(axis, positions);
  else
    set_constant(node, input, take_positions(tensor, axis, positions));
}

void Cutter::cut_grouped(std::int64_t node, std::size_t input, std::int64_t groups,
                         const std::vector<std::int64_t>& rows, const std::vector<std::int64_t>& columns) {
  const Tensor tensor = current(node, input);
  if (tensor.empty()) {
    const Shape& shape = flow_.trace().shapes.at(this->node(node).input(input));
    if (static_cast<std::int64_t>(rows.size()) == shape[0] &&
        static_cast<std::int64_t>(columns.size()) == shape[1] * groups)
      return;
    // Columns differ from group to group, which only weights that are all alike do not mind.
    Wanted& wanted = wanted_[{node, input}];
    wanted.uniform = true;
    wanted.cuts = {{0, rows}, {1, std::vector<std::int64_t>(columns.size() / static_cast<std::size_t>(groups))}};
    return;
  }
  const std::int64_t rows_in_group = tensor.shape()[0] / groups, columns_in_group = tensor.shape()[1];
  std::vector<std::byte> bytes;
  Shape shape = tensor.shape();
  shape[0] = 0;
  for (std::int64_t group = 0; group < groups; ++group) {
    std::vector<std::int64_t> own_rows, own_columns;
    for (const std::int64_t row : rows)
      if (row / rows_in_group == group) own_rows.push_back(row);
    for (const std::int64_t column : columns)
      if (column / columns_in_group == group) own_columns.push_back(column % columns_in_group);
    const Tensor block = take_positions(take_positions(tensor, 0, own_rows), 1, own_columns);
    bytes.insert(bytes.end(), block.bytes().begin(), block.bytes().end());
    if (group > 0 && (shape[1] != block.shape()[1] || shape[0] != group * block.shape()[0]))
      fail(ErrorCode::kInternal, "{}: its groups would lose unequally many channels",
           node_label(this->node(node), node));
    shape[0] += block.shape()[0];
    shape[1] = block.shape()[1];
  }
  set_constant(node, input, Tensor::from_bytes(tensor.dtype(), std::move(shape), std::move(bytes)));
}

void Cutter::set_integers(std::int64_t node, std::size_t input, const std::vector<std::int64_t>& values) {
  Node& target = this->node(node);
  if (target.inputs.size() <= input) target.inputs.resize(input + 1);
  if (target.input(input).empty() || flow_.constants().stored(target.input(input)).empty()) {
    target.inputs[input] = names_.fresh(target.output(0) + "_cut");
    model_.graph.initializers.set(target.inputs[input],
                                  Tensor::of<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
    return;
  }
  std::map<std::int64_t, std::int64_t> entries;
  for (std::size_t i = 0; i < values.size(); ++i) entries[static_cast<std::int64_t>(i)] = values[i];
  set_constant(node, input, with_entries(current(node, input), entries));
}

void Cutter::set_entries(std::int64_t node, std::size_t input, const std::map<std::int64_t, std::int64_t>& entries) {
  if (entries.empty()) return;
  if (const Tensor list = current(node, input); !list.empty())
    return set_constant(node, input, with_entries(list, entries));
  const std::string& name = this->node(node).input(input);
  const Node* concat = maker(flow_.graph(), flow_.constants().index(), name);
  if (concat == nullptr || !concat->is("Concat")) return set_computed(node, input, entries);
  const std::int64_t at = flow_.constants().index().producer(concat->output(0));
  std::int64_t start = 0;
  for (std::size_t piece = 0; piece < concat->inputs.size(); ++piece) {
    const auto shape = flow_.trace().shapes.find(concat->input(piece));
    if (shape == flow_.trace().shapes.end()) return;
    const std::int64_t length = element_count(shape->second);
    std::map<std::int64_t, std::int64_t> own;
    for (const auto& [position, value] : entries)
      if (position >= start && position < start + length) own[position - start] = value;
    set_entries(at, piece, own);
    start += length;
  }
}

/// A list that the graph computes: as a constant if all of it is known, however it runs; else it is left to adapt.
void Cutter::set_computed(std::int64_t node, std::size_t input, const std::map<std::int64_t, std::int64_t>& entries) {
  const std::string name = this->node(node).input(input);
  const auto seen = flow_.trace().contents.find(name);
  if (seen == flow_.trace().contents.end() || is_float(seen->second.dtype())) return;
  const bool all = static_cast<std::int64_t>(entries.size()) == seen->second.element_count();
  if (!all && !flow_.constants().is_constant(name)) return;
  std::string& target = this->node(node).inputs[input];
  target = names_.fresh(name + "_cut");
  model_.graph.initializers.set(target, with_entries(seen->second, entries));
}

/// A constant that all its users want alike changes in its place; others get copies of their own.
void Cutter::store_shared() {
  std::map<std::string, std::vector<std::pair<std::int64_t, std::size_t>>> users;
  for (const auto& [slot, wanted] : wanted_)
    if (!wanted.tensor.empty()) users[node(slot.first).input(slot.second)].push_back(slot);
  for (const auto& [name, slots] : users) store(name, slots);
}

void Cutter::store(const std::string& name, const std::vector<std::pair<std::int64_t, std::size_t>>& users) {
  const Tensor& first = wanted_.at(users[0]).tensor;
  const bool alike =
      std::all_of(users.begin(), users.end(), [&](const auto& slot) { return wanted_.at(slot).tensor.same_as(first); });
  const bool all =
      flow_.constants().index().uses(name).size() == users.size() && !flow_.constants().index().is_output(name);
  if (alike && all) {
    if (model_.graph.initializers.contains(name)) return model_.graph.initializers.set(name, first);
    for (Node& node : model_.graph.nodes)
      if (node.is("Constant") && node.output(0) == name) {
        node.attributes.clear();
        node.set_attribute("value", first);
      }
    return;
  }
  std::vector<std::pair<Tensor, std::string>> copies;
  for (const auto& slot : users) {
    const Tensor& tensor = wanted_.at(slot).tensor;
    auto copy = std::find_if(copies.begin(), copies.end(), [&](const auto& c) { return c.first.same_as(tensor); });
    if (copy == copies.end()) {
      copies.emplace_back(tensor, names_.fresh(name + "_cut"));
      copy = copies.end() - 1;
      model_.graph.initializers.set(copy->second, tensor);
    }
    node(slot.first).inputs[slot.second] = copy->second;
  }
}

/// One value everywhere, made by a ConstantOfShape: another one makes what is left of it.
bool Cutter::cut_uniform(std::int64_t index, std::size_t input, const Wanted& wanted) {
  const std::string name = node(index).input(input);
  const GraphIndex& graph = flow_.constants().index();
  std::int64_t maker = graph.producer(name);
  while (maker >= 0 && moves_uniformly(node(maker))) maker = graph.producer(node(maker).input(0));
  if (maker < 0 || !node(maker).is("ConstantOfShape")) return false;
  Shape shape = flow_.trace().shapes.at(name);
  for (const auto& [axis, positions] : wanted.cuts)
    shape[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(positions.size());
  Node fill = node(maker);
  fill.name = fill.name.empty() ? "" : names_.fresh(fill.name);
  fill.inputs = {names_.fresh(name + "_shape")};
  fill.outputs = {names_.fresh(name + "_cut")};
  model_.graph.initializers.set(fill.inputs[0],
                                Tensor::of<std::int64_t>({static_cast<std::int64_t>(shape.size())}, shape));
  node(index).inputs[input] = fill.outputs[0];
  new_nodes_.push_back(std::move(fill));
  return true;
}

void Cutter::cut_computed() {
  for (const auto& [slot, wanted] : wanted_) {
    if (wanted.cuts.empty() || cut_uniform(slot.first, slot.second, wanted)) continue;
    if (wanted.uniform)
      fail(ErrorCode::kUnsupported, "{}: its weights are computed", node_label(node(slot.first), slot.first));
    std::string value = node(slot.first).input(slot.second);
    for (const auto& [axis, positions] : wanted.cuts) {
      Node gather;
      gather.op_type = "Gather";
      gather.inputs = {value, names_.fresh(value + "_kept")};
      gather.outputs = {names_.fresh(value + "_cut")};
      gather.set_attribute("axis", axis);
      model_.graph.initializers.set(gather.inputs[1],
                                    Tensor::of<std::int64_t>({static_cast<std::int64_t>(positions.size())}, positions));
      value = gather.outputs[0];
      new_nodes_.push_back(std::move(gather));
    }
    node(slot.first).inputs[slot.second] = value;
  }
}

Model Cutter::finish() {
  store_shared();
  cut_computed();
  Graph& graph = model_.graph;
  graph.nodes.insert(graph.nodes.end(), std::make_move_iterator(new_nodes_.begin()),
                     std::make_move_iterator(new_nodes_.end()));
  if (!new_nodes_.empty()) sort_topologically(graph);
  graph.value_info.clear();
  return std::move(model_);
}

}  // namespace pare
