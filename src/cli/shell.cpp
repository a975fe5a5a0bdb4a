#include "cli/shell.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <vector>

#include "core/atomic_file.h"
#include "core/words.h"
#include "report/format.h"

namespace pare {
namespace {

volatile std::sig_atomic_t interrupt_count = 0;

extern "C" void on_interrupt(int) {
  interrupt_count = interrupt_count + 1;
  if (interrupt_count > 1) _exit(130);
}

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// One line a running step, replaced in place on a terminal; a plain line every ten seconds elsewhere.
class ConsoleProgress final : public ProgressSink {
 public:
  explicit ConsoleProgress(bool quiet) : quiet_(quiet), terminal_(isatty(STDERR_FILENO) != 0) {}
  ~ConsoleProgress() override { clear(); }

  void begin(std::string_view task, std::int64_t total, std::string_view unit) override {
    tasks_.push_back({std::string(task), std::string(unit), total, 0, Clock::now()});
    draw();
  }
  void advance(std::int64_t done) override {
    if (tasks_.empty()) return;
    tasks_.back().done = done;
    draw();
  }
  void end() override {
    if (tasks_.empty()) return;
    const Task task = tasks_.back();
    tasks_.pop_back();
    clear();
    const double seconds = seconds_since(task.start);
    // Steps over two seconds are summed up in one line where there is no terminal to have watched them on.
    if (!quiet_ && !terminal_ && seconds > 10) line(task.name + ": done in " + format_seconds(seconds));
    if (!tasks_.empty()) draw();
  }
  void note(std::string_view text) override {
    if (quiet_) return;
    clear();
    line(text);
  }
  void warning(std::string_view text) override {
    clear();
    line("warning: " + std::string(text));
  }
  [[nodiscard]] bool cancelled() const override { return interrupted(); }

 private:
  struct Task {
    std::string name, unit;
    std::int64_t total = 0, done = 0;
    Clock::time_point start;
  };

  static void line(std::string_view text) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
  }

  [[nodiscard]] static std::string text_of(const Task& task) {
    const double seconds = seconds_since(task.start);
    std::string text = task.name;
    if (task.total > 0) {
      const double share = std::min(1.0, static_cast<double>(task.done) / static_cast<double>(task.total));
      const auto filled = static_cast<std::size_t>(share * 16);
      text += "  [" + std::string(filled, '#') + std::string(16 - filled, '-') + "]  " + with_commas(task.done) +
              " of " + with_commas(task.total) + " " + task.unit;
      if (share > 0.02 && seconds > 1) text += "  " + format_seconds(seconds * (1 - share) / share) + " left";
    } else if (seconds >= 1) {
      text += "  " + format_seconds(seconds);
    }
    return text;
  }

  void draw() {
    if (quiet_) return;
    const auto now = Clock::now();
    const double pause = terminal_ ? 0.1 : 10;
    if (std::chrono::duration<double>(now - last_).count() < pause) return;
    last_ = now;
    if (tasks_.empty()) return;
    std::string text;
    // The outermost step, then the innermost with its bar.
    if (tasks_.size() > 1) text = tasks_.front().name + ": ";
    text += text_of(tasks_.back());
    if (!terminal_) {
      line(text);
      return;
    }
    std::fprintf(stderr, "\r\033[K%s", text.substr(0, 78).c_str());
    std::fflush(stderr);
    drawn_ = true;
  }

  void clear() {
    if (!drawn_) return;
    std::fprintf(stderr, "\r\033[K");
    std::fflush(stderr);
    drawn_ = false;
  }

  bool quiet_, terminal_, drawn_ = false;
  std::vector<Task> tasks_;
  Clock::time_point last_ = Clock::now();
};

}  // namespace

Shell::Shell(const OutputOptions& options)
    : options_(options), progress_(std::make_unique<ConsoleProgress>(options.quiet)) {
  winsize size = {};
  if (isatty(STDOUT_FILENO) != 0) {
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40) width_ = size.ws_col;
  } else {
    width_ = 160;  // a file or a pipe has no edge; beyond this a line is hard to read
  }
}

Shell::~Shell() = default;

void Shell::print(std::string_view text) {
  if (options_.quiet || options_.json == "-") return;
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void Shell::warn(std::string_view line) { progress_->warning(line); }

void Shell::json(const nlohmann::json& document) {
  if (options_.json.empty()) return;
  const std::string text = document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  if (options_.json == "-") {
    std::fwrite(text.data(), 1, text.size(), stdout);
  } else {
    write_file_atomically(options_.json, text);
  }
}

void catch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() noexcept { return interrupt_count > 0; }

}  // namespace pare
