// format.h - numbers as people read them: always with a unit, ratios that say which way.
#pragma once

#include <cstdint>
#include <string>

#include "pare/measure.h"

namespace pare {

[[nodiscard]] std::string format_bytes(std::int64_t bytes);  ///< "3.44 MB" (10^6), "312 B"
[[nodiscard]] std::string format_count(std::int64_t count);  ///< "125.5 M", "4.09 G", "812"
[[nodiscard]] std::string format_ms(double milliseconds);    ///< "1.95 ms", "12.3 us"
[[nodiscard]] std::string format_seconds(double seconds);    ///< "12 s", "0.8 s", "3:05 min"
/// A metric's value: "93.39 %" for shares, three significant digits otherwise.
[[nodiscard]] std::string format_metric(Metric metric, double value);
/// A difference of two values: "-0.04 points" for shares.
[[nodiscard]] std::string format_difference(Metric metric, double difference);
[[nodiscard]] std::string format_speed(double ratio);  ///< "2.19x faster", "1.30x slower", "1.00x"
[[nodiscard]] std::string format_ratio_interval(const SpeedComparison& speed);  ///< "2.19x (2.17 to 2.22)"
[[nodiscard]] std::string format_smaller(std::int64_t before,
                                         std::int64_t after);  ///< "3.5x smaller", "1.2x larger", "same size"

}  // namespace pare
