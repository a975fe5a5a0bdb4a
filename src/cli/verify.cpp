// pare verify: does this machine compute what the model's maker saw?
#include <fmt/format.h>

#include <filesystem>

#include "cli/options.h"
#include "cli/verb.h"
#include "pare/compress.h"
#include "pare/model_io.h"
#include "report/json.h"

namespace pare {
namespace {

class Verify final : public Verb {
 public:
  std::string name() const override { return "verify"; }
  std::string summary() const override {
    return "Self-test on this machine: the input and output stored in the model are run and compared";
  }
  std::string example() const override { return "pare verify small.onnx"; }

  void declare(CLI::App& app) override {
    app.add_option("model", model_, "An ONNX file that pare wrote")->required();
    declare_run(app, run_);
  }

  int run(Shell& shell) override {
    const Model model = open_model(model_);
    check_model(model);
    const SessionOptions options = run_.session();
    const SelfTestResult result = run_self_test(model, options);
    const std::string file = std::filesystem::path(model_).filename().string();
    shell.print(fmt::format("{}: {} on {} {}, {}\n  {}\n", file, result.passed ? "passed" : "FAILED",
                            runtime_name(options.runtime), runtime_version(options.runtime), cpu_description(),
                            result.detail));
    if (!result.passed && !cpu_features().safe_int8())
      shell.print(
          "  this CPU has no 8-bit dot products: int8 sums may saturate; quantize with --reduce-range on for it\n");
    shell.json({{"model", model_},
                {"passed", result.passed},
                {"worst_difference", result.worst_difference},
                {"detail", result.detail},
                {"environment", environment_json(options)}});
    return result.passed ? kDone : kFailed;
  }

 private:
  std::string model_;
  RunOptions run_;
};

}  // namespace

std::unique_ptr<Verb> make_verify() { return std::make_unique<Verify>(); }

}  // namespace pare
