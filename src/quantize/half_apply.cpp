#include "quantize/half_apply.h"

#include <algorithm>

#include "core/fail.h"
#include "quantize/half.h"

namespace pare {
namespace {

constexpr auto kHalfType = static_cast<std::int64_t>(DType::kFloat16);
constexpr auto kSingleType = static_cast<std::int64_t>(DType::kFloat32);

/// A float32 value of the old graph and its one or two forms in the new one. The form that its maker produces is made
/// there; the other one comes from a single Cast behind it.
struct Forms {
  bool made_half = false;
  bool need_half = false, need_single = false;
  std::string half, single;  ///< names
};

class Applier {
 public:
  Applier(const HalfFacts& facts, const HalfPlan& plan)
      : facts_(facts), plan_(plan), names_(facts.graph()), index_(facts.index()) {
    result_.model = facts.model();
  }

  HalfResult run() {
    collect_needs();
    name_forms();
    convert_initializers();
    build_nodes();
    convert_borders();
    cancel_casts();
    Graph& graph = result_.model.graph;
    std::erase_if(graph.value_info, [&](const ValueInfo& info) { return info.dtype == DType::kFloat32; });
    sort_topologically(graph);
    return std::move(result_);
  }

 private:
  const NodePlan& at(std::int64_t node) const { return plan_.nodes[static_cast<std::size_t>(node)]; }

  /// Order of first sight decides the order of names, so that the same model gives the same file.
  Forms& forms(const std::string& value) {
    const auto [found, added] = forms_.try_emplace(value);
    if (added) {
      found->second.made_half = plan_.is_half(value);
      order_.push_back(value);
    }
    return found->second;
  }

  void collect_needs() {
    const Graph& graph = facts_.graph();
    for (const ValueInfo& input : graph.inputs)
      if (facts_.is_float32(input.name)) forms(input.name);
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      const NodePlan& plan = plan_.nodes[i];
      const Node& node = graph.nodes[i];
      for (std::size_t j = 0; j < node.inputs.size(); ++j) {
        if (node.inputs[j].empty() || !facts_.is_float32(node.inputs[j])) continue;
        Forms& form = forms(node.inputs[j]);
        if (plan.slots.transparent) continue;
        const bool half = plan.half && plan.slots.inputs[j];
        (half ? form.need_half : form.need_single) = true;
      }
      for (const std::string& name : captures(node))
        if (facts_.is_float32(name)) forms(name).need_single = true;
      for (const std::string& output : node.outputs)
        if (!output.empty() && facts_.is_float32(output)) forms(output);
    }
    for (const ValueInfo& output : graph.outputs)
      if (facts_.is_float32(output.name))
        (plan_.half_outputs.contains(output.name) ? forms(output.name).need_half : forms(output.name).need_single) =
            true;
  }

  static std::vector<std::string> captures(const Node& node) {
    std::vector<std::string> names;
    for (const Attribute& attribute : node.attributes) {
      const auto add = [&](const std::shared_ptr<const Graph>& inner) {
        if (!inner) return;
        for (std::string& name : captured_values(*inner)) names.push_back(std::move(name));
      };
      if (const auto* one = std::get_if<std::shared_ptr<const Graph>>(&attribute.value)) add(*one);
      if (const auto* many = std::get_if<std::vector<std::shared_ptr<const Graph>>>(&attribute.value))
        std::for_each(many->begin(), many->end(), add);
    }
    return names;
  }

  /// The old name goes to the form that the outside sees, else to the one that is made.
  void name_forms() {
    const Graph& graph = facts_.graph();
    for (const std::string& value : order_) {
      Forms& form = forms_[value];
      if (facts_.constant(value)) form.made_half = form.need_half && !form.need_single;
      bool old_name_is_half = form.made_half;
      if (graph.find_output(value)) old_name_is_half = plan_.half_outputs.contains(value);
      form.half = form.single = value;
      const bool both = (form.need_half || form.made_half) && (form.need_single || !form.made_half);
      if (both)
        (old_name_is_half ? form.single : form.half) = names_.fresh(value + (old_name_is_half ? "_fp32" : "_fp16"));
    }
  }

  Tensor half_of(const Tensor& tensor, const std::string& name) {
    const HalfLoss loss = half_loss(tensor);
    ++result_.weights;
    result_.weight_elements += loss.count;
    result_.weights_to_zero += loss.to_zero;
    std::string where = fmt::format("constant '{}'", name);
    if (const auto& uses = index_.uses(name); !uses.empty())
      where = node_label(facts_.graph().nodes[static_cast<std::size_t>(uses[0].node)], uses[0].node);
    return to_half(tensor, where);
  }

  void convert_initializers() {
    Graph& graph = result_.model.graph;
    for (const auto& entry : facts_.graph().initializers) {
      const auto found = forms_.find(entry.name);
      if (entry.tensor.dtype() != DType::kFloat32 || found == forms_.end() || !found->second.need_half) continue;
      graph.initializers.set(found->second.half, half_of(entry.tensor, entry.name));
      if (found->second.half != entry.name) continue;
      for (ValueInfo& input : result_.model.weights_as_inputs)
        if (input.name == entry.name) input.dtype = DType::kFloat16;
    }
  }

  void add_cast(std::vector<Node>& nodes, const std::string& from, const std::string& to, std::int64_t type) {
    Node cast;
    cast.name = names_.fresh("cast_" + to);
    cast.op_type = "Cast";
    cast.inputs = {from};
    cast.outputs = {to};
    cast.set_attribute("to", type);
    nodes.push_back(std::move(cast));
    ++result_.casts;
  }
  /// The Cast from the form that is made to the one that is needed besides.
  void add_cast_for(std::vector<Node>& nodes, const std::string& value) {
    const auto found = forms_.find(value);
    if (found == forms_.end()) return;
    const Forms& form = found->second;
    if (form.made_half && form.need_single) add_cast(nodes, form.half, form.single, kSingleType);
    if (!form.made_half && form.need_half) add_cast(nodes, form.single, form.half, kHalfType);
  }

  void build_nodes() {
    std::vector<Node> nodes;
    for (const ValueInfo& input : facts_.graph().inputs) add_cast_for(nodes, input.name);
    for (std::size_t i = 0; i < facts_.graph().nodes.size(); ++i) {
      Node node = facts_.graph().nodes[i];
      if (node.is("Constant")) {
        add_constant(nodes, std::move(node));
        continue;
      }
      const NodePlan& plan = plan_.nodes[i];
      rename_captures(node);
      for (std::size_t j = 0; j < node.inputs.size(); ++j) {
        const auto found = forms_.find(node.inputs[j]);
        if (found == forms_.end()) continue;
        const Forms& form = found->second;
        const bool half = plan.slots.transparent ? form.made_half : plan.half && plan.slots.inputs[j];
        node.inputs[j] = half ? form.half : form.single;
      }
      const std::vector<std::string> made = node.outputs;
      for (std::string& output : node.outputs)
        if (const auto found = forms_.find(output); found != forms_.end())
          output = found->second.made_half ? found->second.half : found->second.single;
      if (plan.half && !plan.slots.transparent) rewrite_type(node, plan);
      nodes.push_back(std::move(node));
      for (const std::string& value : made) add_cast_for(nodes, value);
    }
    result_.model.graph.nodes = std::move(nodes);
  }

  void add_constant(std::vector<Node>& nodes, Node node) {
    const std::string value = node.output(0);
    const auto found = forms_.find(value);
    const Tensor* tensor = facts_.constant(value);
    if (found == forms_.end() || !tensor || !found->second.need_half) {
      nodes.push_back(std::move(node));
      return;
    }
    const Forms& form = found->second;
    Node half = node;
    half.attributes.clear();
    half.set_attribute("value", half_of(*tensor, value));
    half.outputs = {form.half};
    if (form.need_single) {
      half.name = names_.fresh(node.name + "_fp16");
      node.outputs = {form.single};
      nodes.push_back(std::move(node));
    }
    nodes.push_back(std::move(half));
  }

  /// A body keeps reading float32, under the name that it now has.
  void rename_captures(Node& node) {
    for (const std::string& name : captures(node)) {
      const auto found = forms_.find(name);
      if (found == forms_.end() || found->second.single == name) continue;
      Graph single;
      single.nodes.push_back(node);
      const std::vector<std::string> own = node.inputs;
      replace_uses(single, name, found->second.single);
      node = std::move(single.nodes[0]);
      node.inputs = own;
    }
  }

  void rewrite_type(Node& node, const NodePlan& plan) {
    const bool makes =
        std::find(plan.slots.outputs.begin(), plan.slots.outputs.end(), true) != plan.slots.outputs.end();
    if (!makes) return;
    if (node.is("Cast")) node.set_attribute("to", kHalfType);
    if (!node.is("ConstantOfShape")) return;
    const Attribute* value = node.find_attribute("value");
    const Tensor* tensor = value ? std::get_if<Tensor>(&value->value) : nullptr;
    node.set_attribute("value", tensor ? to_half(*tensor, node_label(node)) : Tensor::zeros(DType::kFloat16, {1}));
  }

  void convert_borders() {
    for (ValueInfo& input : result_.model.graph.inputs)
      if (plan_.is_half(input.name)) input.dtype = DType::kFloat16;
    for (ValueInfo& output : result_.model.graph.outputs)
      if (plan_.half_outputs.contains(output.name)) output.dtype = DType::kFloat16;
  }

  /// Casts of the old model that now read what they make (float16 to float16) vanish, so that no value goes from
  /// float16 to float32 and back.
  void cancel_casts() {
    Graph& graph = result_.model.graph;
    std::unordered_set<std::string> half;
    for (const auto& [value, form] : forms_)
      if (form.made_half || form.need_half) half.insert(form.half);
    for (const auto& entry : graph.initializers)
      if (entry.tensor.dtype() == DType::kFloat16) half.insert(entry.name);
    for (const ValueInfo& input : graph.inputs)
      if (input.dtype == DType::kFloat16) half.insert(input.name);
    for (const Node& node : facts_.graph().nodes)
      for (const std::string& output : node.outputs)
        if (!output.empty() && facts_.dtype(output) == DType::kFloat16) half.insert(output);
    std::vector<std::pair<std::string, std::string>> aliases;
    std::erase_if(graph.nodes, [&](const Node& node) {
      if (!node.is("Cast") || node.int_or("to", 0) != kHalfType || !half.contains(node.input(0))) return false;
      if (graph.find_output(node.output(0))) return false;
      aliases.emplace_back(node.output(0), node.input(0));
      return true;
    });
    for (auto alias = aliases.rbegin(); alias != aliases.rend(); ++alias)
      replace_uses(graph, alias->first, alias->second);
  }

  const HalfFacts& facts_;
  const HalfPlan& plan_;
  NameGenerator names_;
  const GraphIndex& index_;
  std::unordered_map<std::string, Forms> forms_;
  std::vector<std::string> order_;
  HalfResult result_;
};

}  // namespace

HalfResult apply_half(const HalfFacts& facts, const HalfPlan& plan) { return Applier(facts, plan).run(); }

}  // namespace pare
