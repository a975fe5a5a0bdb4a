// backend.h - what open_session asks of a runtime's own folder.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "pare/session.h"

namespace pare {

/// A model made ready for a runtime: serialized, or in a file (with its external data beside it).
struct ModelSource {
  std::string bytes;                                    ///< empty: load `file`
  std::filesystem::path file;                           ///< empty: load `bytes`
  std::vector<std::pair<std::string, Tensor>> weights;  ///< initializers that `bytes` declares without their data
  std::vector<ValueInfo> inputs;
  std::vector<ValueInfo> outputs;  ///< the model's, then the extra ones, named as they were asked for
  /// What the serialized model calls each output; differs from outputs[i].name for an extra output that is an input, an
  /// initializer or an output already.
  std::vector<std::string> output_names;
};

/// Both throw Error(kUnsupported) with the runtime's message quoted. They fill in the type of outputs that have none.
[[nodiscard]] std::unique_ptr<Session> open_in_onnxruntime(ModelSource source, const SessionOptions& options);
[[nodiscard]] std::unique_ptr<Session> open_in_openvino(ModelSource source, const SessionOptions& options);

/// In the runtime that the options name.
[[nodiscard]] std::unique_ptr<Session> open_source(ModelSource source, const SessionOptions& options);
/// What Session::reopen does: null if the source is a file that is gone.
[[nodiscard]] std::unique_ptr<Session> reopen_source(const ModelSource& source, const SessionOptions& options,
                                                     const std::vector<Tensor>& bound);

/// Throw Error(kUnsupported), saying how to get it, when the library cannot be opened.
[[nodiscard]] std::string onnxruntime_version();
[[nodiscard]] std::string openvino_version();

}  // namespace pare
