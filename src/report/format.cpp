#include "report/format.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstdlib>

namespace pare {
namespace {

bool is_share(Metric metric) { return metric != Metric::kRmse; }

std::string scaled(double value, const char* const* units, int count) {
  int unit = 0;
  while (unit + 1 < count && value >= 999.5) value /= 1000, ++unit;
  if (unit == 0) return fmt::format("{:.0f} {}", value, units[0]);
  return fmt::format("{:.{}f} {}", value, value < 9.995 ? 2 : value < 999.5 ? 1 : 0, units[unit]);
}

std::string trimmed(std::string text) {
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

}  // namespace

std::string format_bytes(std::int64_t bytes) {
  static constexpr std::array<const char*, 5> kUnits = {"B", "KB", "MB", "GB", "TB"};
  return scaled(static_cast<double>(bytes), kUnits.data(), kUnits.size());
}

std::string format_count(std::int64_t count) {
  static constexpr std::array<const char*, 5> kUnits = {"", "K", "M", "G", "T"};
  return trimmed(scaled(static_cast<double>(count), kUnits.data(), kUnits.size()));
}

std::string format_ms(double milliseconds) {
  if (milliseconds < 0.0995) return fmt::format("{:.1f} us", milliseconds * 1000);
  if (milliseconds < 0.9995) return fmt::format("{:.3f} ms", milliseconds);
  if (milliseconds < 99.95) return fmt::format("{:.{}f} ms", milliseconds, milliseconds < 9.995 ? 2 : 1);
  return fmt::format("{:.0f} ms", milliseconds);
}

std::string format_seconds(double seconds) {
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(std::lround(seconds));
  if (whole < 120) return fmt::format("{} s", whole);
  return fmt::format("{}:{:02} min", whole / 60, whole % 60);
}

std::string format_metric(Metric metric, double value) {
  return is_share(metric) ? fmt::format("{:.2f} %", 100 * value) : fmt::format("{:.4g}", value);
}

std::string format_difference(Metric metric, double difference) {
  if (!is_share(metric)) return fmt::format("{:+.3g}", difference);
  const double points = std::round(10000 * difference) / 100;
  return fmt::format("{}{:.2f} points", points > 0 ? "+" : points < 0 ? "-" : "", std::abs(points));
}

std::string format_speed(double ratio) {
  if (ratio >= 1.005) return fmt::format("{:.2f}x faster", ratio);
  if (ratio <= 0.995) return fmt::format("{:.2f}x slower", 1 / ratio);
  return "1.00x as fast";
}

std::string format_ratio_interval(const SpeedComparison& speed) {
  return fmt::format("{:.2f}x ({:.2f} to {:.2f})", speed.ratio, speed.interval.low, speed.interval.high);
}

std::string format_smaller(std::int64_t before, std::int64_t after) {
  const double ratio = static_cast<double>(before) / static_cast<double>(std::max<std::int64_t>(after, 1));
  if (ratio >= 1.005) return fmt::format("{:.{}f}x smaller", ratio, ratio < 2 ? 2 : 1);
  if (ratio <= 0.995) return fmt::format("{:.2f}x larger", 1 / ratio);
  return "same size";
}

}  // namespace pare
