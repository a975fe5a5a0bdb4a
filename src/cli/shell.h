// shell.h - what every verb talks to: result on stdout, progress and warnings on stderr, JSON where asked for.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "pare/progress.h"

namespace pare {

struct OutputOptions {
  std::string json;  ///< file, "-" for stdout, empty for none
  bool quiet = false;
  bool verbose = false;
};

class Shell {
 public:
  explicit Shell(const OutputOptions& options);
  ~Shell();
  [[nodiscard]] ProgressSink& progress() noexcept { return *progress_; }
  [[nodiscard]] bool verbose() const noexcept { return options_.verbose; }
  /// Characters a line of stdout may have.
  [[nodiscard]] std::size_t width() const noexcept { return width_; }
  /// To stdout, unless that is for JSON alone or --quiet is given.
  void print(std::string_view text);
  void warn(std::string_view line);
  /// Writes the JSON where --json says; does nothing if it was not given.
  void json(const nlohmann::json& document);

 private:
  OutputOptions options_;
  std::size_t width_ = 80;
  std::unique_ptr<ProgressSink> progress_;
};

/// From now on the first Ctrl-C (or SIGTERM) asks running steps to stop, the second ends the process at once.
void catch_interrupts();
[[nodiscard]] bool interrupted() noexcept;

}  // namespace pare
