// pare/progress.h - how long steps tell what they are doing, and how they are told to stop.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace pare {

/// Where progress goes; the library itself never prints. Calls may come from one thread at a time.
class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  /// A task of `total` units begins (0: unknown). Tasks may nest.
  virtual void begin(std::string_view task, std::int64_t total, std::string_view unit) = 0;
  virtual void advance(std::int64_t done) = 0;  ///< `done` units of the innermost task so far
  virtual void end() = 0;
  virtual void note(std::string_view line) = 0;     ///< one line worth keeping
  virtual void warning(std::string_view line) = 0;  ///< one line that changes something for the user
  [[nodiscard]] virtual bool cancelled() const = 0;
};

/// Says nothing, is never cancelled.
ProgressSink& silent_progress();

/// begin/end as a scope. advance() throws Error(kInterrupted) when the sink is cancelled.
class ProgressTask {
 public:
  ProgressTask(ProgressSink& sink, std::string_view task, std::int64_t total, std::string_view unit);
  ~ProgressTask();
  ProgressTask(const ProgressTask&) = delete;
  ProgressTask& operator=(const ProgressTask&) = delete;
  void advance(std::int64_t done);

 private:
  ProgressSink& sink_;
};

}  // namespace pare
