// Before:        <opset_import: ["" : 9]>  y = Upsample<mode = "nearest">(x, scales)
// After:         <opset_import: ["" : 13]> y = Resize<mode = "nearest", coordinate_transformation_mode = "asymmetric",
//                                                    nearest_mode = "floor">(x, , scales)
// Fires when:    the model's opset is below 13, where per-channel quantization and most fusions of runtimes begin
// Declines when: an operator has no exact form in opset 13 (named with the reason), or the model has functions of its
// own Formula:       attributes that became inputs move there (axes, pads, split, min, max, k ...), Softmax over
// several
//                dimensions is flattened around, broadcasts of opset 6 and before become shapes; upgrade_node.cpp
#include <algorithm>

#include "core/fail.h"
#include "rewrite/rewrites.h"
#include "rewrite/upgrade_node.h"

namespace pare {
namespace {

constexpr std::int64_t kOpset = 13;
constexpr std::int64_t kIrVersion = 7;  // came out with opset 13

/// The float type of the whole model if there is one only; where inference stops behind a foreign operator it tells.
DType only_float_type(const Graph& graph) {
  DType found = DType::kUndefined;
  const auto add = [&](DType dtype) {
    if (!is_float(dtype) || found == dtype) return true;
    if (found != DType::kUndefined) return false;
    found = dtype;
    return true;
  };
  for (const ValueInfo& input : graph.inputs)
    if (!add(input.dtype)) return DType::kUndefined;
  for (const auto& entry : graph.initializers)
    if (!add(entry.tensor.dtype())) return DType::kUndefined;
  return found;
}

class Raise {
 public:
  explicit Raise(const Model& model)
      : model_(model), opset_(std::max<std::int64_t>(model.opset(), 1)), names_(model.graph) {}

  StepResult run() {
    StepResult result;
    result.model = model_;
    if (opset_ >= kOpset) return result;
    if (!model_.functions.empty()) {
      result.skipped.push_back({"model", "", "it defines functions of its own, whose opset pare does not raise"});
      return result;
    }
    const ValueTypes types = types_from_inputs(model_);
    Model raised = model_;
    raise(raised.graph, &types);
    if (!refused_.empty()) {
      result.skipped = std::move(refused_);
      return result;
    }
    raised.set_opset(kOpset);
    tidy_declarations(raised);
    raised.ir_version = std::max(raised.ir_version, kIrVersion);
    result.model = std::move(raised);
    result.done = std::move(done_);
    result.done.push_back({"model", "", fmt::format("opset {} raised to {}", opset_, kOpset)});
    result.changes = static_cast<std::int64_t>(result.done.size());
    return result;
  }

 private:
  void raise(Graph& graph, const ValueTypes* types) {
    UpgradeSite site(graph, names_, types, opset_, only_float_type(model_.graph));
    std::vector<Node> nodes;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      Node node = graph.nodes[i];
      const std::string label = node_label(node, static_cast<std::int64_t>(i)), op = node.op_type;
      raise_subgraphs(node);
      if (node.domain.empty()) {
        NodeUpgrade upgrade;
        try {
          upgrade = upgrade_node(node, site);
        } catch (const Error& error) {  // an attribute of a type that the operator never had
          upgrade.why_not = error.what();
        }
        if (!upgrade.why_not.empty())
          refused_.push_back({label, op, "opset stays " + std::to_string(opset_) + ": " + upgrade.why_not});
        if (!upgrade.done.empty()) done_.push_back({label, op, upgrade.done});
      }
      std::move(site.before.begin(), site.before.end(), std::back_inserter(nodes));
      nodes.push_back(std::move(node));
      std::move(site.behind.begin(), site.behind.end(), std::back_inserter(nodes));
      site.before.clear();
      site.behind.clear();
    }
    graph.nodes = std::move(nodes);
  }

  void raise_subgraphs(Node& node) {
    const auto raised = [&](const std::shared_ptr<const Graph>& graph) {
      auto copy = std::make_shared<Graph>(*graph);
      raise(*copy, nullptr);
      return std::shared_ptr<const Graph>(std::move(copy));
    };
    for (Attribute& attribute : node.attributes) {
      if (auto* one = std::get_if<std::shared_ptr<const Graph>>(&attribute.value); one && *one) *one = raised(*one);
      if (auto* many = std::get_if<std::vector<std::shared_ptr<const Graph>>>(&attribute.value))
        for (auto& graph : *many)
          if (graph) graph = raised(graph);
    }
  }

  const Model& model_;
  const std::int64_t opset_;
  NameGenerator names_;
  std::vector<NodeReason> done_, refused_;
};

StepResult run(const Model& model, Context&) { return Raise(model).run(); }

}  // namespace

StepInfo raise_opset() { return rewrite_step("raise_opset", "Raises models of opset 12 and before to opset 13", run); }

}  // namespace pare
