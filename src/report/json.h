// json.h - results as JSON, with every figure that the terminal shows and those it has no room for.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "pare/compress.h"
#include "pare/measure.h"
#include "pare/step.h"

namespace pare {

[[nodiscard]] nlohmann::json to_json(const Interval& interval);
[[nodiscard]] nlohmann::json to_json(const Evaluation& evaluation);
[[nodiscard]] nlohmann::json to_json(const PairedTest& test);
[[nodiscard]] nlohmann::json to_json(const Timing& timing);
[[nodiscard]] nlohmann::json to_json(const SpeedComparison& speed);
[[nodiscard]] nlohmann::json to_json(const std::vector<NodeReason>& reasons);
[[nodiscard]] nlohmann::json to_json(const std::vector<StepCheck>& checks);
[[nodiscard]] nlohmann::json to_json(const CheckedResult& checked);
[[nodiscard]] nlohmann::json to_json(const CompressResult& result);
/// Versions, CPU and its features: what a figure was measured with.
[[nodiscard]] nlohmann::json environment_json(const SessionOptions& session);

}  // namespace pare
