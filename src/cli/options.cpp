#include "cli/options.h"

#include <algorithm>
#include <filesystem>

#include "core/atomic_file.h"
#include "core/fail.h"
#include "pare/model_io.h"
#include "pare/split.h"

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
                              ".bin(.xz), IDX -ubyte(.gz), .npy, .npz, a folder of images, or, with \"tile\" in the "
                              "preprocess file, rasters: scene.tif, scene.tif#train, a folder of them");
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

void check_outputs(const CLI::App& verb) {
  const std::vector<std::string> names = {"out", "json", "report"};
  std::vector<std::string> outputs, inputs;
  for (const CLI::Option* option : verb.get_options()) {
    const std::vector<std::string> lnames = option->get_lnames();
    const bool is_output = std::any_of(lnames.begin(), lnames.end(), [&](const std::string& name) {
      return std::find(names.begin(), names.end(), name) != names.end();
    });
    for (const std::string& word : option->results()) (is_output ? outputs : inputs).push_back(word);
  }
  std::erase(outputs, "-");
  std::error_code error;
  const auto place = [&](const std::string& path) { return fs::weakly_canonical(path, error); };
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    for (const std::string& input : inputs)
      if (fs::exists(input, error) && place(outputs[i]) == place(input))
        fail(ErrorCode::kInvalidArgument,
             "the output {} is the input itself\n  remedy: choose another name; pare never touches its input",
             outputs[i]);
    for (std::size_t j = 0; j < i; ++j)
      if (place(outputs[i]) == place(outputs[j]))
        fail(ErrorCode::kInvalidArgument, "two outputs are to be written to {}\n  remedy: give each a name of its own",
             outputs[i]);
    const AtomicFile probe(outputs[i]);  // never committed: leaves nothing
  }
}

SplitData split_data(const std::shared_ptr<const Dataset>& all, std::uint64_t seed) {
  constexpr std::int64_t kMost = 10000;
  Split split = set_aside(*all, kMost, seed);
  return {subset(all, std::move(split.train)), subset(all, std::move(split.validation))};
}

}  // namespace pare
