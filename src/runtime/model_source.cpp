#include "runtime/model_source.h"

#include <unordered_set>

#include "core/fail.h"
#include "core/words.h"
#include "pare/model_io.h"

namespace pare {
namespace {

std::int64_t weight_bytes(const Graph& graph) {
  std::int64_t total = 0;
  for (const Initializers::Entry& entry : graph.initializers) total += entry.tensor.size_bytes();
  return total;
}

class OutputAdder {
 public:
  explicit OutputAdder(Graph& graph) : graph_(graph), names_(graph) {
    for (const std::string& name : made_values(graph)) made_.insert(name);
    for (const ValueInfo& output : graph.outputs) taken_.insert(output.name);
  }

  /// Makes the value an output of the graph and returns the output's name.
  std::string add(const std::string& value) {
    const bool made = made_.contains(value);
    if (!made && graph_.find_input(value) == nullptr && !graph_.initializers.contains(value)) fail_unknown(value);
    std::string name = value;
    if (!made || taken_.contains(value)) {
      // A name can be an output only once, and runtimes differ on outputs that no node makes: pass it through a node.
      name = names_.fresh(value + "_output");
      Node copy;
      copy.name = names_.fresh("pare_extra_output");
      copy.op_type = "Identity";
      copy.inputs = {value};
      copy.outputs = {name};
      graph_.nodes.push_back(std::move(copy));
    }
    ValueInfo info;
    info.name = name;
    graph_.outputs.push_back(std::move(info));
    taken_.insert(name);
    return name;
  }

 private:
  [[noreturn]] void fail_unknown(const std::string& value) const {
    std::vector<std::string> known(made_.begin(), made_.end());
    for (const ValueInfo& input : graph_.inputs) known.push_back(input.name);
    for (const Initializers::Entry& entry : graph_.initializers) known.push_back(entry.name);
    fail(ErrorCode::kInvalidArgument, "the model has no value '{}' to be made an output{}", value,
         nearest_hint(value, known));
  }

  Graph& graph_;
  NameGenerator names_;
  std::unordered_set<std::string> made_, taken_;
};

}  // namespace

std::vector<std::string> made_values(const Graph& graph) {
  std::vector<std::string> names;
  std::unordered_set<std::string> seen;
  for (const Node& node : graph.nodes)
    for (const std::string& output : node.outputs)
      if (!output.empty() && seen.insert(output).second) names.push_back(output);
  return names;
}

PreparedModel prepare_model(const Model& model, const std::vector<std::string>& extra_outputs,
                            const PrepareOptions& options) {
  PreparedModel prepared;
  ModelSource& source = prepared.source;
  source.inputs = model.graph.inputs;
  source.outputs = model.graph.outputs;
  for (const ValueInfo& output : source.outputs) source.output_names.push_back(output.name);

  Model changed;
  if (!extra_outputs.empty()) {
    changed = model;
    OutputAdder adder(changed.graph);
    for (const std::string& value : extra_outputs) {
      source.output_names.push_back(adder.add(value));
      ValueInfo info;
      info.name = value;
      source.outputs.push_back(std::move(info));
    }
  }
  const Model& ready = extra_outputs.empty() ? model : changed;

  if (options.weights_apart) {
    SlimModel slim = serialize_without_weights(ready);
    source.bytes = std::move(slim.bytes);
    for (const std::string& name : slim.left_out)
      source.weights.emplace_back(name, *ready.graph.initializers.find(name));
  } else if (weight_bytes(ready.graph) <= options.limit_bytes) {
    source.bytes = serialize_model(ready);
  } else {
    prepared.folder = std::make_unique<TempFolder>();
    source.file = prepared.folder->path() / "model.onnx";
    save_model(ready, source.file, {.external_threshold_bytes = 0});
  }
  return prepared;
}

}  // namespace pare
