#include "prune/drop_block.h"

#include <algorithm>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "core/fail.h"
#include "ops/constant_roots.h"
#include "ops/macs.h"

namespace pare {
namespace {

bool is_sum(const Node& node) { return (node.is("Add") || node.is("Sum")) && node.inputs.size() == 2; }

// --- Finding

class Finder {
 public:
  Finder(const Model& model, const ChannelFlow& flow) : graph_(model.graph), flow_(flow), constants_(model.graph) {}

  std::vector<DropCandidate> run() {
    std::vector<DropCandidate> found;
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      if (!is_sum(node) || node.inputs[0] == node.inputs[1]) continue;
      for (const std::size_t shortcut : {0U, 1U})
        if (auto candidate = block(static_cast<std::int64_t>(i), node.inputs[shortcut], node.inputs[1 - shortcut])) {
          // Innermost: a body with a block inside is left to that one.
          const bool outer = std::any_of(found.begin(), found.end(), [&](const DropCandidate& inner) {
            return std::find(candidate->body.begin(), candidate->body.end(), inner.add) != candidate->body.end();
          });
          if (!outer) found.push_back(std::move(*candidate));
        }
    }
    return found;
  }

 private:
  bool equal_shapes(std::initializer_list<const std::string*> values) const {
    const auto& shapes = flow_.trace->shapes;
    const auto first = shapes.find(**values.begin());
    return std::all_of(values.begin(), values.end(), [&](const std::string* value) {
      const auto shape = shapes.find(*value);
      return shape != shapes.end() && shape->second == first->second;
    });
  }

  std::optional<DropCandidate> block(std::int64_t add, const std::string& shortcut, const std::string& end) const {
    const Node& node = graph_.nodes[static_cast<std::size_t>(add)];
    if (constants_.is_constant(shortcut) || constants_.is_constant(end)) return std::nullopt;
    if (!equal_shapes({&shortcut, &end, &node.output(0)})) return std::nullopt;
    const auto body = between(shortcut, end);
    if (!body || !private_to(*body, add)) return std::nullopt;
    DropCandidate candidate{.add = add, .shortcut = shortcut, .body = {body->begin(), body->end()}};
    for (std::size_t g = 0; g < flow_.groups.size(); ++g)
      if (lies_in(flow_.groups[g], *body)) candidate.groups.push_back(static_cast<std::int64_t>(g));
    return candidate;
  }

  /// The nodes that lead from `start` to `end`; nullopt if something else but constants leads there too, `start` does
  /// not, or none of the nodes is a layer.
  std::optional<std::set<std::int64_t>> between(const std::string& start, const std::string& end) const {
    std::set<std::int64_t> body;
    bool reached = false, layer = false;
    std::vector<std::string> open = {end};
    while (!open.empty()) {
      const std::string value = open.back();
      open.pop_back();
      if (value == start) reached = true;
      if (value.empty() || value == start || constants_.is_constant(value)) continue;
      const std::int64_t maker = constants_.index().producer(value);
      if (maker < 0) return std::nullopt;  // another input of the network
      if (!body.insert(maker).second) continue;
      const Node& node = graph_.nodes[static_cast<std::size_t>(maker)];
      if (node.has_subgraph()) return std::nullopt;
      layer = layer || has_macs(node);
      open.insert(open.end(), node.inputs.begin(), node.inputs.end());
    }
    if (!reached || !layer) return std::nullopt;
    return body;
  }

  bool private_to(const std::set<std::int64_t>& body, std::int64_t add) const {
    for (const std::int64_t index : body)
      for (const std::string& output : graph_.nodes[static_cast<std::size_t>(index)].outputs) {
        if (constants_.index().is_output(output)) return false;
        for (const GraphIndex::Use& use : constants_.index().uses(output))
          if (use.input < 0 || (use.node != add && !body.contains(use.node))) return false;
      }
    return true;
  }

  bool lies_in(const ChannelGroup& group, const std::set<std::int64_t>& body) const {
    const auto inside = [&](std::int64_t layer) {
      return body.contains(flow_.layers[static_cast<std::size_t>(layer)].node);
    };
    return std::all_of(group.producers.begin(), group.producers.end(), inside) &&
           std::all_of(group.consumers.begin(), group.consumers.end(), inside);
  }

  const Graph& graph_;
  const ChannelFlow& flow_;
  ConstantRoots constants_;
};

// --- Surgery

class Surgery {
 public:
  explicit Surgery(const Model& model) : model_(model), index_(model.graph), used_before_(alive(model_.graph)) {}

  void drop(const DropCandidate& candidate) {
    const auto at = static_cast<std::size_t>(candidate.add);
    if (candidate.add < 0 || at >= model_.graph.nodes.size() || !is_sum(model_.graph.nodes[at]))
      fail(ErrorCode::kInvalidArgument, "node {} ends no residual block: the candidate is of another model",
           candidate.add);
    const std::string shortcut = now(candidate.shortcut);
    std::string value = model_.graph.nodes[at].output(0);
    replace(value, shortcut);
    // The activation behind the Add has nothing left to do where the shortcut went through it already.
    const std::int64_t behind = index_.sole_consumer(value);
    if (behind < 0) return;
    const Node& activation = model_.graph.nodes[static_cast<std::size_t>(behind)];
    if (changes_nothing(activation, shortcut)) replace(activation.output(0), shortcut);
  }

  Model finish() {
    for (ValueInfo& output : model_.graph.outputs) keep_output_name(output.name);
    for (Node& node : model_.graph.nodes)
      for (std::string& input : node.inputs) input = now(input);
    for (const auto& [gone, kept] : now_) redirect_captures(gone, now(kept));
    remove_unused();
    return std::move(model_);
  }

 private:
  struct Alive {
    std::set<std::size_t> nodes;
    std::unordered_set<std::string> values;
  };
  static Alive alive(const Graph& graph) {
    Alive result;
    for (const ValueInfo& output : graph.outputs) result.values.insert(output.name);
    for (std::size_t i = graph.nodes.size(); i-- > 0;) {
      const Node& node = graph.nodes[i];
      if (std::none_of(node.outputs.begin(), node.outputs.end(),
                       [&](const std::string& output) { return result.values.contains(output); }))
        continue;
      result.nodes.insert(i);
      result.values.insert(node.inputs.begin(), node.inputs.end());
      for (const Attribute& attribute : node.attributes) {
        const auto take = [&](const Graph& inner) {
          for (const std::string& value : captured_values(inner)) result.values.insert(value);
        };
        if (const auto* inner = std::get_if<std::shared_ptr<const Graph>>(&attribute.value)) take(**inner);
        if (const auto* all = std::get_if<std::vector<std::shared_ptr<const Graph>>>(&attribute.value))
          for (const auto& inner : *all) take(*inner);
      }
    }
    return result;
  }

  /// What stands for the value now.
  std::string now(const std::string& value) const {
    std::string name = value;
    for (auto found = now_.find(name); found != now_.end(); found = now_.find(name)) name = found->second;
    return name;
  }
  void replace(const std::string& value, const std::string& by) { now_[value] = by; }

  bool changes_nothing(const Node& activation, const std::string& shortcut) const {
    const std::int64_t maker = index_.producer(shortcut);
    if (maker < 0) return false;
    const Node& before = model_.graph.nodes[static_cast<std::size_t>(maker)];
    if (activation.is("Relu")) {
      if (before.is("Relu") || before.is("Sigmoid") || before.is("Softmax") || before.is("HardSigmoid")) return true;
      return before.is("Clip") && lowest(before) >= 0;
    }
    return activation.is("Clip") && before.is("Clip") && same_limits(activation, before);
  }
  double lowest(const Node& clip) const {
    if (clip.find_attribute("min") != nullptr) return clip.float_or("min", -1);
    const Tensor least = clip.input(1).empty() ? Tensor() : index_.constant(clip.input(1));
    return least.empty() || least.element_count() != 1 ? -1 : least.to_floats()[0];
  }
  bool same_limits(const Node& a, const Node& b) const {
    for (const std::size_t limit : {1U, 2U}) {
      if (a.input(limit) == b.input(limit)) continue;
      const Tensor of_a = index_.constant(a.input(limit)), of_b = index_.constant(b.input(limit));
      if (of_a.empty() || of_b.empty() || !of_a.same_as(of_b)) return false;
    }
    constexpr float kLow = -3.0e38F, kHigh = 3.0e38F;
    return a.float_or("min", kLow) == b.float_or("min", kLow) && a.float_or("max", kHigh) == b.float_or("max", kHigh);
  }

  /// The value that stands for an output of the network takes its name over; if it cannot, an Identity copies it.
  void keep_output_name(const std::string& output) {
    const auto replaced = now_.find(output);
    if (replaced == now_.end()) return;
    const std::string source = now(output);
    const std::int64_t maker = index_.producer(source);
    // The old maker of the name goes; its output has to make room for the new one.
    Node& old = model_.graph.nodes[static_cast<std::size_t>(index_.producer(output))];
    NameGenerator names(model_.graph);
    for (std::string& made : old.outputs)
      if (made == output) discarded_.insert(made = names.fresh(output + "_dropped"));
    now_.erase(replaced);
    if (maker >= 0 && !index_.is_output(source) && !renamed_.contains(source)) {
      renamed_.insert(source);
      for (std::string& made : model_.graph.nodes[static_cast<std::size_t>(maker)].outputs)
        if (made == source) made = output;
      now_[source] = output;
      return;
    }
    Node& copy = model_.graph.nodes.emplace_back();
    copy.op_type = "Identity";
    copy.inputs = {source};
    copy.outputs = {output};
  }

  void redirect_captures(const std::string& from, const std::string& to) {
    const auto& uses = index_.uses(from);
    if (std::any_of(uses.begin(), uses.end(), [](const GraphIndex::Use& use) { return use.input < 0; }))
      replace_uses(model_.graph, from, to);
  }

  void remove_unused() {
    Graph& graph = model_.graph;
    sort_topologically(graph);
    const Alive after = alive(graph);
    std::unordered_set<std::string> was_made, is_made;
    std::vector<Node> kept;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      Node& node = graph.nodes[i];
      // What was of no use before stays: that is not this step's business.
      const bool used_before = std::any_of(node.outputs.begin(), node.outputs.end(), [&](const std::string& output) {
        return used_before_.values.contains(output);
      });
      for (const std::string& output : node.outputs) was_made.insert(output);
      if (!after.nodes.contains(i) && (used_before || is_discarded(node))) continue;
      for (const std::string& output : node.outputs) is_made.insert(output);
      kept.push_back(std::move(node));
    }
    graph.nodes = std::move(kept);
    const GraphIndex index(graph);
    const auto unused = [&](const std::string& name) {
      return used_before_.values.contains(name) && index.uses(name).empty() && !index.is_output(name);
    };
    graph.initializers.keep_if([&](const std::string& name) { return !unused(name); });
    std::erase_if(graph.value_info, [&](const ValueInfo& info) {
      return now_.contains(info.name) || (was_made.contains(info.name) && !is_made.contains(info.name)) ||
             (index.producer(info.name) < 0 && !graph.initializers.contains(info.name));
    });
    std::erase_if(model_.weights_as_inputs,
                  [&](const ValueInfo& info) { return !graph.initializers.contains(info.name); });
  }
  bool is_discarded(const Node& node) const {
    return std::any_of(node.outputs.begin(), node.outputs.end(),
                       [&](const std::string& output) { return discarded_.contains(output); });
  }

  Model model_;
  GraphIndex index_;  ///< of the model as it came
  Alive used_before_;
  std::unordered_map<std::string, std::string> now_;
  std::unordered_set<std::string> renamed_, discarded_;
};

}  // namespace

std::vector<DropCandidate> find_drop_candidates(const Model& model, const ChannelFlow& flow) {
  return Finder(model, flow).run();
}

Model drop_blocks(const Model& model, const std::vector<DropCandidate>& drops) {
  if (drops.empty()) return model;
  std::vector<DropCandidate> in_order = drops;
  std::sort(in_order.begin(), in_order.end(),
            [](const DropCandidate& a, const DropCandidate& b) { return a.add < b.add; });
  Surgery surgery(model);
  for (const DropCandidate& candidate : in_order) surgery.drop(candidate);
  return surgery.finish();
}

}  // namespace pare
