// verb.h - one verb of the command line.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/shell.h"

namespace pare {

/// Exit codes of the command.
inline constexpr int kDone = 0, kFailed = 1, kWrongUsage = 2, kGoalMissed = 3;

class Verb {
 public:
  virtual ~Verb() = default;
  [[nodiscard]] virtual std::string name() const = 0;
  [[nodiscard]] virtual std::string summary() const = 0;  ///< one line
  [[nodiscard]] virtual std::string example() const = 0;  ///< one command that works
  virtual void declare(CLI::App& app) = 0;
  virtual int run(Shell& shell) = 0;

  OutputOptions output_options;
};

#define PARE_VERB(name) std::unique_ptr<Verb> make_##name();
#include "cli/verbs.def"
#undef PARE_VERB

/// One verb for every step of the registry that a user calls by itself.
[[nodiscard]] std::vector<std::unique_ptr<Verb>> make_step_verbs();

}  // namespace pare
