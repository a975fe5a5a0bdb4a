#include <charconv>
#include <cmath>
#include <optional>

#include "core/fail.h"
#include "core/words.h"
#include "pare/step.h"

namespace pare {
namespace {

template <class T>
std::optional<T> parse_whole(std::string_view text) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// "0.5", "1e-3", "50%".
std::optional<double> parse_number(std::string_view text) {
  const bool percent = text.ends_with('%');
  if (percent) text.remove_suffix(1);
  const std::optional<double> number = parse_whole<double>(text);
  if (!number || !std::isfinite(*number)) return std::nullopt;
  return percent ? *number / 100 : *number;
}

std::optional<bool> parse_flag(std::string_view text) {
  if (text == "true" || text == "yes" || text == "on" || text == "1") return true;
  if (text == "false" || text == "no" || text == "off" || text == "0") return false;
  return std::nullopt;
}

std::vector<std::string> list_of(std::string_view text) {
  std::vector<std::string> words;
  for (const std::string& word : split(text, ','))
    if (std::string trimmed = trim(word); !trimmed.empty()) words.push_back(std::move(trimmed));
  return words;
}

void check_choice(const OptionInfo& info, const std::string& word) {
  if (info.choices.empty()) return;
  for (const std::string& choice : info.choices)
    if (choice == word) return;
  fail(ErrorCode::kInvalidArgument, "option '{}': '{}' is not one of {}{}", info.name, word, join(info.choices, ", "),
       nearest_hint(word, info.choices));
}

/// The value in the one spelling that text() prints and comparisons with the default use.
std::string canonical(const OptionInfo& info, const std::string& text) {
  switch (info.type) {
    case OptionInfo::Type::kFlag:
      if (text.empty()) return "true";
      if (const auto flag = parse_flag(text)) return *flag ? "true" : "false";
      fail(ErrorCode::kInvalidArgument, "option '{}': '{}' is neither true nor false", info.name, text);
    case OptionInfo::Type::kInt:
      if (const auto number = parse_whole<std::int64_t>(trim(text))) return std::to_string(*number);
      fail(ErrorCode::kInvalidArgument, "option '{}': '{}' is not a whole number", info.name, text);
    case OptionInfo::Type::kNumber:
      if (parse_number(trim(text))) return trim(text);
      fail(ErrorCode::kInvalidArgument, "option '{}': '{}' is not a number", info.name, text);
    case OptionInfo::Type::kWord:
      check_choice(info, text);
      return text;
    case OptionInfo::Type::kWordList:
      break;
  }
  const std::vector<std::string> words = list_of(text);
  for (const std::string& word : words) check_choice(info, word);
  return join(words, ",");
}

std::string default_of(const OptionInfo& info) {
  if (!info.default_text.empty()) return canonical(info, info.default_text);
  return info.type == OptionInfo::Type::kFlag ? "false" : "";
}

}  // namespace

StepOptions::StepOptions(std::span<const OptionInfo> infos, const std::map<std::string, std::string>& values) {
  std::vector<std::string> names;
  for (const OptionInfo& info : infos) {
    names.push_back(info.name);
    defaults_.emplace(info.name, default_of(info));
  }
  for (const auto& [name, text] : values) {
    const auto info =
        std::find_if(infos.begin(), infos.end(), [&](const OptionInfo& candidate) { return candidate.name == name; });
    if (info == infos.end())
      fail(ErrorCode::kInvalidArgument, "unknown option '{}'{}", name,
           infos.empty() ? std::string("; this step has none") : nearest_hint(name, names));
    values_.emplace(name, canonical(*info, text));
  }
}

const std::string& StepOptions::value(std::string_view name) const {
  if (const auto given = values_.find(name); given != values_.end()) return given->second;
  const auto found = defaults_.find(name);
  if (found == defaults_.end())
    fail(ErrorCode::kInternal, "a step asked for option '{}', which it does not have", name);
  return found->second;
}

bool StepOptions::flag(std::string_view name) const { return value(name) == "true"; }

std::int64_t StepOptions::integer(std::string_view name) const {
  if (const auto number = parse_whole<std::int64_t>(value(name))) return *number;
  fail(ErrorCode::kInvalidArgument, "option '{}' needs a whole number", name);
}

double StepOptions::number(std::string_view name) const {
  if (const auto number = parse_number(value(name))) return *number;
  fail(ErrorCode::kInvalidArgument, "option '{}' needs a number", name);
}

const std::string& StepOptions::word(std::string_view name) const { return value(name); }

std::vector<std::string> StepOptions::words(std::string_view name) const { return list_of(value(name)); }

bool StepOptions::given(std::string_view name) const { return values_.find(name) != values_.end(); }

std::string StepOptions::text() const {
  std::vector<std::string> parts;
  for (const auto& [name, text] : values_) {
    if (text == defaults_.find(name)->second) continue;
    // A value that would end the word or the step must be quoted to be read back.
    const bool quote = text.empty() || text.find_first_of(" ;\t\"") != std::string::npos;
    parts.push_back(quote ? fmt::format("{}=\"{}\"", name, text) : fmt::format("{}={}", name, text));
  }
  return join(parts, " ");
}

}  // namespace pare
