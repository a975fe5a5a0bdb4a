#include "core/duration.h"

#include <cmath>
#include <cstdlib>

#include "core/fail.h"
#include "core/words.h"

namespace pare {

double parse_duration(const std::string& text, const std::string& option) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  const std::string unit = trim(end);
  const double seconds = unit.empty() || unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : NAN;
  const double duration = value * seconds;
  if (end == text.c_str() || !std::isfinite(duration) || duration <= 0)
    fail(ErrorCode::kInvalidArgument, "{} {}: a time is needed\n  example: {} 90s, or 10m, or 2h", option, text,
         option);
  return duration;
}

}  // namespace pare
