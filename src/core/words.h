// words.h - small text work that messages and option parsers share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pare {

/// The known words nearest to `word` by edit distance, best first, at most `count`, none that has little in common with
/// it.
[[nodiscard]] std::vector<std::string> nearest_words(std::string_view word, const std::vector<std::string>& known,
                                                     std::size_t count = 3);
/// "\n  nearest: 'a', 'b'", or "" if nothing is near. To be appended to a message.
[[nodiscard]] std::string nearest_hint(std::string_view word, const std::vector<std::string>& known);
[[nodiscard]] std::vector<std::string> split(std::string_view text, char separator);
[[nodiscard]] std::string trim(std::string_view text);
[[nodiscard]] std::string join(const std::vector<std::string>& words, std::string_view separator);
/// "30,000".
[[nodiscard]] std::string with_commas(std::int64_t number);
/// Shell-style pattern: * any run of characters, ? one character; everything else itself.
[[nodiscard]] bool matches_pattern(std::string_view text, std::string_view pattern);

}  // namespace pare
