#include "report/compress_text.h"

#include <fmt/format.h>

#include <cmath>

#include "report/format.h"
#include "report/table.h"

namespace pare {
namespace {

std::string change_text(Metric metric, const PairedTest& test) {
  const double half = (test.interval.high - test.interval.low) / 2;
  if (metric == Metric::kRmse) return fmt::format("{:+.3g} +- {:.2g}", test.difference, half);
  const double points = std::round(10000 * test.difference) / 100;
  return fmt::format("{}{:.2f} +- {:.2f}", points > 0 ? "+" : points < 0 ? "-" : "", std::abs(points), 100 * half);
}

}  // namespace

std::string original_line(const CompressResult& result) {
  const Evaluation& evaluation = result.evaluation;
  const std::string metric = evaluation.metric == Metric::kAgreement
                                 ? std::string()
                                 : format_metric(evaluation.metric, evaluation.value) + " " +
                                       std::string(metric_name(evaluation.metric)) + "   ";
  return fmt::format("original    {}{}   {}\n", metric, format_ms(result.timing.median_ms), result.conditions);
}

std::string candidate_table(const CompressResult& result, std::size_t width) {
  const Metric metric = result.evaluation.metric;
  Table table({{"candidate", false, 0, 14},
               {"size"},
               {"MACs", true, 3},
               {std::string(metric_name(metric)), true, 2},
               {"change (95 %)", true, 1},
               {"time", true, 4},
               {"speed (95 %)", false, 0},
               {"", false, 0, 12}});
  for (std::size_t i = 0; i < result.candidates.size(); ++i) {
    const Candidate& candidate = result.candidates[i];
    const bool taken = static_cast<std::int64_t>(i) == result.taken;
    const std::string verdict = candidate.verdict.substr(0, candidate.verdict.find('\n'));
    if (!candidate.speed) {
      table.add({candidate.name, "", "", "", "", "", "", verdict});
      continue;
    }
    table.add({candidate.name, format_bytes(candidate.size_bytes), format_count(candidate.macs),
               candidate.evaluation ? format_metric(metric, candidate.evaluation->value) : "-",
               candidate.accuracy ? change_text(metric, *candidate.accuracy) : "-",
               format_ms(candidate.speed->other.median_ms), format_ratio_interval(*candidate.speed),
               (taken ? "< " : "") + verdict});
  }
  return table.text(width);
}

std::string gain_text(const CompressResult& result, const Candidate& candidate) {
  const Metric metric = result.evaluation.metric;
  const std::string speed =
      candidate.speed->verdict == Verdict::kNoDifference ? "as fast" : format_speed(candidate.speed->ratio);
  return fmt::format("{}, {}, {}{}", format_smaller(result.size_bytes, candidate.size_bytes), speed,
                     change_text(metric, *candidate.accuracy), metric == Metric::kRmse ? "" : " points");
}

std::string before_after_table(const CompressResult& result, std::size_t width) {
  if (result.taken < 0) return {};
  const Candidate& taken = result.candidates[static_cast<std::size_t>(result.taken)];
  const auto with_interval = [&](const Evaluation& evaluation) {
    return fmt::format("{} ({} to {})", format_metric(evaluation.metric, evaluation.value),
                       format_metric(evaluation.metric, evaluation.interval.low),
                       format_metric(evaluation.metric, evaluation.interval.high));
  };
  Table table(
      {{"", false}, {"size"}, {"MACs"}, {"time"}, {std::string(metric_name(result.evaluation.metric)) + " (95 %)"}});
  table.add({"before", format_bytes(result.size_bytes), format_count(result.macs),
             format_ms(taken.speed->baseline.median_ms), with_interval(result.evaluation)});
  table.add({"after", format_bytes(taken.size_bytes), format_count(taken.macs), format_ms(taken.speed->other.median_ms),
             with_interval(*taken.evaluation)});
  return table.text(width);
}

}  // namespace pare
