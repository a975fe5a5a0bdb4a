#include "pare/session.h"

#include "core/fail.h"
#include "core/words.h"
#include "pare/model_io.h"
#include "runtime/backend.h"
#include "runtime/model_source.h"

namespace pare {
namespace {

#if PARE_WITH_OPENVINO
std::string version_of_openvino() { return openvino_version(); }
std::unique_ptr<Session> open_openvino(ModelSource source, const SessionOptions& options) {
  return open_in_openvino(std::move(source), options);
}
#else
[[noreturn]] void fail_without_openvino() {
  fail(ErrorCode::kUnsupported,
       "this build of pare has no OpenVINO\n  remedy: run scripts/setup and build with -DPARE_WITH_OPENVINO=ON");
}
std::string version_of_openvino() { fail_without_openvino(); }
std::unique_ptr<Session> open_openvino(ModelSource, const SessionOptions&) { fail_without_openvino(); }
#endif

}  // namespace

std::unique_ptr<Session> open_source(ModelSource source, const SessionOptions& options) {
  if (options.threads < 1)
    fail(ErrorCode::kInvalidArgument, "a session cannot run with {} threads\n  remedy: give 1 or more",
         options.threads);
  switch (options.runtime) {
    case Runtime::kOnnxRuntime:
      return open_in_onnxruntime(std::move(source), options);
    case Runtime::kOpenVino:
      return open_openvino(std::move(source), options);
  }
  fail(ErrorCode::kInternal, "runtime number {} is unknown", static_cast<int>(options.runtime));
}

std::unique_ptr<Session> reopen_source(const ModelSource& source, const SessionOptions& options,
                                       const std::vector<Tensor>& bound) {
  if (source.bytes.empty() && !std::filesystem::exists(source.file)) return nullptr;
  auto session = open_source(source, options);
  NamedTensors inputs;
  for (std::size_t i = 0; i < bound.size(); ++i) inputs[source.inputs[i].name] = bound[i];
  if (!bound.empty()) session->bind(inputs);
  return session;
}

std::string_view runtime_name(Runtime runtime) noexcept {
  return runtime == Runtime::kOpenVino ? "OpenVINO" : "ONNX Runtime";
}

Runtime parse_runtime(std::string_view word) {
  if (word == "onnxruntime") return Runtime::kOnnxRuntime;
  if (word == "openvino") return Runtime::kOpenVino;
  const std::vector<std::string> known = {"onnxruntime", "openvino"};
  fail(ErrorCode::kInvalidArgument, "there is no runtime '{}'; the runtimes are: {}{}", word, join(known, ", "),
       nearest_hint(word, known));
}

bool runtime_available(Runtime runtime, std::string* why) {
  try {
    static_cast<void>(runtime_version(runtime));
    return true;
  } catch (const Error& error) {
    if (why != nullptr) *why = error.what();
    return false;
  }
}

std::string runtime_version(Runtime runtime) {
  return runtime == Runtime::kOpenVino ? version_of_openvino() : onnxruntime_version();
}

std::vector<Tensor> Session::run(const NamedTensors& inputs) {
  bind(inputs);
  run_bound();
  return results();
}

std::unique_ptr<Session> open_session(const Model& model, const SessionOptions& options) {
  // A runtime has read or mapped everything once its session is open, so a temporary folder may go at the end of this.
  PreparedModel prepared =
      prepare_model(model, options.extra_outputs, {.weights_apart = options.runtime == Runtime::kOnnxRuntime});
  return open_source(std::move(prepared.source), options);
}

std::unique_ptr<Session> open_session(const std::filesystem::path& path, const SessionOptions& options) {
  // The runtime reads the file itself, as it will where the model is used; our own copy of the weights is gone by then.
  ModelSource source;
  {
    const Model model = load_model(path);
    if (!options.extra_outputs.empty()) return open_session(model, options);
    source.file = path;
    source.inputs = model.graph.inputs;
    source.outputs = model.graph.outputs;
  }
  for (const ValueInfo& output : source.outputs) source.output_names.push_back(output.name);
  return open_source(std::move(source), options);
}

}  // namespace pare
