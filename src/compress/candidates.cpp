#include "compress/candidates.h"

#include <algorithm>

#include "core/fail.h"
#include "core/words.h"

namespace pare {
namespace {

bool holds(const Model& model, std::initializer_list<const char*> ops) {
  return std::any_of(model.graph.nodes.begin(), model.graph.nodes.end(), [&](const Node& node) {
    return std::any_of(ops.begin(), ops.end(), [&](const char* op) { return node.is(op); });
  });
}

}  // namespace

std::vector<CandidateSpec> candidate_specs(const Model& rewritten, const CompressOptions& options) {
  std::vector<CandidateSpec> specs;
  const std::string target = options.session.runtime == Runtime::kOpenVino ? "openvino" : "onnxruntime";
  std::string common = fmt::format(" target={} samples={}", target, options.calibration_samples);
  if (!options.exclude.empty()) common += " exclude=\"" + join(options.exclude, ",") + "\"";
  const bool convolutional = holds(rewritten, {"Conv", "ConvTranspose"});
  const bool dense = holds(rewritten, {"Gemm", "MatMul"});
  if (convolutional || dense) {
    for (const char* ranges : {"minmax", "percentile", "mse", "entropy"})
      specs.push_back({fmt::format("int8, {}", ranges), fmt::format("quantize int8 calibrate={}{}", ranges, common)});
  }
  // Without convolutions the weights of Gemm and MatMul are most of the work, and scales taken at run time cost little.
  if (dense && !convolutional) {
    const std::string exclude = options.exclude.empty() ? "" : " exclude=\"" + join(options.exclude, ",") + "\"";
    specs.push_back({"int8, dynamic", "quantize dynamic" + exclude});
  }
  // On x86 ONNX Runtime has hardly any half precision kernels: there fp16 only saves bytes, so it is tried when bytes
  // are asked for.
  if (options.session.runtime == Runtime::kOpenVino || options.goal.max_size_bytes > 0)
    specs.push_back({"fp16", "convert fp16 keep-io"});
  return specs;
}

std::vector<std::vector<CandidateSpec>> thinner_specs(const Model& rewritten, const CompressOptions& options) {
  if (!holds(rewritten, {"Conv", "ConvTranspose", "Gemm", "MatMul"})) return {};
  std::string common = fmt::format(" samples={}", options.calibration_samples);
  if (!options.exclude.empty()) common += " exclude=\"" + join(options.exclude, ",") + "\"";
  std::vector<std::vector<CandidateSpec>> families(2);
  std::vector<const char*> pruned = {"1.2", "1.5", "2"}, low_rank = {"1.2", "1.5"};
  if (options.finetune_time_s > 0) {  // too thin without training
    pruned.push_back("3");
    low_rank.push_back("2");
  }
  for (const char* speedup : pruned)
    families[0].push_back({fmt::format("pruned {}x", speedup), fmt::format("prune speedup={}{}", speedup, common)});
  for (const char* speedup : low_rank)
    families[1].push_back(
        {fmt::format("low rank {}x", speedup), fmt::format("factorize speedup={}{}", speedup, common)});
  return families;
}

std::string finetune_recipe(double seconds, const CompressOptions& options) {
  constexpr int kMostEpochs = 30;  // more on few images would only learn them by heart
  return fmt::format("finetune epochs={} time={:.0f}s augment={}", kMostEpochs, std::max(1.0, seconds),
                     options.augment);
}

}  // namespace pare
