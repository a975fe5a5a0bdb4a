#include "prune/criteria.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string>
#include <unordered_map>

#include "core/fail.h"
#include "core/random.h"
#include "core/words.h"
#include "prune/filters.h"

namespace pare {
namespace {

struct CriterionName {
  Criterion criterion;
  std::string_view word;
};
constexpr std::array kCriteria = {CriterionName{Criterion::kL1, "l1"}, CriterionName{Criterion::kL2, "l2"},
                                  CriterionName{Criterion::kFpgm, "fpgm"}, CriterionName{Criterion::kRandom, "random"}};

using Filters = std::vector<std::vector<double>>;

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum);
}

/// By filter; l2 squared, since squares add up over layers.
std::vector<double> filter_scores(Criterion criterion, const Filters& filters) {
  std::vector<double> scores(filters.size(), 0);
  for (std::size_t i = 0; i < filters.size(); ++i) {
    if (criterion == Criterion::kFpgm) {
      for (std::size_t j = i + 1; j < filters.size(); ++j) {
        const double apart = distance(filters[i], filters[j]);
        scores[i] += apart;
        scores[j] += apart;
      }
      continue;
    }
    for (const double weight : filters[i])
      scores[i] += criterion == Criterion::kL1 ? std::abs(weight) : weight * weight;
  }
  return scores;
}

Filters scaled_filters(const Graph& graph, const GraphIndex& index, std::int64_t node) {
  Filters filters = filters_of(graph, index, node);
  const std::vector<double> scales = batchnorm_scales(graph, index, node);
  if (scales.size() == filters.size())
    for (std::size_t i = 0; i < filters.size(); ++i)
      for (double& weight : filters[i]) weight *= scales[i];
  return filters;
}

/// All groups' scores: the filters of a layer that makes several groups are read once.
class Scorer {
 public:
  Scorer(Criterion criterion, const Model& model, const ChannelFlow& flow, std::uint64_t seed)
      : criterion_(criterion), graph_(model.graph), index_(model.graph), flow_(flow), seed_(seed) {}

  std::vector<double> of(std::int64_t group_index) {
    const ChannelGroup& group = flow_.groups.at(static_cast<std::size_t>(group_index));
    std::vector<double> scores(group.classes.size(), 0);
    if (criterion_ == Criterion::kRandom) {
      Rng rng(seed_ * 1'000'003 + static_cast<std::uint64_t>(group_index));
      for (double& score : scores) score = rng.uniform();
      return scores;
    }
    std::unordered_map<ChannelClass, std::size_t> at;
    for (std::size_t i = 0; i < group.classes.size(); ++i) at[group.classes[i]] = i;
    for (const std::int64_t producer : group.producers) {
      const ChannelLayer& layer = flow_.layers[static_cast<std::size_t>(producer)];
      const std::vector<double>& of_filters = scores_of(layer.node);
      if (of_filters.size() != layer.outputs.size()) continue;
      for (std::size_t o = 0; o < layer.outputs.size(); ++o)
        if (const auto found = at.find(layer.outputs[o]); found != at.end()) scores[found->second] += of_filters[o];
    }
    for (double& score : scores) {
      if (!std::isfinite(score))
        fail(ErrorCode::kNumeric, "the weights of '{}' hold NaN or infinity: no channel can be judged", group.name);
      if (criterion_ == Criterion::kL2) score = std::sqrt(score);
    }
    return scores;
  }

 private:
  const std::vector<double>& scores_of(std::int64_t node) {
    const auto [at, added] = known_.try_emplace(node);
    if (added) at->second = filter_scores(criterion_, scaled_filters(graph_, index_, node));
    return at->second;
  }

  Criterion criterion_;
  const Graph& graph_;
  GraphIndex index_;
  const ChannelFlow& flow_;
  std::uint64_t seed_;
  std::unordered_map<std::int64_t, std::vector<double>> known_;
};

ErrorCurve curve_of(const ChannelGroup& group, std::int64_t index, const std::vector<double>& scores) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  const double sum = std::accumulate(scores.begin(), scores.end(), 0.0);
  const double mean = sum / static_cast<double>(scores.size());
  ErrorCurve curve{.group = index, .error = {0}};
  double left = sum;
  for (std::size_t i = 0; i + 1 < order.size(); ++i) {
    const double score = scores[order[i]];
    // Channels of zero weights go first, but even they not for nothing: the curve increases.
    const double step = sum > 0 && left > 0 ? score / mean * (sum / left) : 0;
    curve.order.push_back(group.classes[order[i]]);
    curve.error.push_back(curve.error.back() + std::max(step, 1e-9));
    left -= score;
  }
  return curve;
}

}  // namespace

Criterion parse_criterion(std::string_view word) {
  std::vector<std::string> known;
  for (const CriterionName& entry : kCriteria) {
    if (entry.word == word) return entry.criterion;
    known.emplace_back(entry.word);
  }
  fail(ErrorCode::kInvalidArgument, "'{}' is no criterion\n  remedy: one of {}{}", word, join(known, ", "),
       nearest_hint(word, known));
}

std::vector<double> class_scores(Criterion criterion, const Model& model, const ChannelFlow& flow, std::int64_t group,
                                 std::uint64_t seed) {
  return Scorer(criterion, model, flow, seed).of(group);
}

std::vector<ErrorCurve> weight_curves(Criterion criterion, const Model& model, const ChannelFlow& flow,
                                      std::uint64_t seed) {
  Scorer scorer(criterion, model, flow, seed);
  std::vector<ErrorCurve> curves;
  for (std::size_t g = 0; g < flow.groups.size(); ++g) {
    const ChannelGroup& group = flow.groups[g];
    if (!group.frozen.empty() || group.classes.size() < 2) continue;
    const auto index = static_cast<std::int64_t>(g);
    curves.push_back(curve_of(group, index, scorer.of(index)));
  }
  return curves;
}

}  // namespace pare
