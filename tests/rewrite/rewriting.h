// rewriting.h - what tests of rewrites share: run one on a model in text form, compare results as text and as numbers.
#pragma once

#include <string>
#include <string_view>

#include "pare/model_io.h"
#include "pare/session.h"
#include "pare/step.h"
#include "rewrite/rewrites.h"
#include "support/support.h"

namespace pare::testing {

/// "<ir_version: 8, opset_import: ["" : 17]>" before a graph in ONNX's text form.
inline Model graph_from_text(std::string_view graph, int opset = 17, int ir_version = 8) {
  return model_from_text("<ir_version: " + std::to_string(ir_version) +
                         ", opset_import: [\"\" : " + std::to_string(opset) + "]>\n" + std::string(graph));
}

/// The step, checked by run_step: a rewrite that changes numbers or breaks the graph fails the test here.
inline StepResult apply(const StepInfo& step, const Model& model) {
  Context context;
  CheckedResult checked = run_step(step, model, StepOptions(step.options, {}), context);
  for (const StepCheck& check : checked.checks) EXPECT_TRUE(check.passed) << check.name << ": " << check.detail;
  check_model(checked.result.model);
  return std::move(checked.result);
}

/// "Conv(x, w, b) -> y; Relu(y) -> z": the nodes alone, which is what most tests are about.
inline std::string nodes_text(const Model& model) {
  std::string text;
  for (const Node& node : model.graph.nodes) {
    if (!text.empty()) text += "; ";
    text += node.op_type + '(';
    for (std::size_t i = 0; i < node.inputs.size(); ++i) text += (i ? ", " : "") + node.inputs[i];
    text += ") ->";
    for (const std::string& output : node.outputs) text += ' ' + output;
  }
  return text;
}

inline std::vector<float> floats_of(const Model& model, std::string_view initializer) {
  const Tensor* tensor = model.graph.initializers.find(initializer);
  EXPECT_NE(tensor, nullptr) << "no initializer " << initializer << " in\n" << model_to_text(model);
  return tensor ? tensor->to_floats() : std::vector<float>();
}

/// A graph on which the step does nothing, for a reason that holds `part`.
inline void expect_declined(const StepInfo& step, const Model& model, const std::string& part) {
  const StepResult result = apply(step, model);
  EXPECT_EQ(result.changes, 0) << model_to_text(result.model);
  EXPECT_EQ(model_to_text(result.model), model_to_text(model));
  for (const NodeReason& skipped : result.skipped)
    if (skipped.reason.find(part) != std::string::npos) return;
  std::string reasons;
  for (const NodeReason& skipped : result.skipped) reasons += "\n  " + skipped.node + ": " + skipped.reason;
  ADD_FAILURE() << "no reason holds '" << part << "':" << reasons;
}

/// A second run finds nothing left to do.
inline void expect_idempotent(const StepInfo& step, const StepResult& first) {
  const StepResult again = apply(step, first.model);
  EXPECT_EQ(again.changes, 0) << model_to_text(first.model) << "\nbecame\n" << model_to_text(again.model);
}

}  // namespace pare::testing
