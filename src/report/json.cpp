#include "report/json.h"

#include <cmath>

#include "pare/version.h"

namespace pare {
namespace {

using nlohmann::json;

/// JSON has no NaN: null stands for "there is none".
json number(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }

}  // namespace

json to_json(const Interval& interval) { return json::array({number(interval.low), number(interval.high)}); }

json to_json(const Evaluation& evaluation) {
  json out = {{"metric", metric_name(evaluation.metric)},
              {"value", number(evaluation.value)},
              {"interval_95", to_json(evaluation.interval)},
              {"samples", evaluation.samples}};
  if (evaluation.top5 >= 0) out["top5"] = evaluation.top5;
  if (!evaluation.per_class.empty()) {
    out["per_class"] = json::array();
    for (const double value : evaluation.per_class) out["per_class"].push_back(number(value));
  }
  if (evaluation.metric == Metric::kRmse) {
    const RegressionError& error = evaluation.regression;
    out["regression"] = {{"rmse", number(error.rmse)},
                         {"mae", number(error.mae)},
                         {"bias", number(error.bias)},
                         {"r2", number(error.r2)},
                         {"distinct_outputs", error.distinct_outputs}};
  }
  if (evaluation.metric == Metric::kAgreement) {
    const Agreement& agreement = evaluation.agreement;
    out["agreement"] = {{"argmax_flips", number(agreement.argmax_flips)},
                        {"cosine", number(agreement.cosine)},
                        {"psnr_db", number(agreement.psnr_db)},
                        {"max_abs", number(agreement.max_abs)},
                        {"worst_sample", agreement.worst_sample}};
  }
  return out;
}

json to_json(const PairedTest& test) {
  return {{"difference", number(test.difference)},
          {"interval_95", to_json(test.interval)},
          {"p_value", number(test.p_value)},
          {"method", test.method},
          {"samples", test.samples}};
}

json to_json(const Timing& timing) {
  return {{"first_ms", timing.first_ms}, {"median_ms", timing.median_ms}, {"q1_ms", timing.q1_ms},
          {"q3_ms", timing.q3_ms},       {"p95_ms", timing.p95_ms},       {"runs", timing.runs}};
}

json to_json(const SpeedComparison& speed) {
  return {{"baseline", to_json(speed.baseline)},
          {"other", to_json(speed.other)},
          {"ratio", number(speed.ratio)},
          {"interval_95", to_json(speed.interval)},
          {"verdict", verdict_name(speed.verdict)}};
}

json to_json(const std::vector<NodeReason>& reasons) {
  json out = json::array();
  for (const NodeReason& entry : reasons)
    out.push_back({{"node", entry.node}, {"op_type", entry.op_type}, {"reason", entry.reason}});
  return out;
}

json to_json(const std::vector<StepCheck>& checks) {
  json out = json::array();
  for (const StepCheck& check : checks)
    out.push_back({{"check", check.name}, {"passed", check.passed}, {"detail", check.detail}});
  return out;
}

json to_json(const CheckedResult& checked) {
  return {{"changes", checked.result.changes},
          {"done", to_json(checked.result.done)},
          {"skipped", to_json(checked.result.skipped)},
          {"notes", checked.result.notes},
          {"figures", checked.result.figures},
          {"checks", to_json(checked.checks)},
          {"seconds", checked.seconds}};
}

json to_json(const CompressResult& result) {
  json out = {{"conditions", result.conditions},
              {"original",
               {{"size_bytes", result.size_bytes},
                {"macs", result.macs},
                {"parameters", result.parameters},
                {"timing", to_json(result.timing)},
                {"evaluation", to_json(result.evaluation)}}},
              {"candidates", json::array()},
              {"taken", result.taken},
              {"goal_met", result.goal_met},
              {"why_not", result.why_not}};
  for (const Candidate& candidate : result.candidates) {
    json entry = {{"name", candidate.name},
                  {"recipe", candidate.recipe},
                  {"size_bytes", candidate.size_bytes},
                  {"macs", candidate.macs},
                  {"parameters", candidate.parameters},
                  {"valid", candidate.valid},
                  {"meets_goal", candidate.meets_goal},
                  {"verdict", candidate.verdict},
                  {"checks", to_json(candidate.checks)},
                  {"done", to_json(candidate.done)},
                  {"skipped", to_json(candidate.skipped)},
                  {"notes", candidate.notes},
                  {"figures", candidate.figures},
                  {"seconds", candidate.seconds}};
    if (candidate.speed) entry["speed"] = to_json(*candidate.speed);
    if (candidate.evaluation) entry["evaluation"] = to_json(*candidate.evaluation);
    if (candidate.accuracy) entry["accuracy"] = to_json(*candidate.accuracy);
    out["candidates"].push_back(std::move(entry));
  }
  return out;
}

json environment_json(const SessionOptions& session) {
  return {{"pare", version()},
          {"runtime", runtime_name(session.runtime)},
          {"runtime_version", runtime_version(session.runtime)},
          {"threads", session.threads},
          {"cpu", cpu_description()}};
}

}  // namespace pare
