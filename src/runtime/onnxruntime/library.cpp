#include "runtime/onnxruntime/library.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "core/fail.h"
#include "core/words.h"
#include "runtime/onnxruntime/find_library.h"

namespace pare {
namespace {

constexpr const char* kHowToGet =
    "\n  remedy: run scripts/setup, or set PARE_ONNXRUNTIME_LIBRARY to the path of libonnxruntime.so (1.21 or newer)";

void ORT_API_CALL keep_message(void* sink, OrtLoggingLevel, const char*, const char*, const char*,
                               const char* message) {
  static_cast<LastMessage*>(sink)->set(message);
}

/// dlopen's handle is never closed: ONNX Runtime leaves threads and exit handlers behind.
void* open_handle(std::string& path) {
  std::vector<std::string> reasons;
  for (const std::string& candidate : onnxruntime_library_candidates()) {
    // RTLD_LOCAL: the library carries its own onnx and protobuf, which must not meet ours.
    if (void* handle = dlopen(candidate.c_str(), RTLD_NOW | RTLD_LOCAL)) {
      path = candidate;
      return handle;
    }
    if (const char* reason = dlerror()) reasons.emplace_back(reason);
  }
  fail(ErrorCode::kUnsupported, "ONNX Runtime cannot be opened: {}{}", join(reasons, "; "), kHowToGet);
}

bool is_older(const std::string& version, int minor) {
  const std::vector<std::string> parts = split(version, '.');
  return parts.size() < 2 || (parts[0] == "1" && std::atoi(parts[1].c_str()) < minor);
}

std::shared_ptr<OrtLibrary> open_library() {
  auto library = std::make_shared<OrtLibrary>();
  void* handle = open_handle(library->path);
  const auto get_base = reinterpret_cast<const OrtApiBase* (*)()>(dlsym(handle, "OrtGetApiBase"));
  if (get_base == nullptr)
    fail(ErrorCode::kUnsupported, "{} is not ONNX Runtime: it has no OrtGetApiBase{}", library->path, kHowToGet);
  library->version = get_base()->GetVersionString();
  // Asked first, because GetApi prints when it is asked for an interface it does not have.
  if (is_older(library->version, ORT_API_VERSION))
    fail(ErrorCode::kUnsupported, "ONNX Runtime {} at {} is too old{}", library->version, library->path, kHowToGet);
  const OrtApi* api = get_base()->GetApi(ORT_API_VERSION);
  if (api == nullptr)
    fail(ErrorCode::kUnsupported, "ONNX Runtime {} at {} does not offer interface {}{}", library->version,
         library->path, ORT_API_VERSION, kHowToGet);
  Ort::InitApi(api);
  try {
    library->env.emplace(ORT_LOGGING_LEVEL_ERROR, "pare", keep_message, &library->log);
  } catch (const Ort::Exception& error) {
    fail(ErrorCode::kUnsupported, "ONNX Runtime {} does not start: {}", library->version, error.what());
  }
  return library;
}

std::string remedy_for(const std::string& text) {
  const auto has = [&](const char* part) { return text.find(part) != std::string::npos; };
  if (has("IR version"))
    return "\n  remedy: lower the model's IR version, or set PARE_ONNXRUNTIME_LIBRARY to a newer ONNX Runtime";
  if (has("under development") || has("Opset"))
    return "\n  remedy: export the model with an older opset, or set PARE_ONNXRUNTIME_LIBRARY to a newer ONNX Runtime";
  if (has("is not a registered function/op") || has("No Op registered"))
    return "\n  remedy: the operator belongs to another tool or a newer opset; export the model with ONNX's own "
           "operators";
  if (has("NOT_IMPLEMENTED") || has("Could not find an implementation"))
    return "\n  remedy: ONNX Runtime's CPU has no kernel for this operator in this opset and element type; raise the "
           "model's opset, or convert the values around it to float32";
  if (has("No opset import for domain"))
    return "\n  remedy: the operators of that domain belong to another tool, which must turn them into ONNX's own";
  return {};
}

}  // namespace

void LastMessage::set(const char* message) {
  const std::lock_guard lock(mutex_);
  text_ = message;
}

std::string LastMessage::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(text_, {});
}

std::shared_ptr<OrtLibrary> onnxruntime_library() {
  // ONNX Runtime allows one environment per process, whoever asks for it, so it cannot be a member of anything smaller.
  // Sessions and their results hold it too: at the end of the process it goes after the last of them.
  static const std::shared_ptr<OrtLibrary> library = open_library();
  return library;
}

void fail_with(OrtLibrary& library, const std::string& what, const Ort::Exception& error) {
  std::string said = trim(error.what());
  const std::string logged = trim(library.log.take());
  if (said.empty()) said = logged;
  fail(ErrorCode::kUnsupported, "{}\n  ONNX Runtime {} says: {}{}", what, library.version, said, remedy_for(said));
}

}  // namespace pare
