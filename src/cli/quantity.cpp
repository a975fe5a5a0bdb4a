#include "cli/quantity.h"

#include <cctype>
#include <cmath>
#include <cstdlib>

#include "core/fail.h"
#include "core/words.h"

namespace pare {
namespace {

/// The number at the start; the rest in lower case without blanks goes to `unit`.
double number_and_unit(const std::string& text, std::string* unit) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || !std::isfinite(value)) return NAN;
  for (const char c : trim(end)) *unit += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return value;
}

}  // namespace

double parse_share(const std::string& text, const std::string& option) {
  std::string unit;
  double value = number_and_unit(text, &unit);
  if (unit == "%") {
    value /= 100;
  } else if (!unit.empty()) {
    value = NAN;
  }
  if (!(value >= 0 && value <= 1))
    fail(ErrorCode::kInvalidArgument, "{} {}: a share between 0% and 100% is needed\n  example: {} 1%", option, text,
         option);
  return value;
}

std::int64_t parse_bytes(const std::string& text, const std::string& option) {
  std::string unit;
  double value = number_and_unit(text, &unit);
  if (!unit.empty() && unit.back() == 'b') unit.pop_back();
  const bool binary = unit.size() == 2 && unit[1] == 'i';
  const std::size_t prefix = unit.empty() ? std::string::npos : std::string("kmgt").find(unit[0]);
  if (!unit.empty() && prefix == std::string::npos) value = NAN;
  const std::size_t power = prefix + 1;  // npos + 1 is 0: no prefix
  if ((unit.size() == 2 && !binary) || unit.size() > 2 || power > 4) value = NAN;
  if (!(value > 0))
    fail(ErrorCode::kInvalidArgument, "{} {}: a size is needed\n  example: {} 500KB", option, text, option);
  return static_cast<std::int64_t>(value * std::pow(binary ? 1024.0 : 1000.0, static_cast<double>(power)));
}

}  // namespace pare
