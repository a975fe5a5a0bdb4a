#include <algorithm>
#include <charconv>

#include "core/fail.h"
#include "core/words.h"
#include "pare/augment.h"

namespace pare {
namespace {

const std::vector<std::string>& known_words() {
  static const std::vector<std::string> words = {"crop4",   "reflect4", "hflip",  "vflip", "rot90",
                                                 "cutout8", "cifar",    "aerial", "none"};
  return words;
}

/// The number in "crop4" for "crop"; 0: another word.
std::int64_t number_after(std::string_view name, std::string_view word) {
  if (!word.starts_with(name)) return 0;
  const std::string_view digits = word.substr(name.size());
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool whole = error == std::errc{} && end == digits.data() + digits.size();
  if (whole && number > 0 && number <= 65536) return number;
  if (!digits.empty() && std::any_of(digits.begin(), digits.end(), [](char c) { return c >= 'a' && c <= 'z'; }))
    return 0;
  fail(ErrorCode::kInvalidArgument, "augment: '{}' wants a number of pixels, {}{} say", word, name,
       name == "cutout" ? 8 : 4);
}

void take_word(AugmentOptions& options, const std::string& word) {
  const std::int64_t crop = number_after("crop", word), reflect = number_after("reflect", word);
  if (const std::int64_t cutout = number_after("cutout", word); cutout > 0) {
    options.cutout = cutout;
  } else if (crop > 0 || reflect > 0) {
    if (options.crop > 0) fail(ErrorCode::kInvalidArgument, "augment: '{}' is a second border to crop from", word);
    options.crop = std::max(crop, reflect);
    options.reflect = reflect > 0;
  } else if (word == "hflip") {
    options.horizontal_flip = true;
  } else if (word == "vflip") {
    options.vertical_flip = true;
  } else if (word == "rot90") {
    options.rotate90 = true;
  } else if (word == "cifar") {
    take_word(options, "crop4");
    options.horizontal_flip = true;
  } else if (word == "aerial") {
    options.horizontal_flip = options.vertical_flip = options.rotate90 = true;
  } else if (word != "none") {
    fail(ErrorCode::kInvalidArgument, "augment: unknown word '{}'{}\n  known: {}", word,
         nearest_hint(word, known_words()), join(known_words(), ", "));
  }
}

}  // namespace

AugmentOptions parse_augment(std::string_view words) {
  AugmentOptions options;
  const std::vector<std::string> list = split(words, ',');
  for (const std::string& word : list) {
    if (trim(word) == "none" && list.size() > 1)
      fail(ErrorCode::kInvalidArgument, "augment: 'none' stands beside other words in '{}'", words);
    take_word(options, trim(word));
  }
  return options;
}

std::string augment_text(const AugmentOptions& options) {
  std::vector<std::string> words;
  if (options.crop > 0) words.push_back(fmt::format("{}{}", options.reflect ? "reflect" : "crop", options.crop));
  if (options.horizontal_flip) words.emplace_back("hflip");
  if (options.vertical_flip) words.emplace_back("vflip");
  if (options.rotate90) words.emplace_back("rot90");
  if (options.cutout > 0) words.push_back(fmt::format("cutout{}", options.cutout));
  return words.empty() ? "none" : join(words, ",");
}

}  // namespace pare
