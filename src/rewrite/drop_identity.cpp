// Before:        x -> Dropout -> t -> Pad(0, 0, 0, 0) -> u -> Conv -> y
// After:         x -> Conv -> y
// Fires when:    Identity; Dropout in inference; Pad by nothing; Slice of everything; Cast to the same type; Reshape,
//                Flatten, Transpose, Expand that change nothing; Concat, Sum, Max, Min, Mean of one value (empty
//                constants are taken out of a Concat first); Resize and Upsample by 1; Clip without bounds; + 0, - 0, *
//                1, / 1 by constants that widen nothing
// Declines when: Dropout trains or its mask is read; the node hands an input, a weight or an output of the graph out
//                under another output's name
// Formula:       y = x
#include "rewrite/rewrites.h"

#include <algorithm>

#include "core/fail.h"
#include "rewrite/is_identity.h"

namespace pare {
namespace {

/// Concat(x, empty): the empty part adds nothing, and some exporters give it a rank that runtimes refuse.
void drop_empty_parts(GraphEdit& edit, std::int64_t index) {
  for (std::size_t i = edit.node(index).inputs.size(); i-- > 0;) {
    if (edit.node(index).inputs.size() < 2) return;
    const Tensor part = edit.constant(edit.node(index).inputs[i]);
    if (part.empty() || part.element_count() != 0) continue;
    edit.done(index, fmt::format("empty part '{}' taken out", edit.node(index).inputs[i]));
    edit.drop_input(index, i);
  }
}

/// Index of the output of `node` called `value`.
std::size_t output_index(const Node& node, const std::string& value) {
  return static_cast<std::size_t>(std::find(node.outputs.begin(), node.outputs.end(), value) - node.outputs.begin());
}

/// Takes out a node whose output is its input. Returns "" when done, else why it must stay.
std::string bypass(GraphEdit& edit, std::int64_t index, const std::string& input) {
  const std::string output = edit.node(index).output(0);
  if (!edit.is_output(output)) {
    edit.remove_node(index);
    edit.redirect(output, input);
    return {};
  }
  const std::int64_t maker = edit.producer(input);
  if (maker < 0) return fmt::format("it hands '{}' out as the graph's output '{}'", input, output);
  if (edit.is_output(input)) return fmt::format("'{}' and '{}' are both outputs of the graph", input, output);
  edit.remove_node(index);
  edit.redirect(input, output);
  edit.set_output(maker, output_index(edit.node(maker), input), output);
  return {};
}

StepResult run(const Model& model, Context&) {
  GraphEdit edit(model);
  for (std::int64_t i = 0; i < edit.node_count(); ++i) {
    if (edit.node(i).is("Concat")) drop_empty_parts(edit, i);
    const IdentityVerdict verdict = judge_identity(edit, i);
    if (verdict.input.empty()) {
      if (!verdict.reason.empty()) edit.skip(i, verdict.reason);
      continue;
    }
    if (std::string reason = bypass(edit, i, verdict.input); !reason.empty())
      edit.skip(i, reason);
    else
      edit.done(i, verdict.reason);
  }
  return edit.finish();
}

}  // namespace

StepInfo drop_identity() { return rewrite_step("drop_identity", "Drops nodes whose output is their input", run); }

}  // namespace pare
