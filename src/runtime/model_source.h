// model_source.h - turns a Model into what a runtime loads: extra outputs added, serialized or saved.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/temp_folder.h"
#include "runtime/backend.h"

namespace pare {

struct PreparedModel {
  ModelSource source;
  std::unique_ptr<TempFolder> folder;  ///< of source.file, for models too large for one message; else null
};

struct PrepareOptions {
  bool weights_apart = false;  ///< weights beside the message, for a runtime that takes them where they lie
  /// Weights of more bytes than this go to a temporary folder as external data: protobuf ends at 2 GiB.
  std::int64_t limit_bytes = 1'900'000'000;
};
/// Throws Error(kInvalidArgument) for an unknown extra output, with the nearest names.
[[nodiscard]] PreparedModel prepare_model(const Model& model, const std::vector<std::string>& extra_outputs,
                                          const PrepareOptions& options = {});

/// Names of the values that nodes of the main graph make, in node order, each once.
[[nodiscard]] std::vector<std::string> made_values(const Graph& graph);

}  // namespace pare
