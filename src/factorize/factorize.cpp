// factorize - layers of high cost and low rank become two thinner ones, fitted to what the network computes on data.
#include "core/fail.h"
#include "factorize/factorize_layers.h"
#include "factorize/steps.h"

namespace pare {
namespace {

StepResult run(const Model& model, const StepOptions& options, Context& context) {
  for (std::size_t i = 0; i < model.graph.nodes.size(); ++i) {
    const Node& node = model.graph.nodes[i];
    if (node.op_type == "QuantizeLinear" || node.op_type == "DequantizeLinear" || node.op_type.starts_with("QLinear"))
      fail(ErrorCode::kInvalidArgument,
           "factorize: the model is quantized already ({})\n  remedy: factorize the float model, then quantize",
           node_label(node, static_cast<std::int64_t>(i)));
  }
  return factorize_layers(model, options, context);
}

}  // namespace

StepInfo factorize() {
  using Type = OptionInfo::Type;
  return {
      .name = "factorize",
      .kind = StepKind::kTechnique,
      .summary = "layers become two or three thinner ones of low rank, fitted from data and proved",
      .options =
          {
              {"kind",
               Type::kWord,
               "auto",
               {"auto", "spatial", "channel", "point", "tucker2", "svd"},
               "spatial: k x 1 then 1 x k or the other way round; channel: k x k then 1 x 1; point: 1 x 1 then k x k; "
               "tucker2: 1 x 1, k x k, 1 x 1; svd: matrices and 1 x 1 only; auto: per layer, by measurement if time is "
               "the goal"},
              {"macs",
               Type::kNumber,
               "",
               {},
               "share of the multiply-accumulates that may remain (the goal if none is given: 50%)"},
              {"params", Type::kNumber, "", {}, "share of the parameters that may remain"},
              {"latency", Type::kNumber, "", {}, "share of the measured time that may remain"},
              {"speedup", Type::kNumber, "", {}, "how many times as fast, measured: 1.5"},
              {"rank",
               Type::kInt,
               "",
               {},
               "this rank for every layer that it saves something in (tucker2: of the inputs)"},
              {"energy", Type::kNumber, "", {}, "the least rank of each layer that keeps this share of its outputs"},
              {"evbmf", Type::kFlag, "off", {}, "ranks of the weights as variational Bayes sees them in noise"},
              {"samples", Type::kInt, "512", {}, "unlabelled samples at most"},
              {"round",
               Type::kInt,
               "0",
               {},
               "ranks are multiples of that; 0: what the runtime likes if time is the goal"},
              {"relu",
               Type::kWord,
               "once",
               {"once", "penalty"},
               "what an activation cuts off does not count: one pass; penalty: twelve passes as in Zhang et al. 2015"},
              {"force",
               Type::kFlag,
               "off",
               {},
               "also where nothing is saved: ranks above the break-even, layers that get no faster"},
              {"exclude", Type::kWordList, "", {}, "nodes that stay: names, operator types or shell patterns"},
              {"only", Type::kWordList, "", {}, "nodes that may become two, all others stay"},
          },
      .run = run,
      .words = "macs=50%",
  };
}

}  // namespace pare
