// quantize - int8 after training, from calibration samples (int8) or without (dynamic).
// int8: float network -> plan (which nodes, plan.h) -> ranges from samples (observe.h, ranges.h) -> Q/DQ (place_qdq.h).
#include <algorithm>
#include <set>

#include "core/fail.h"
#include "core/words.h"
#include "pare/measure.h"
#include "pare/model_io.h"
#include "quantize/bias_correct.h"
#include "quantize/dynamic.h"
#include "quantize/observe.h"
#include "quantize/place_qdq.h"
#include "quantize/plan.h"
#include "quantize/steps.h"
#include "quantize/summary.h"
#include "quantize/targets/target.h"
#include "step/select.h"

namespace pare {
namespace {

constexpr std::int64_t kLowestOpset = 13;

void check_input(const Model& model) {
  if (model.opset() < kLowestOpset)
    fail(ErrorCode::kInvalidArgument,
         "quantize: the model has opset {}, scales per channel need {}\n  remedy: run the step 'rewrite' first, it "
         "raises the opset",
         model.opset(), kLowestOpset);
  for (std::size_t i = 0; i < model.graph.nodes.size(); ++i) {
    const Node& node = model.graph.nodes[i];
    if (node.op_type == "QuantizeLinear" || node.op_type == "DequantizeLinear" ||
        node.op_type == "DynamicQuantizeLinear" || node.op_type.starts_with("QLinear"))
      fail(ErrorCode::kInvalidArgument,
           "quantize: the model is quantized already ({})\n  remedy: start from the float "
           "model",
           node_label(node, static_cast<std::int64_t>(i)));
  }
}

bool limit_pairs(const StepOptions& options) {
  const std::string& word = options.word("reduce-range");
  return word == "on" || (word == "auto" && !cpu_features().safe_int8());
}

/// Class scores survive 256 steps; what is read as a number or an image does not.
bool outputs_stay_float(const Model& model, const std::string& word, const Dataset* data) {
  if (word != "auto") return word == "on";
  if (data != nullptr && data->task() == Task::kClassification) return false;
  if (data != nullptr && data->task() != Task::kNone) return true;
  const ValueTypes types = infer_types(model);
  return std::any_of(model.graph.outputs.begin(), model.graph.outputs.end(), [&](const ValueInfo& output) {
    const auto type = types.find(output.name);
    const auto& shape = type != types.end() ? type->second.shape : output.shape;
    return !shape || shape->size() != 2 || (shape->back().value && *shape->back().value == 1);
  });
}

std::shared_ptr<const Dataset> samples_of(const Model& model, const StepOptions& options, Context& context,
                                          StepResult& result) {
  if (context.data != nullptr) return context.data;
  if (!options.flag("allow-random"))
    fail(ErrorCode::kInvalidArgument,
         "quantize: int8 needs calibration samples\n  remedy: give data (a few hundred unlabelled images are enough), "
         "or 'dynamic' if the network is made of matrix products, or allow-random to time the result only");
  result.notes.push_back("timing only: calibrated on random numbers, the outputs mean nothing");
  InputOptions like;
  like.seed = context.seed;
  return random_dataset(probe_inputs(model, like), options.integer("samples"), context.seed);
}

Reader reader_of(const Graph& graph, const GraphIndex& index, const std::string& value) {
  const auto& uses = index.uses(value);
  const bool sigmoid = !uses.empty() && std::all_of(uses.begin(), uses.end(), [&](const GraphIndex::Use& use) {
    return graph.nodes[static_cast<std::size_t>(use.node)].is("Sigmoid");
  });
  return sigmoid ? Reader::kSigmoid : Reader::kLinear;
}

struct Calibrated {
  Plan plan;
  Ranges ranges;
  std::int64_t clipped = 0, seen = 0;
};

/// Plans, measures what the plan needs, and plans again with the ranges in view until nothing is missing.
Calibrated calibrate(const Model& model, const Dataset& data, const StepOptions& options, PlanOptions plan_options,
                     Context& context) {
  RangeOptions range_options;
  range_options.method = parse_range_method(options.word("calibrate"));
  range_options.percentile = options.number("percentile");
  if (range_options.percentile <= 1) range_options.percentile *= 100;  // written as 99.99%
  if (range_options.percentile <= 50 || range_options.percentile > 100)
    fail(ErrorCode::kInvalidArgument, "quantize: percentile {} is not between 50 and 100", range_options.percentile);
  const ObserveOptions observe_options{.samples = options.integer("samples"),
                                       .seed = context.seed,
                                       .histograms = needs_histogram(range_options.method),
                                       .session = context.session};
  const GraphIndex index(model.graph);
  Calibrated result;
  result.plan = plan_quantization(model.graph, plan_options);
  for (;;) {
    std::vector<std::string> missing;
    for (const std::string& value : result.plan.observed())
      if (!result.ranges.contains(value)) missing.push_back(value);
    if (missing.empty()) return result;
    for (const auto& [value, stats] : observe(model, missing, data, observe_options, *context.progress)) {
      range_options.reader = reader_of(model.graph, index, value);
      const Range range = choose_range(stats, range_options);
      result.ranges.emplace(value, range);
      result.seen += stats.count;
      result.clipped += clipped_count(stats.histogram, range);
    }
    plan_options.ranges = &result.ranges;
    result.plan = plan_quantization(model.graph, plan_options);
  }
}

void quantize_static(const Model& model, const StepOptions& options, Context& context, StepResult& result) {
  const std::shared_ptr<const Dataset> data = samples_of(model, options, context, result);
  const std::string target = options.word("target") != "auto"                ? options.word("target")
                             : context.session.runtime == Runtime::kOpenVino ? "openvino"
                                                                             : "onnxruntime";
  PlanOptions plan_options;
  plan_options.target = &find_target(target);
  plan_options.user_reasons = user_reasons(model.graph, options.words("exclude"), options.words("only"));
  plan_options.float_outputs = outputs_stay_float(model, options.word("last-float"), context.data.get());
  const Calibrated calibrated = calibrate(model, *data, options, plan_options, context);
  PlaceOptions place_options{.limit_pairs = limit_pairs(options)};
  Placed placed = place_qdq(model, calibrated.plan, calibrated.ranges, place_options);
  if (options.flag("bias-correction")) {
    const std::int64_t samples = std::min<std::int64_t>(options.integer("samples"), 128);
    place_options.bias_shift =
        measure_bias_shift(model, calibrated.plan, calibrated.ranges, place_options.limit_pairs, *data,
                           {.samples = samples, .seed = context.seed, .session = context.session}, *context.progress);
    placed = place_qdq(model, calibrated.plan, calibrated.ranges, place_options);
    result.notes.push_back(fmt::format("biases of {} layers corrected on {} samples", place_options.bias_shift.size(),
                                       std::min(samples, data->size())));
  }
  result.model = std::move(placed.model);
  result.done = std::move(placed.done);
  result.skipped = calibrated.plan.skipped;
  const IntegerSummary summary = summarize(model.graph, calibrated.plan);
  result.figures = {
      {"quantized_ops", static_cast<double>(summary.quantized_ops)},
      {"float_ops", static_cast<double>(summary.float_ops)},
      {"islands", static_cast<double>(summary.islands)},
      {"fused_activations", static_cast<double>(placed.vanished)},
      {"narrowed_layers", static_cast<double>(placed.narrowed_layers)},
      {"clipped_share",
       calibrated.seen == 0 ? 0.0 : static_cast<double>(calibrated.clipped) / static_cast<double>(calibrated.seen)},
  };
  if (placed.narrowed_layers > 0)
    result.notes.push_back(
        fmt::format("{} layers got less than 8 bits for weights: without VNNI two products can "
                    "overflow 16 bits",
                    placed.narrowed_layers));
  if (plan_options.float_outputs)
    result.notes.push_back(
        "the last layers stay float, since the outputs are not class scores (last-float=off "
        "quantizes them)");
}

void report_convolutions(const Model& model, StepResult& result) {
  std::int64_t integer = 0, all = 0;
  for (const Node& node : model.graph.nodes) all += node.is("Conv") ? 1 : 0;
  for (const NodeReason& done : result.done) integer += done.op_type == "Conv" ? 1 : 0;
  if (all > 0) result.notes.push_back(fmt::format("{} of {} convolutions are int8", integer, all));
}

StepResult run(const Model& model, const StepOptions& options, Context& context) {
  check_input(model);
  StepResult result;
  if (options.word("mode") == "dynamic") {
    const auto reasons = user_reasons(model.graph, options.words("exclude"), options.words("only"));
    DynamicResult dynamic = quantize_dynamic(model, reasons, limit_pairs(options));
    result.model = std::move(dynamic.model);
    result.done = std::move(dynamic.done);
    result.skipped = std::move(dynamic.skipped);
    result.figures = {{"quantized_ops", static_cast<double>(result.done.size())},
                      {"float_ops", static_cast<double>(result.skipped.size())}};
    if (result.done.empty())
      result.notes.push_back(
          "nothing to do: the model has no matrix product with constant weights; 'quantize int8' "
          "with calibration samples is the way for convolutions");
  } else {
    quantize_static(model, options, context, result);
  }
  report_convolutions(model, result);
  result.changes = static_cast<std::int64_t>(result.done.size());
  if (result.changes == 0) result.model = model;
  return result;
}

}  // namespace

StepInfo quantize() {
  using Type = OptionInfo::Type;
  return {
      .name = "quantize",
      .kind = StepKind::kTechnique,
      .summary = "int8 weights and activations, from calibration samples or (dynamic) without",
      .options =
          {
              {"mode",
               Type::kWord,
               "int8",
               {"int8", "dynamic"},
               "int8: calibrated, for convolutions; dynamic: matrix products only, no data needed"},
              {"calibrate",
               Type::kWord,
               "minmax",
               {"minmax", "percentile", "mse", "entropy", "auto"},
               "how activation ranges are chosen; auto: per tensor"},
              {"percentile",
               Type::kNumber,
               "99.99",
               {},
               "share of values inside of the range, for percentile and auto"},
              {"samples", Type::kInt, "512", {}, "calibration samples at most"},
              {"target",
               Type::kWord,
               "auto",
               {"auto", "onnxruntime", "openvino"},
               "runtime whose fusions the placement serves; auto: the one in use"},
              {"exclude", Type::kWordList, "", {}, "nodes that stay float: names, operator types or shell patterns"},
              {"only", Type::kWordList, "", {}, "nodes to quantize, all others stay float"},
              {"bias-correction", Type::kFlag, "off", {}, "shift biases by the mean error seen on samples"},
              {"reduce-range",
               Type::kWord,
               "auto",
               {"auto", "on", "off"},
               "weights that cannot overflow 16 bits; auto: if this processor has no VNNI"},
              {"last-float",
               Type::kWord,
               "auto",
               {"auto", "on", "off"},
               "last layers stay float; auto: unless the outputs are class scores"},
              {"allow-random", Type::kFlag, "off", {}, "calibrate on random numbers, to time the result only"},
          },
      .run = run,
  };
}

}  // namespace pare
