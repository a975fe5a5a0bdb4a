// prune - takes out what a network can do without: channels and blocks for real, or single weights (zeros).
#include <array>
#include <span>

#include "core/fail.h"
#include "prune/prune_channels.h"
#include "prune/steps.h"
#include "prune/unstructured.h"
#include "prune/zero_filters.h"
#include "step/select.h"

namespace pare {
namespace {

StepResult run_unstructured(const Model& model, const StepOptions& options, Context& context) {
  UnstructuredOptions unstructured;
  unstructured.user_reasons = user_reasons(model.graph, options.words("exclude"), options.words("only"));
  if (options.given("amount")) unstructured.amount = options.number("amount");
  if (options.given("threshold")) unstructured.threshold = options.number("threshold");
  if (options.given("pattern")) unstructured.pattern = parse_zero_pattern(options.word("pattern"));
  const std::string& scope = options.word("scope");
  unstructured.scope = scope == "lamp"     ? ZeroScope::kGlobalLamp
                       : scope == "global" ? ZeroScope::kGlobal
                                           : ZeroScope::kLayer;
  return prune_unstructured(model, unstructured, context);
}

void refuse_quantized(const Model& model) {
  for (std::size_t i = 0; i < model.graph.nodes.size(); ++i) {
    const Node& node = model.graph.nodes[i];
    if (node.op_type == "QuantizeLinear" || node.op_type == "DequantizeLinear" || node.op_type.starts_with("QLinear"))
      fail(ErrorCode::kInvalidArgument,
           "prune: the model is quantized already ({})\n  remedy: prune the float model, then quantize",
           node_label(node, static_cast<std::int64_t>(i)));
  }
}

/// Options of another mode than the one that is chosen.
void refuse_foreign(const StepOptions& options) {
  constexpr std::array<const char*, 4> kZeros = {"amount", "threshold", "pattern", "scope"};
  constexpr std::array<const char*, 15> kChannels = {"macs",     "params", "bytes",     "latency", "speedup",
                                                     "channels", "global", "criterion", "repair",  "blocks",
                                                     "samples",  "round",  "floor",     "cap",     "steps"};
  const bool zeros = options.flag("unstructured"), filters = options.flag("zero-filters");
  const auto refuse = [&](std::span<const char* const> names, const char* mode) {
    for (const char* name : names)
      if (options.given(name))
        fail(ErrorCode::kInvalidArgument, "prune: {} does not go with {}\n  remedy: leave one of them out", name, mode);
  };
  if (zeros && filters)
    fail(ErrorCode::kInvalidArgument,
         "prune: unstructured and zero-filters are two steps\n  remedy: one after the other");
  if (zeros || filters) refuse(kChannels, zeros ? "unstructured" : "zero-filters");
  if (!zeros) refuse(kZeros, filters ? "zero-filters" : "channels; it is an option of --unstructured");
  if (options.given("scope") && !options.given("amount"))
    fail(ErrorCode::kInvalidArgument, "prune: scope says where an amount is taken from\n  remedy: add amount=50%");
  if (options.flag("global") && !options.given("channels"))
    fail(ErrorCode::kInvalidArgument,
         "prune: global goes with channels, all other goals are global\n  remedy: leave it out");
  if (options.integer("steps") < 1 || options.integer("steps") > 100)
    fail(ErrorCode::kInvalidArgument, "prune: steps={} is not between 1 and 100", options.integer("steps"));
}

StepResult run(const Model& model, const StepOptions& options, Context& context) {
  refuse_quantized(model);
  refuse_foreign(options);
  if (options.flag("zero-filters"))
    return remove_zero_filters(model, user_reasons(model.graph, options.words("exclude"), options.words("only")),
                               context);
  return options.flag("unstructured") ? run_unstructured(model, options, context)
                                      : prune_channels(model, options, context);
}

}  // namespace

StepInfo prune() {
  using Type = OptionInfo::Type;
  return {
      .name = "prune",
      .kind = StepKind::kTechnique,
      .summary = "Takes out channels and residual blocks, repaired from data and proved; or zeros single weights",
      .options =
          {
              {"macs",
               Type::kNumber,
               "",
               {},
               "share of the multiply-accumulates that may remain (the goal if none is given: 50%)"},
              {"params", Type::kNumber, "", {}, "share of the parameters that may remain"},
              {"bytes", Type::kNumber, "", {}, "share of the stored bytes that may remain"},
              {"latency", Type::kNumber, "", {}, "share of the measured time that may remain"},
              {"speedup", Type::kNumber, "", {}, "how many times as fast, measured: 1.5"},
              {"channels", Type::kNumber, "", {}, "share of the channels of each layer that may remain"},
              {"global", Type::kFlag, "off", {}, "channels: of all layers together, where they cost least"},
              {"criterion",
               Type::kWord,
               "auto",
               {"auto", "reconstruction", "l1", "l2", "fpgm", "random"},
               "which channels go; auto: reconstruction with data, else l2"},
              {"repair",
               Type::kWord,
               "auto",
               {"auto", "on", "off"},
               "refit what is left from data; auto: if there are data"},
              {"blocks",
               Type::kWord,
               "auto",
               {"auto", "off"},
               "whole residual blocks may go; auto: if there are data and the goal is no number of channels"},
              {"samples", Type::kInt, "512", {}, "unlabelled samples at most, for criterion and repair"},
              {"round",
               Type::kInt,
               "0",
               {},
               "layers keep multiples of so many channels; 0: 4, more if that is slower; 1 for the same share of each "
               "layer"},
              {"floor",
               Type::kInt,
               "1",
               {},
               "channels that stay at least of those that can be chosen between (sets of them where they are tied)"},
              {"cap", Type::kNumber, "100%", {}, "share of a group that may go at most"},
              {"steps", Type::kInt, "1", {}, "reach the goal in so many steps, each measured anew"},
              {"exclude",
               Type::kWordList,
               "",
               {},
               "nodes that keep their channels: names, operator types or shell patterns"},
              {"only", Type::kWordList, "", {}, "nodes that may lose some, all others keep theirs"},
              {"zero-filters",
               Type::kFlag,
               "off",
               {},
               "takes out filters that are zero altogether, which changes no output, and nothing else"},
              {"unstructured", Type::kFlag, "off", {}, "zeros single weights instead; no runtime gets faster by that"},
              {"amount", Type::kNumber, "", {}, "unstructured: share of the weights that become zero"},
              {"threshold", Type::kNumber, "", {}, "unstructured: weights below become zero"},
              {"pattern", Type::kWord, "", {}, "unstructured: N:M, so many of each M weights stay (2:4)"},
              {"scope",
               Type::kWord,
               "layer",
               {"layer", "global", "lamp"},
               "unstructured: the share is of each layer, or of all"},
          },
      .run = run,
      .words = "macs=50%",
  };
}

}  // namespace pare
