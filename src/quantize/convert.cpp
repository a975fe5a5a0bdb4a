// Before: a float32 network.  After: its nodes compute in float16 where the operator's definition and the numbers allow
// it, weights are stored in float16, Casts stand where the two types meet.
// Stays float32, each with its reason: operators without float16, bodies of If and Loop, sums over large areas, squares
// on their way into a sum, exponentials, constants and measured activations that float16 cannot hold, positions and
// sizes (whole numbers beyond 2048), and whatever lies among such nodes so that Casts would cost more than they save.
// With keep-io inputs and outputs stay float32. If nothing can be converted, the model comes back as it was.
#include "quantize/convert.h"

#include <algorithm>
#include <cmath>

#include "core/fail.h"
#include "core/words.h"
#include "quantize/half.h"
#include "quantize/half_apply.h"
#include "step/select.h"

namespace pare {
namespace {

NamedTensors as_inputs_of(const Model& model, const NamedTensors& inputs) {
  NamedTensors fitting;
  for (const auto& [name, tensor] : inputs) {
    const ValueInfo* info = model.graph.find_input(name);
    const bool narrow = info && info->dtype == DType::kFloat16 && tensor.dtype() == DType::kFloat32;
    fitting[name] = narrow ? to_half(tensor, fmt::format("input '{}'", name)) : tensor;
  }
  return fitting;
}

/// Runs both on the last measured input; the largest difference of an output in units of its range.
double difference_after(const Model& before, const Model& after, const NamedTensors& inputs, SessionOptions options) {
  options.extra_outputs.clear();
  options.force_float32 = false;
  const std::vector<Tensor> wanted = open_session(before, options)->run(inputs);
  const std::vector<Tensor> got = open_session(after, options)->run(as_inputs_of(after, inputs));
  double worst = 0;
  for (std::size_t i = 0; i < wanted.size() && i < got.size(); ++i) {
    if (!is_float(wanted[i].dtype()) || wanted[i].shape() != got[i].shape()) continue;
    const std::vector<float> a = wanted[i].to_floats(), b = got[i].to_floats();
    double range = 0, difference = 0;
    for (std::size_t j = 0; j < a.size(); ++j) {
      if (!std::isfinite(a[j])) continue;
      if (!std::isfinite(b[j]))
        fail(ErrorCode::kNumeric,
             "convert: output '{}' is {} in float16 where it was {}\n  remedy: give real data, so that the nodes whose "
             "values leave float16's range stay float32, or exclude them",
             before.graph.outputs[i].name, b[j], a[j]);
      range = std::max(range, std::abs(static_cast<double>(a[j])));
      difference = std::max(difference, std::abs(static_cast<double>(a[j]) - b[j]));
    }
    if (range > 0) worst = std::max(worst, difference / range);
  }
  return worst;
}

std::int64_t weight_bytes(const Model& model) {
  std::int64_t bytes = 0;
  for (const auto& entry : model.graph.initializers) bytes += entry.tensor.size_bytes();
  for (const Node& node : model.graph.nodes)
    if (const Attribute* value = node.is("Constant") ? node.find_attribute("value") : nullptr)
      if (const Tensor* tensor = std::get_if<Tensor>(&value->value)) bytes += tensor->size_bytes();
  return bytes;
}

void list_nodes(const HalfFacts& facts, const HalfPlan& plan, StepResult& result) {
  for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
    const Node& node = facts.graph().nodes[i];
    const NodePlan& decided = plan.nodes[i];
    if (node.is("Constant") || decided.slots.transparent) continue;
    const std::string label = node_label(node, static_cast<std::int64_t>(i));
    if (decided.half)
      result.done.push_back({label, node.op_type, "float16"});
    else if (decided.slots.touches_float32 || decided.keep)
      result.skipped.push_back({label, node.op_type, decided.keep.reason});
  }
  result.skipped.insert(result.skipped.end(), plan.kept_borders.begin(), plan.kept_borders.end());
}

bool converts_anything(const HalfPlan& plan) {
  return std::any_of(plan.nodes.begin(), plan.nodes.end(), [](const NodePlan& node) {
    return node.half && !node.slots.transparent && node.slots.touches_float32;
  });
}

StepResult run(const Model& model, const StepOptions& options, Context& context) {
  if (model.opset() < 6)
    fail(
        ErrorCode::kUnsupported,
        "convert: the model uses operator set {}, whose Cast names types by words\n  remedy: raise the operator set to "
        "13 or more first (raise_opset)",
        model.opset());
  StepResult result;
  result.model = model;
  const std::vector<std::string> reasons = user_reasons(model.graph, options.words("exclude"), options.words("only"));
  const bool nothing_left =
      std::none_of(reasons.begin(), reasons.end(), [](const auto& reason) { return reason.empty(); });
  const HalfFacts facts(model,
                        nothing_left ? MeasuredRanges{} : measure_ranges(model, context, options.flag("allow-random")));
  const HalfPlan plan = plan_half(facts, reasons, options.flag("keep-io"));
  list_nodes(facts, plan, result);
  if (!facts.measured().note.empty()) result.notes.push_back(facts.measured().note);
  if (!converts_anything(plan)) {
    result.notes.emplace_back("no node can be float16, the model is unchanged");
    return result;
  }

  HalfResult converted = apply_half(facts, plan);
  result.model = std::move(converted.model);
  result.changes = static_cast<std::int64_t>(result.done.size()) + converted.weights;
  result.figures = {{"weight_bytes_before", static_cast<double>(weight_bytes(model))},
                    {"weight_bytes_after", static_cast<double>(weight_bytes(result.model))},
                    {"weights_to_zero", static_cast<double>(converted.weights_to_zero)},
                    {"casts_added", static_cast<double>(converted.casts)},
                    {"nodes_float16", static_cast<double>(result.done.size())},
                    {"nodes_float32", static_cast<double>(result.skipped.size() - plan.kept_borders.size())}};
  if (!facts.measured().inputs.empty())
    result.figures["output_difference"] =
        difference_after(model, result.model, facts.measured().inputs, context.session);
  if (converted.weights_to_zero > 0)
    result.notes.push_back(fmt::format("{} of {} weights are too small for float16 and became 0",
                                       with_commas(converted.weights_to_zero), with_commas(converted.weight_elements)));
  result.notes.emplace_back(
      "float16 halves the file; on x86 ONNX Runtime computes most of it in float32 behind Casts, so time it before "
      "counting on speed");
  return result;
}

}  // namespace

StepInfo convert() {
  using Type = OptionInfo::Type;
  return {.name = "convert",
          .kind = StepKind::kTechnique,
          .summary = "float16 weights and activations where types and numbers allow it",
          .options = {{"type", Type::kWord, "fp16", {"fp16"}, "the type to convert to"},
                      {"keep-io", Type::kFlag, "", {}, "inputs and outputs stay float32, with Casts at the borders"},
                      {"exclude", Type::kWordList, "", {}, "nodes that stay float32: names, patterns, operator types"},
                      {"only", Type::kWordList, "", {}, "the only nodes to convert: names, patterns, operator types"},
                      {"allow-random", Type::kFlag, "", {}, "without data measure ranges on random inputs"}},
          .run = run};
}

}  // namespace pare
