#include "factorize/time_ways.h"

#include <algorithm>
#include <map>
#include <memory>

#include "budget/time_parts.h"
#include "core/fail.h"
#include "factorize/split_layer.h"
#include "fit/sub_model.h"

namespace pare {
namespace {

constexpr std::int64_t kRanksPerWay = 5;

std::vector<std::int64_t> ranks_to_time(std::int64_t limit, std::int64_t block) {
  std::vector<std::int64_t> ranks;
  if (limit <= 2 * block && limit > block / 2) ranks.push_back(block / 2);
  const std::int64_t count = (limit - 1) / block, step = (count + kRanksPerWay - 1) / kRanksPerWay;
  for (std::int64_t n = 1; n <= count; n += std::max<std::int64_t>(1, step)) ranks.push_back(n * block);
  return ranks;
}

/// Layers of one structure take the same time.
std::string structure_of(const RankCandidate& candidate, const Trace& trace) {
  const LinearLayer& layer = candidate.layer;
  return fmt::format("{} {} {} {} {} {} {} {} {} {}", candidate.op_type, layer.groups, layer.outputs, layer.inputs,
                     shape_text(layer.kernel), shape_text(layer.strides), shape_text(layer.dilations),
                     shape_text(layer.pads), layer.auto_pad, shape_text(trace.shapes.at(layer.input)));
}

/// Small positive numbers: no runtime takes a shortcut, nothing grows or dies out.
Factors filler(const LinearLayer& layer, const Fold& fold, std::int64_t rank) {
  const std::int64_t outer = fold.outer_rank(rank);
  Factors factors{.rank = rank,
                  .outer = outer,
                  .first = Matrix(layer.groups * rank, fold.columns),
                  .second = Matrix(outer == 0 ? layer.outputs : outer, fold.taps * rank),
                  .last = Matrix(outer == 0 ? 0 : layer.outputs, outer)};
  const auto fill = [](Matrix& matrix) {
    for (std::size_t i = 0; i < matrix.values.size(); ++i)
      matrix.values[i] = (i % 2 == 0 ? 0.9 : -0.8) / static_cast<double>(matrix.cols);
  };
  fill(factors.first);
  fill(factors.second);
  fill(factors.last);
  return factors;
}

class Timer {
 public:
  Timer(const Model& model, const Trace& trace, const NamedTensors& inputs,
        const std::vector<RankCandidate>& candidates, const TimeWaysOptions& options)
      : model_(model), trace_(trace), inputs_(inputs), candidates_(candidates), options_(options) {
    options_.session.extra_outputs.clear();
    for (std::size_t c = 0; c < candidates.size(); ++c) alike_[structure_of(candidates[c], trace)].push_back(c);
  }

  TimedNetwork run() {
    whole_ = open_session(model_, options_.session);
    whole_->bind(inputs_);
    result_.candidates.resize(candidates_.size());
    result_.whole_ms = time_parts(options_.clocks, *whole_, {}, {.seed = options_.seed}).whole_ms;
    alone_ = result_.whole_ms > options_.alone_above_ms;
    ProgressTask task(*options_.progress, "time ranks", static_cast<std::int64_t>(alike_.size()), "kinds of layers");
    std::int64_t done = 0;
    for (const auto& [structure, members] : alike_) {
      time_structure(members);
      task.advance(++done);
    }
    return std::move(result_);
  }

 private:
  void time_structure(const std::vector<std::size_t>& members) {
    const RankCandidate& first = candidates_[members[0]];
    std::vector<TimedRank> ranks;
    std::vector<std::unique_ptr<Session>> sessions;
    std::vector<Session*> parts;
    const auto add = [&](const Model& model, const NamedTensors& inputs) {
      sessions.push_back(open_session(model, options_.session));
      sessions.back()->bind(inputs);
      parts.push_back(sessions.back().get());
    };
    const auto [alone, alone_inputs] = layer_alone(first);
    if (alone_)
      add(alone, alone_inputs);
    else
      add(model_, inputs_);
    for (std::size_t way = 0; way < first.ways.size(); ++way)
      for (const std::int64_t rank : ranks_to_time(first.ways[way].limit, options_.block)) {
        ranks.push_back({.way = way, .rank = rank});
        if (alone_) {
          add(alone_as(alone, first, way, rank), alone_inputs);
          continue;
        }
        std::vector<ShapeChoice> choices;
        for (const std::size_t member : members) choices.push_back({.candidate = member, .way = way, .rank = rank});
        add(with_shapes(model_, candidates_, choices), inputs_);
      }
    add(alone, alone_inputs);
    add(nothing_model(), {{"x", Tensor::of({1}, std::vector<float>{1})}});
    const PartTimes times = time_parts(
        options_.clocks, alone_ ? *parts[0] : *whole_, parts,
        {.budget_s = options_.budget_s / static_cast<double>(alike_.size()), .max_rounds = 25, .seed = options_.seed});
    const double unit = alone_ ? 1 : result_.whole_ms / times.part_ms[0];
    const double many = alone_ ? 1 : static_cast<double>(members.size());
    for (std::size_t i = 0; i < ranks.size(); ++i)
      ranks[i].saved_ms = unit * (times.part_ms[0] - times.part_ms[i + 1]) / many;
    const std::size_t last = times.part_ms.size() - 1;
    for (const std::size_t member : members)
      result_.candidates[member] = {.layer_ms = unit * std::max(1e-6, times.part_ms[last - 1] - times.part_ms[last]),
                                    .ranks = ranks};
  }

  std::pair<Model, NamedTensors> layer_alone(const RankCandidate& candidate) const {
    const LinearLayer& layer = candidate.layer;
    const Shape& shape = trace_.shapes.at(layer.input);
    NamedTensors inputs;
    inputs[layer.input] = Tensor::of(shape, std::vector<float>(static_cast<std::size_t>(element_count(shape)), 0.5F));
    const std::vector<std::int64_t> nodes = {layer.node};
    return {
        sub_model(model_, nodes, inputs, false, {model_.graph.nodes[static_cast<std::size_t>(layer.node)].output(0)}),
        inputs};
  }

  static Model alone_as(const Model& alone, const RankCandidate& candidate, std::size_t way, std::int64_t rank) {
    std::vector<RankCandidate> one = {candidate};
    one[0].layer.node = one[0].layer.end = GraphIndex(alone.graph).producer(candidate.node_output);
    return with_shapes(alone, one, {{.candidate = 0, .way = way, .rank = rank}});
  }

  /// What it takes to run anything at all.
  static Model nothing_model() {
    Model model;
    model.opset_imports.push_back({.domain = "", .version = 13});
    Node node;
    node.op_type = "Relu";
    node.inputs = {"x"};
    node.outputs = {"y"};
    model.graph.name = "nothing";
    model.graph.nodes.push_back(node);
    ValueInfo info;
    info.name = "x";
    info.dtype = DType::kFloat32;
    info.shape = std::vector<Dim>{{.value = 1, .symbol = "", .denotation = ""}};
    model.graph.inputs.push_back(info);
    info.name = "y";
    model.graph.outputs.push_back(info);
    return model;
  }

  const Model& model_;
  const Trace& trace_;
  const NamedTensors& inputs_;
  const std::vector<RankCandidate>& candidates_;
  TimeWaysOptions options_;
  std::map<std::string, std::vector<std::size_t>> alike_;
  std::unique_ptr<Session> whole_;
  bool alone_ = false;
  TimedNetwork result_;
};

}  // namespace

Model with_shapes(const Model& model, const std::vector<RankCandidate>& candidates,
                  const std::vector<ShapeChoice>& choices) {
  std::vector<SplitLayer> splits;
  for (const ShapeChoice& choice : choices) {
    const RankCandidate& candidate = candidates[choice.candidate];
    const Fold& fold = candidate.ways[choice.way].fold;
    splits.push_back({.layer = candidate.layer, .fold = fold, .factors = filler(candidate.layer, fold, choice.rank)});
  }
  return split_layers(model, splits);
}

TimedNetwork time_ways(const Model& model, const Trace& trace, const NamedTensors& inputs,
                       const std::vector<RankCandidate>& candidates, const TimeWaysOptions& options) {
  return Timer(model, trace, inputs, candidates, options).run();
}

}  // namespace pare
