// criteria.h - which channels go first when there are no data: scores from the weights alone.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "budget/curve.h"

namespace pare {

enum class Criterion { kL1, kL2, kFpgm, kRandom };
/// "l1", "l2", "fpgm", "random"; throws Error(kInvalidArgument).
[[nodiscard]] Criterion parse_criterion(std::string_view word);

/// By class of the group, in the group's order, over the filters of all layers that make it; a batch normalization
/// right behind a layer scales its filters. l1: sum of |w|. l2: root of the sum of w^2. fpgm: sum over the layer's
/// other filters of the distance to them (He et al. 2019: the smallest is the most replaceable). random: uniform, by
/// seed.
[[nodiscard]] std::vector<double> class_scores(Criterion criterion, const Model& model, const ChannelFlow& flow,
                                               std::int64_t group, std::uint64_t seed = 0);

/// One curve for each free group of two classes and more. With the scores in ascending order s_1 <= s_2 ...:
///   error[n] = sum over i <= n of s_i / (mean of s * share of the score that is left before i)
/// Every group's first classes cost about their score over the group's mean, so that groups compete whatever the size
/// of their weights; the last ones cost more and more (the layer form of LAMP, Lee et al. 2021), so that no group is
/// emptied for the others. Convex and increasing.
[[nodiscard]] std::vector<ErrorCurve> weight_curves(Criterion criterion, const Model& model, const ChannelFlow& flow,
                                                    std::uint64_t seed = 0);

}  // namespace pare
