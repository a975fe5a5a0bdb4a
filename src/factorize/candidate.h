// candidate.h - the layers that can become two, the ways of each, and what low rank costs them in accuracy.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "factorize/fold.h"
#include "fit/target.h"
#include "pare/session.h"
#include "pare/step.h"

namespace pare {

/// One way of writing a layer as two.
struct Way {
  Fold fold;
  FoldCost macs, parameters;
  std::int64_t limit = 1;  ///< ranks below it save MACs and parameters
  struct Point {
    std::int64_t rank = 0;
    double error = 0;
  };
  /// Ascending: squared error of the outputs over their variance, or of the weights over their squares; in the unit of
  /// the candidate's `scale`.
  std::vector<Point> points;
  /// Between the points the logarithm of the error is linear in the rank.
  [[nodiscard]] double error_at(std::int64_t rank) const;
};

struct RankCandidate {
  LinearLayer layer;
  std::string label, op_type;
  std::string node_output;  ///< of the node itself, before an added bias
  std::vector<Way> ways;
  double scale = 1;  ///< squared error of the network's outputs for one of the layer's
};

struct RankCandidateOptions {
  std::string kind = "auto";
  bool every_kind = false;                     ///< auto: not only those that save most MACs
  bool above_break_even = false;               ///< ranks up to the full one
  std::vector<std::string> user_reasons = {};  ///< by node, "" where the user has nothing against it
};

struct RankCandidates {
  std::vector<RankCandidate> list;
  std::vector<NodeReason> skipped;
};
[[nodiscard]] RankCandidates find_candidates(const Model& model, const Trace& trace,
                                             const RankCandidateOptions& options);

struct RankCurveOptions {
  std::int64_t samples = 512, measured_samples = 32;
  std::uint64_t seed = 0;
  SessionOptions session{};
};
/// Fills in the points of all ways. With data also the scale: what the network's outputs lose with only this layer at
/// half of its MACs.
void measure_rank_curves(const Model& model, const Trace& trace, const Dataset* data, const RankCurveOptions& options,
                         std::vector<RankCandidate>& candidates, ProgressSink& progress);

}  // namespace pare
