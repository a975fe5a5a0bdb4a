#include "pare/progress.h"

#include "pare/error.h"

namespace pare {
namespace {

class SilentProgress final : public ProgressSink {
 public:
  void begin(std::string_view, std::int64_t, std::string_view) override {}
  void advance(std::int64_t) override {}
  void end() override {}
  void note(std::string_view) override {}
  void warning(std::string_view) override {}
  [[nodiscard]] bool cancelled() const override { return false; }
};

}  // namespace

ProgressSink& silent_progress() {
  static SilentProgress sink;  // holds no state
  return sink;
}

ProgressTask::ProgressTask(ProgressSink& sink, std::string_view task, std::int64_t total, std::string_view unit)
    : sink_(sink) {
  sink_.begin(task, total, unit);
}
ProgressTask::~ProgressTask() { sink_.end(); }
void ProgressTask::advance(std::int64_t done) {
  sink_.advance(done);
  if (sink_.cancelled()) throw Error(ErrorCode::kInterrupted, "interrupted");
}

}  // namespace pare
