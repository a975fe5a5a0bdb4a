#include "factorize/candidate.h"

#include <algorithm>
#include <cmath>

#include "core/fail.h"
#include "ops/weight_layer.h"

namespace pare {
namespace {

/// Errors below are rounding: their logarithm would lead interpolation astray.
constexpr double kNothing = 1e-14;

std::vector<FactorKind> wanted_kinds(const LinearLayer& layer, const RankCandidateOptions& options) {
  using enum FactorKind;
  const bool kernel = layer.taps > 1, spatial = can_fold(layer, kVertical);
  if (options.kind == "spatial") return {kVertical, kHorizontal};
  if (options.kind == "channel") return kernel ? std::vector{kChannel} : std::vector<FactorKind>{};
  if (options.kind == "point") return {kPoint};
  if (options.kind == "tucker2") return {kTucker};
  if (options.kind == "svd") return kernel ? std::vector<FactorKind>{} : std::vector{kChannel};
  if (!kernel) return {kChannel};
  if (spatial && !options.every_kind) return {kVertical, kHorizontal};
  return {kVertical, kHorizontal, kChannel, kPoint, kTucker};
}

std::string why_not(const Graph& graph, const Node& node, const std::string& reason) {
  const std::int64_t groups = node.is("Conv") ? node.int_or("group", 1) : 1;
  const Tensor weight = graph.constant(node.input(1));
  if (groups > 1 && !weight.empty() && weight.rank() > 1 && weight.shape()[1] == 1)
    return "depthwise: each channel has one small kernel, there is no rank to save";
  return reason;
}

}  // namespace

double Way::error_at(std::int64_t rank) const {
  if (points.empty()) return 0;
  const auto log_error = [](const Point& point) { return std::log(std::max(point.error, kNothing)); };
  std::size_t after = 0;
  while (after + 1 < points.size() && points[after].rank < rank) ++after;
  if (points[after].rank == rank || points.size() == 1) return points[after].error;
  const Point &low = points[after == 0 ? 0 : after - 1], &high = points[after == 0 ? 1 : after];
  const double share = static_cast<double>(rank - low.rank) / static_cast<double>(high.rank - low.rank);
  return std::min(1.0, std::exp((1 - share) * log_error(low) + share * log_error(high)));
}

RankCandidates find_candidates(const Model& model, const Trace& trace, const RankCandidateOptions& options) {
  const GraphIndex index(model.graph);
  RankCandidates found;
  for (std::size_t i = 0; i < model.graph.nodes.size(); ++i) {
    const Node& node = model.graph.nodes[i];
    if (!is_weight_layer(node)) continue;
    const std::string label = node_label(node, static_cast<std::int64_t>(i));
    const auto skip = [&](std::string reason) { found.skipped.push_back({label, node.op_type, std::move(reason)}); };
    if (node.is("MatMul") && index.constant(node.input(1)).empty()) continue;  // a product of two activations
    if (i < options.user_reasons.size() && !options.user_reasons[i].empty()) {
      skip(options.user_reasons[i]);
      continue;
    }
    ReadLayer read = read_linear_layer(model.graph, index, static_cast<std::int64_t>(i));
    if (!read.layer) read = read_weight_layer(model.graph, index, static_cast<std::int64_t>(i));
    if (!read.layer || (read.layer->groups > 1 && read.layer->inputs == 1)) {
      skip(why_not(model.graph, node, read.reason));
      continue;
    }
    const auto input = trace.shapes.find(node.input(0)), output = trace.shapes.find(node.output(0));
    if (input == trace.shapes.end() || output == trace.shapes.end()) {
      skip("the shapes of its values are not known");
      continue;
    }
    RankCandidate candidate{.layer = std::move(*read.layer),
                            .label = label,
                            .op_type = node.op_type,
                            .node_output = node.output(0),
                            .ways = {}};
    std::int64_t highest = 0;
    for (const FactorKind kind : wanted_kinds(candidate.layer, options)) {
      if (!can_fold(candidate.layer, kind)) continue;
      Way way{.fold = make_fold(candidate.layer, kind), .macs = {}, .parameters = {}, .points = {}};
      way.macs = fold_macs(candidate.layer, kind, input->second, output->second);
      way.parameters = fold_parameters(candidate.layer, kind);
      const std::int64_t full = way.fold.full_rank();
      way.limit = std::min({way.macs.break_even(way.fold), way.parameters.break_even(way.fold), full + 1});
      if (options.above_break_even) way.limit = full + 1;
      highest = std::max(highest, way.limit);
      if (way.limit > 1) candidate.ways.push_back(std::move(way));
    }
    if (!candidate.ways.empty()) {
      found.list.push_back(std::move(candidate));
    } else if (highest > 0) {
      skip("no rank saves anything: one is the break-even");
    } else {
      skip(fmt::format("it cannot be factorized that way ({})", options.kind));
    }
  }
  return found;
}

}  // namespace pare
