#include "compress/choose.h"

#include <algorithm>
#include <cmath>

#include "core/fail.h"
#include "core/words.h"

namespace pare {
namespace {

// Candidates whose speeds lie so close are told apart by their accuracy, then by their size.
constexpr double kSameSpeed = 0.03;

struct Judgement {
  bool accurate = false, fast = false, small = false;
  double measured_loss = 0, largest_loss = 0;
};

std::string loss_text(const Evaluation& original, double value) {
  return higher_is_better(original.metric) ? fmt::format("{:.2f} points", 100 * value)
                                           : fmt::format("{:.2f} %", 100 * value);
}

Judgement judge(const CompressResult& result, const Candidate& candidate, const Goal& goal) {
  Judgement judgement;
  const PairedTest& test = *candidate.accuracy;
  judgement.measured_loss = loss(result.evaluation, test.difference);
  judgement.largest_loss =
      std::max(loss(result.evaluation, test.interval.low), loss(result.evaluation, test.interval.high));
  judgement.accurate = (goal.certain ? judgement.largest_loss : judgement.measured_loss) <= goal.max_drop;
  judgement.fast = goal.speedup <= 0 || candidate.speed->ratio >= goal.speedup;
  judgement.small = goal.max_size_bytes <= 0 || candidate.size_bytes <= goal.max_size_bytes;
  return judgement;
}

/// True if `a` is the better result of two that are equally entitled.
bool better(const CompressResult& result, const Candidate& a, const Candidate& b, double fastest) {
  const auto close = [&](const Candidate& c) { return c.speed->ratio >= fastest * (1 - kSameSpeed); };
  if (close(a) != close(b)) return close(a);
  if (!close(a)) return a.speed->ratio > b.speed->ratio;
  const double loss_a = loss(result.evaluation, a.accuracy->difference),
               loss_b = loss(result.evaluation, b.accuracy->difference);
  if (loss_a != loss_b) return loss_a < loss_b;
  return a.size_bytes < b.size_bytes;
}

std::int64_t best_of(const CompressResult& result, const std::vector<std::int64_t>& indices) {
  double fastest = 0;
  for (const std::int64_t i : indices)
    fastest = std::max(fastest, result.candidates[static_cast<std::size_t>(i)].speed->ratio);
  std::int64_t best = -1;
  for (const std::int64_t i : indices)
    if (best < 0 || better(result, result.candidates[static_cast<std::size_t>(i)],
                           result.candidates[static_cast<std::size_t>(best)], fastest))
      best = i;
  return best;
}

}  // namespace

double loss(const Evaluation& original, double difference) {
  if (higher_is_better(original.metric)) return -difference;
  return original.value > 0 ? difference / original.value : difference;
}

void choose(CompressResult& result, const Goal& goal) {
  std::vector<std::int64_t> meeting, accurate, accurate_and_small;
  for (std::size_t i = 0; i < result.candidates.size(); ++i) {
    Candidate& candidate = result.candidates[i];
    if (!candidate.valid) continue;
    const Judgement judgement = judge(result, candidate, goal);
    candidate.meets_goal = judgement.accurate && judgement.fast && judgement.small;
    const auto index = static_cast<std::int64_t>(i);
    std::vector<std::string> misses;
    if (!judgement.accurate)
      misses.push_back(
          fmt::format("loses {}, {} allowed",
                      loss_text(result.evaluation, goal.certain ? judgement.largest_loss : judgement.measured_loss),
                      loss_text(result.evaluation, goal.max_drop)));
    if (!judgement.fast)
      misses.push_back(fmt::format("{:.2f}x as fast, {:.2f}x asked", candidate.speed->ratio, goal.speedup));
    if (!judgement.small)
      misses.push_back(fmt::format("{:.2f} MB, {:.2f} MB asked", static_cast<double>(candidate.size_bytes) * 1e-6,
                                   static_cast<double>(goal.max_size_bytes) * 1e-6));
    candidate.verdict = join(misses, "; ");
    if (candidate.meets_goal) meeting.push_back(index);
    if (judgement.accurate) accurate.push_back(index);
    if (judgement.accurate && judgement.small) accurate_and_small.push_back(index);
  }
  result.goal_met = !meeting.empty();
  // Accuracy is the promise that must hold; of the rest the nearest is handed over.
  const std::vector<std::int64_t>& pool = !meeting.empty()              ? meeting
                                          : !accurate_and_small.empty() ? accurate_and_small
                                                                        : accurate;
  result.taken = best_of(result, pool);
  const bool nothing_asked = goal.speedup <= 0 && goal.max_size_bytes <= 0;
  const bool all_failed = std::all_of(result.candidates.begin(), result.candidates.end(),
                                      [](const Candidate& c) { return c.verdict.starts_with("failed"); });
  if (result.taken < 0 && nothing_asked && !all_failed)
    result.goal_met = true;  // the original itself loses nothing and is not slower
  for (std::size_t i = 0; i < result.candidates.size(); ++i) {
    Candidate& candidate = result.candidates[i];
    if (static_cast<std::int64_t>(i) == result.taken) {
      candidate.verdict = "taken";
    } else if (candidate.meets_goal) {
      const Candidate& taken = result.candidates[static_cast<std::size_t>(result.taken)];
      const bool as_fast = candidate.speed->ratio >= taken.speed->ratio * (1 - kSameSpeed);
      candidate.verdict = as_fast                                        ? "as fast, less accurate or larger"
                          : candidate.speed->verdict == Verdict::kFaster ? "slower than the one taken"
                                                                         : "no faster";
    }
  }
  if (result.goal_met) return;
  std::vector<std::string> reasons;
  if (result.taken >= 0) {
    const Candidate& nearest = result.candidates[static_cast<std::size_t>(result.taken)];
    if (goal.speedup > 0 && nearest.speed->ratio < goal.speedup)
      reasons.push_back(fmt::format("the fastest within the allowed loss is '{}' at {:.2f}x, {:.2f}x was asked",
                                    nearest.name, nearest.speed->ratio, goal.speedup));
    if (goal.max_size_bytes > 0 && nearest.size_bytes > goal.max_size_bytes)
      reasons.push_back(fmt::format("'{}' takes {:.2f} MB, {:.2f} MB was asked", nearest.name,
                                    static_cast<double>(nearest.size_bytes) * 1e-6,
                                    static_cast<double>(goal.max_size_bytes) * 1e-6));
  } else {
    reasons.emplace_back(all_failed ? "every candidate failed"
                                    : "no candidate is within the allowed loss and not slower than the original");
  }
  result.why_not = join(reasons, "; ");
}

}  // namespace pare
