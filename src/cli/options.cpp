#include "cli/options.h"

#include <filesystem>

#include "core/atomic_file.h"
#include "core/fail.h"
#include "pare/model_io.h"

namespace pare {
namespace fs = std::filesystem;

void declare_output(CLI::App& app, OutputOptions& options) {
  app.add_option("--json", options.json, "Write all figures as JSON to this file; - prints only JSON on stdout")
      ->group("Output");
  app.add_flag("-q,--quiet", options.quiet, "Print nothing but errors and warnings")->group("Output");
  app.add_flag("-v,--verbose", options.verbose, "List every node that was changed or skipped")->group("Output");
}

SessionOptions RunOptions::session() const {
  SessionOptions session;
  session.runtime = parse_runtime(runtime);
  session.threads = threads;
  session.force_float32 = float32;
  std::string why;
  if (!runtime_available(session.runtime, &why))
    fail(ErrorCode::kUnsupported, "{} is not available: {}", runtime_name(session.runtime), why);
  return session;
}

void declare_run(CLI::App& app, RunOptions& options) {
  app.add_option("--runtime", options.runtime, "onnxruntime or openvino: runs, times and is the target")
      ->capture_default_str()
      ->group("Running");
  app.add_option("--threads", options.threads, "Threads of the runtime")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024))
      ->group("Running");
  app.add_option("--seed", options.seed, "Seed of everything random")->capture_default_str()->group("Running");
  app.add_flag("--float32", options.float32, "OpenVINO: compute in float32 even where bf16 is its default")
      ->group("Running");
}

void declare_data(CLI::App& app, DataOptions& options, bool required) {
  auto* data = app.add_option("--data", options.data,
                              "Samples: a folder with one subfolder per class, images/ beside masks/, CIFAR-10 "
                              ".bin(.xz), IDX -ubyte(.gz), .npy, .npz, "
                              "or a folder of images");
  data->group("Data");
  if (required) data->required();
  app.add_option("--preprocess", options.preprocess,
                 "JSON file that says how pixels become the network's input (default: the copy in the model)")
      ->group("Data");
  app.add_option("--classes", options.classes, "Class names in the order of the network's outputs, separated by commas")
      ->delimiter(',')
      ->group("Data");
  app.add_option("--limit", options.limit, "Use the first so many samples (0: all)")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber)
      ->group("Data");
}

Model open_model(const std::string& path, bool allow_external_links) {
  return load_model(path, {.allow_external_links = allow_external_links});
}

Preprocess preprocess_for(const Model& model, const DataOptions& options) {
  if (!options.preprocess.empty()) {
    try {
      return parse_preprocess(read_whole_file(options.preprocess));
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kIo) throw;
      fail(ErrorCode::kInvalidArgument, "{}: {}", options.preprocess, error.what());
    }
  }
  if (const std::string* stored = model.find_metadata(kPreprocessKey)) return parse_preprocess(*stored);
  return {};
}

std::shared_ptr<const Dataset> open_data(const std::string& path, const Model& model, const DataOptions& options) {
  DatasetOptions dataset;
  dataset.preprocess = preprocess_for(model, options);
  dataset.inputs = model.graph.inputs;
  dataset.limit = options.limit;
  dataset.class_names = options.classes;
  return open_dataset(path, dataset);
}

void check_output(const std::string& output, const std::vector<std::string>& inputs) {
  std::error_code error;
  for (const std::string& input : inputs)
    if (fs::equivalent(output, input, error))
      fail(ErrorCode::kInvalidArgument,
           "the output {} is the input itself\n  remedy: choose another name; pare never touches its input", output);
  const AtomicFile probe(output);  // never committed: leaves nothing
}

}  // namespace pare
