// Before:        y = Relu(x), t = Exp(x); initializer w that nobody reads; declared type of a value that is gone
// After:         y = Relu(x)
// Fires when:    no output of a node, and no initializer, reaches an output of the graph or a subgraph; a declared
// inner
//                type names nothing or contradicts what follows from the inputs; weights are listed as inputs (IR 3)
// Declines when: the operator is of a domain whose effects pare does not know
// Formula:       none: nothing that is computed changes
#include <unordered_set>

#include "core/fail.h"
#include "rewrite/rewrites.h"

namespace pare {
namespace {

bool outputs_unused(const GraphEdit& edit, const Node& node) {
  for (const std::string& output : node.outputs)
    if (!output.empty() && !edit.is_unused(output)) return false;
  return true;
}

void drop_nodes(GraphEdit& edit) {
  for (std::int64_t i = edit.node_count(); i-- > 0;) {
    const Node& node = edit.node(i);
    if (outputs_unused(edit, node)) {
      if (!node.domain.empty() && node.domain != "ai.onnx.ml") {
        edit.skip(i, fmt::format("nobody reads it, but what operators of domain '{}' do is not known", node.domain));
        continue;
      }
      edit.remove_node(i);
      edit.done(i, "nobody reads its outputs");
    } else if ((node.is("MaxPool") || node.is("Dropout")) && node.outputs.size() == 2) {
      const std::string second = node.outputs[1];
      if (!second.empty() && !edit.is_unused(second)) continue;
      edit.change_attributes(i).outputs.pop_back();
      edit.done(i, "nobody reads its second output");
    }
  }
}

void drop_initializers(GraphEdit& edit) {
  std::unordered_set<std::string> unused;
  for (const auto& entry : edit.graph().initializers)
    if (edit.is_unused(entry.name) && !is_annotated(edit.graph(), entry.name)) unused.insert(entry.name);
  edit.change_model().graph.initializers.keep_if([&](const std::string& name) { return !unused.contains(name); });
  for (const std::string& name : unused) edit.done({name, "initializer", "nobody reads it"});
}

bool contradicts(const ValueInfo& declared, const ValueInfo& inferred) {
  if (declared.dtype != inferred.dtype && inferred.dtype != DType::kUndefined) return true;
  if (!declared.shape || !inferred.shape) return false;
  if (declared.shape->size() != inferred.shape->size()) return true;
  for (std::size_t i = 0; i < declared.shape->size(); ++i) {
    const auto& a = (*declared.shape)[i].value;
    const auto& b = (*inferred.shape)[i].value;
    if (a && b && *a > 0 && *b > 0 && *a != *b) return true;
  }
  return false;
}

void drop_declarations(GraphEdit& edit) {
  std::unordered_set<std::string> stale;
  for (const ValueInfo& info : edit.graph().value_info) {
    const ValueInfo* inferred = edit.type(info.name);
    if (edit.producer(info.name) < 0)
      edit.done({info.name, "declared type", "there is no such value"});
    else if (inferred && info.opaque_type.empty() && contradicts(info, *inferred))
      edit.done({info.name, "declared type", "it contradicts what follows from the inputs"});
    else
      continue;
    stale.insert(info.name);
  }
  std::erase_if(edit.change_model().graph.value_info, [&](const ValueInfo& info) { return stale.contains(info.name); });
  // Weights that a caller may overwrite keep runtimes from preparing them; pare never leaves them open.
  if (!edit.model().weights_as_inputs.empty())
    edit.done({"inputs", "initializer",
               fmt::format("{} weights are no longer listed as inputs", edit.model().weights_as_inputs.size())});
}

StepResult run(const Model& model, Context&) {
  GraphEdit edit(model);
  drop_nodes(edit);
  drop_initializers(edit);
  drop_declarations(edit);
  return edit.finish();
}

}  // namespace

StepInfo drop_unused() {
  return rewrite_step("drop_unused", "Drops nodes, weights and declared types that nobody reads", run);
}

}  // namespace pare
