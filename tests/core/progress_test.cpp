#include "pare/progress.h"

#include "support/support.h"

namespace pare::testing {
namespace {

class Recorder final : public ProgressSink {
 public:
  void begin(std::string_view task, std::int64_t total, std::string_view) override {
    log.push_back(std::string(task) + " of " + std::to_string(total));
  }
  void advance(std::int64_t done) override { log.push_back(std::to_string(done)); }
  void end() override { log.push_back("end"); }
  void note(std::string_view) override {}
  void warning(std::string_view) override {}
  [[nodiscard]] bool cancelled() const override { return stop; }
  std::vector<std::string> log;
  bool stop = false;
};

TEST(ProgressTask, EndsEvenWhenItIsCancelled) {
  Recorder sink;
  expect_error(
      [&] {
        ProgressTask task(sink, "calibrate", 3, "images");
        task.advance(1);
        sink.stop = true;
        task.advance(2);
      },
      ErrorCode::kInterrupted, {"interrupted"});
  EXPECT_THAT(sink.log, ::testing::ElementsAre("calibrate of 3", "1", "2", "end"));
}

TEST(SilentProgress, IsNeverCancelled) {
  ProgressTask task(silent_progress(), "x", 1, "y");
  task.advance(1);
  EXPECT_FALSE(silent_progress().cancelled());
}

}  // namespace
}  // namespace pare::testing
