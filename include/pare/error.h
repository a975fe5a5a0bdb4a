// pare/error.h - the one exception type that everything in pare throws.
#pragma once

#include <stdexcept>
#include <string>

namespace pare {

enum class ErrorCode {
  kInvalidArgument,  ///< the caller's words or values do not fit (unknown name, wrong shape, wrong option)
  kUnsupported,      ///< well-formed, but pare or the runtime has no way to do it
  kMalformedModel,   ///< the file is not ONNX, or the graph breaks ONNX's rules
  kIo,               ///< a file could not be read or written
  kNumeric,          ///< NaN or infinity where there must be none, or a check of numbers failed
  kInterrupted,      ///< the user asked to stop; nothing was left half done
  kInternal,         ///< a fault of pare itself; please report it
};

/// What went wrong, where (node, operator, shapes) and what to do about it. The first line of the message is the
/// statement; further lines, if any, are details and the remedy ("remedy: ...").
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  [[nodiscard]] ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace pare
