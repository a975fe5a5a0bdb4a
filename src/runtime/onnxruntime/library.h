// library.h - the opened ONNX Runtime library and its one environment.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "runtime/onnxruntime/api.h"

namespace pare {

/// The last thing that ONNX Runtime logged; it would print otherwise.
class LastMessage {
 public:
  void set(const char* message);
  [[nodiscard]] std::string take();

 private:
  std::mutex mutex_;
  std::string text_;
};

struct [[gnu::visibility("hidden")]] OrtLibrary {
  std::string path;
  std::string version;  ///< "1.31.1"
  LastMessage log;
  std::optional<Ort::Env> env;  ///< even an empty one calls into the library when it is destroyed
};

/// Opened on first use and shared by all sessions. Throws Error(kUnsupported) if it cannot be; the next call tries
/// again.
[[nodiscard]] std::shared_ptr<OrtLibrary> onnxruntime_library();

/// Rethrows what ONNX Runtime threw: "{what}\n  ONNX Runtime 1.31.1 says: ...", and the remedy for the commonest
/// causes.
[[noreturn]] void fail_with(OrtLibrary& library, const std::string& what, const Ort::Exception& error);

}  // namespace pare
