// pare bench: latency of one model, or of two, interleaved and compared with a test.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>

#include "cli/options.h"
#include "cli/verb.h"
#include "core/fail.h"
#include "core/words.h"
#include "pare/measure.h"
#include "pare/model_io.h"
#include "report/format.h"
#include "report/json.h"
#include "report/table.h"

namespace pare {
namespace {

namespace fs = std::filesystem;

/// Runs this program again on one model, so that its peak memory is that model's alone. Returns bytes, or -1.
std::int64_t memory_in_fresh_process(const std::string& model, std::int64_t batch, std::int64_t image_size,
                                     const RunOptions& run) {
  std::array<int, 2> ends = {};
  if (pipe(ends.data()) != 0) return -1;
  const pid_t child = fork();
  if (child < 0) return -1;
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    const std::string batch_text = std::to_string(batch), threads = std::to_string(run.threads),
                      size = std::to_string(image_size);
    execl("/proc/self/exe", "pare", "bench", model.c_str(), "--memory-child", "--batch", batch_text.c_str(),
          "--image-size", size.c_str(), "--threads", threads.c_str(), "--runtime", run.runtime.c_str(), nullptr);
    _exit(127);
  }
  close(ends[1]);
  std::string text;
  std::array<char, 64> buffer = {};
  for (ssize_t got = 0; (got = read(ends[0], buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(got));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 && !text.empty() ? std::atoll(text.c_str()) : -1;
}

class Bench final : public Verb {
 public:
  std::string name() const override { return "bench"; }
  std::string summary() const override {
    return "How fast a model is; two models are timed in turn and compared with a test";
  }
  std::string example() const override { return "pare bench model.onnx small.onnx --batch 1,32"; }

  void declare(CLI::App& app) override {
    app.add_option("model", model_, "The ONNX file")->required();
    app.add_option("other", other_, "A second ONNX file: is it faster than the first?");
    app.add_option("--batch", batches_, "Batch sizes, separated by commas")
        ->delimiter(',')
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    app.add_option("--image-size", image_size_, "Height and width where the model leaves them open (0: probed)")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--time", benchmark_.budget_s, "Seconds of measuring for each batch size")
        ->capture_default_str()
        ->check(CLI::Range(0.05, 3600.0));
    app.add_flag("--layers", layers_, "Also list the slowest nodes, as the runtime sees them");
    app.add_flag("--memory-child", memory_child_)->group("");
    declare_run(app, run_);
  }

  int run(Shell& shell) override {
    const SessionOptions options = run_.session();
    benchmark_.seed = run_.seed;
    if (memory_child_) return report_own_memory(options);
    nlohmann::json report = {{"environment", environment_json(options)},
                             {"model", model_},
                             {"other", other_},
                             {"results", nlohmann::json::array()}};
    const Model model = open_model(model_);
    Table table({{"batch"},
                 {"model", false, 0, 12},
                 {"first", true, 3},
                 {"median"},
                 {"quartiles", true, 2},
                 {"memory", true, 4},
                 {"size", true, 5},
                 {"speed", false}});
    std::string description;
    for (const std::int64_t batch : batches_) {
      const NamedTensors inputs = inputs_for(model, batch);
      const auto session = open_session(fs::path(model_), options);
      description = session->description();
      session->bind(inputs);
      for (const auto& [name, tensor] : inputs)
        if (tensor.rank() >= 3) size_used_ = tensor.shape()[2];  // what the probe settled on, for the child process
      nlohmann::json entry = {{"batch", batch}};
      if (other_.empty()) {
        const Timing timing = benchmark(*session, benchmark_, shell.progress());
        entry["timing"] = to_json(timing);
        add_row(table, entry, "model", batch, model_, timing, "");
      } else {
        const auto second = open_session(fs::path(other_), options);
        second->bind(inputs);
        const SpeedComparison speed = compare_speed(*session, *second, benchmark_, shell.progress());
        entry["speed"] = to_json(speed);
        add_row(table, entry, "model", batch, model_, speed.baseline, "");
        add_row(table, entry, "other", batch, other_, speed.other,
                fmt::format("{}  {}", format_ratio_interval(speed), verdict_name(speed.verdict)));
      }
      report["results"].push_back(std::move(entry));
    }
    shell.print(fmt::format("{}, {}\n\n", description, cpu_description()));
    shell.print(table.text(shell.width()));
    if (layers_) list_layers(shell, model, options, report);
    shell.json(report);
    return kDone;
  }

 private:
  [[nodiscard]] NamedTensors inputs_for(const Model& model, std::int64_t batch) const {
    for (const ValueInfo& input : model.graph.inputs)
      if (input.shape && !input.shape->empty() && (*input.shape)[0].value && *(*input.shape)[0].value != batch &&
          input.shape->size() > 1)
        fail(ErrorCode::kInvalidArgument,
             "{}: input '{}' is fixed to a batch of {}, {} was asked\n  remedy: --batch {}", model_, input.name,
             *(*input.shape)[0].value, batch, *(*input.shape)[0].value);
    return probe_inputs(model, {.batch = batch, .image_size = image_size_, .seed = run_.seed, .shapes = {}});
  }

  void add_row(Table& table, nlohmann::json& entry, const std::string& key, std::int64_t batch, const std::string& path,
               const Timing& timing, const std::string& speed) const {
    const std::int64_t memory = memory_in_fresh_process(path, batch, size_used_, run_), size = size_on_disk(path);
    entry[key + "_peak_memory_bytes"] = memory;
    entry[key + "_size_bytes"] = size;
    table.add({with_commas(batch), fs::path(path).filename().string(), format_ms(timing.first_ms),
               format_ms(timing.median_ms), fmt::format("{} to {}", format_ms(timing.q1_ms), format_ms(timing.q3_ms)),
               memory < 0 ? "?" : format_bytes(memory), format_bytes(size), speed});
  }

  int report_own_memory(const SessionOptions& options) const {
    const auto session = open_session(fs::path(model_), options);
    session->bind(random_inputs(session->inputs(), {.batch = batches_.front(), .image_size = image_size_}));
    for (int i = 0; i < 3; ++i) session->run_bound();
    std::printf("%lld\n", static_cast<long long>(peak_memory_bytes()));
    return kDone;
  }

  void list_layers(Shell& shell, const Model& model, SessionOptions options, nlohmann::json& report) const {
    options.profile = true;
    const auto session = open_session(fs::path(model_), options);
    session->bind(inputs_for(model, batches_.front()));
    constexpr int kRuns = 20;
    for (int i = 0; i < kRuns; ++i) session->run_bound();
    std::vector<NodeTime> nodes = session->profile();
    std::sort(nodes.begin(), nodes.end(), [](const NodeTime& a, const NodeTime& b) { return a.total_ms > b.total_ms; });
    double total = 0;
    for (const NodeTime& node : nodes) total += node.total_ms;
    Table table({{"node", false, 0, 20}, {"kernel", false}, {"time"}, {"share"}});
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      report["layers"].push_back(
          {{"node", nodes[i].name}, {"op_type", nodes[i].op_type}, {"ms", nodes[i].total_ms / kRuns}});
      if (i < 15)
        table.add({nodes[i].name, nodes[i].op_type, format_ms(nodes[i].total_ms / kRuns),
                   fmt::format("{:.1f} %", 100 * nodes[i].total_ms / total)});
    }
    shell.print(fmt::format("\n{}: the slowest of {} nodes (profiling itself costs time)\n",
                            fs::path(model_).filename().string(), nodes.size()));
    shell.print(table.text(shell.width()));
  }

  std::string model_, other_;
  std::vector<std::int64_t> batches_ = {1};
  std::int64_t image_size_ = 0, size_used_ = 0;
  bool layers_ = false, memory_child_ = false;
  BenchmarkOptions benchmark_;
  RunOptions run_;
};

}  // namespace

std::unique_ptr<Verb> make_bench() { return std::make_unique<Bench>(); }

}  // namespace pare
