#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/fail.h"
#include "core/words.h"
#include "pare/dataset.h"

namespace pare {

InputRange measure_range(const Dataset& dataset, const std::string& input, std::int64_t samples) {
  InputRange range;
  range.minimum = std::numeric_limits<double>::infinity();
  range.maximum = -std::numeric_limits<double>::infinity();
  double squares = 0;  // of the distances from the mean so far (Welford, sample by sample)
  for (const std::int64_t index : sample_indices(dataset.size(), samples, 0)) {
    const Batch batch = dataset.batch(std::span(&index, 1));
    const auto found = batch.inputs.find(input);
    if (found == batch.inputs.end()) {
      std::vector<std::string> names;
      for (const auto& [name, tensor] : batch.inputs) names.push_back(name);
      fail(ErrorCode::kInvalidArgument, "the data has no input '{}'{}\n  known: {}", input, nearest_hint(input, names),
           join(names, ", "));
    }
    const std::vector<float> values = found->second.to_floats();
    if (values.empty()) continue;
    double sum = 0, own_squares = 0;
    for (const float value : values) {
      if (!std::isfinite(value))
        fail(
            ErrorCode::kNumeric,
            "input '{}' of sample {} holds {}\n  remedy: set \"nodata\" in the preprocess file to the value of missing "
            "pixels (\"nan\" for NaN alone)",
            input, index, value);
      range.minimum = std::min<double>(range.minimum, value);
      range.maximum = std::max<double>(range.maximum, value);
      sum += value;
    }
    const auto count = static_cast<double>(values.size()), before = static_cast<double>(range.count);
    const double mean = sum / count, distance = mean - range.mean;
    for (const float value : values) own_squares += (value - mean) * (value - mean);
    squares += own_squares + distance * distance * before * count / (before + count);
    range.mean += distance * count / (before + count);
    range.count += static_cast<std::int64_t>(values.size());
  }
  if (range.count == 0) return {};
  range.std_dev = std::sqrt(squares / static_cast<double>(range.count));
  return range;
}

std::string range_warning(const InputRange& expected, const InputRange& seen) {
  if (expected.count == 0 || seen.count == 0) return {};
  const double center = (expected.minimum + expected.maximum) / 2;
  const double reach = 1.5 * (expected.maximum - expected.minimum) / 2;
  // A span of rounding size around constants is no difference.
  const double slack = 1e-6 * std::max(std::abs(expected.minimum), std::abs(expected.maximum));
  std::string why;
  if (seen.minimum < center - reach - slack || seen.maximum > center + reach + slack)
    why = "values far outside";
  else if (std::abs(seen.mean - expected.mean) > 3 * expected.std_dev + slack)
    why = "another mean";
  else if (seen.std_dev < expected.std_dev / 8)
    why = "a much smaller spread";
  if (why.empty()) return {};
  return fmt::format(
      "the input looks different from what the model was made for ({}): {:.4g} to {:.4g} with mean {:.4g}, expected "
      "{:.4g} to {:.4g} with mean {:.4g}; is the preprocess description the right one?",
      why, seen.minimum, seen.maximum, seen.mean, expected.minimum, expected.maximum, expected.mean);
}

std::string range_to_json(const InputRange& range) {
  return nlohmann::json{{"minimum", range.minimum},
                        {"maximum", range.maximum},
                        {"mean", range.mean},
                        {"std", range.std_dev},
                        {"count", range.count}}
      .dump();
}

InputRange parse_range(std::string_view text) {
  try {
    const auto json = nlohmann::json::parse(text);
    return {json.at("minimum"), json.at("maximum"), json.at("mean"), json.at("std"), json.at("count")};
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorCode::kMalformedModel, "metadata '{}' cannot be read: {}", kInputRangeKey, error.what());
  }
}

}  // namespace pare
