// checkpoint.h - the state of a training run as a file that appears whole or not at all.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pare/tensor.h"
#include "pare/train.h"

namespace pare {

struct Checkpoint {
  std::string fingerprint = {};           ///< of network, data and options: only the same run goes on from it
  std::int64_t step = 0;                  ///< updates done
  std::vector<EpochFigures> epochs = {};  ///< finished ones
  EpochFigures running = {};              ///< sums of the epoch that is under way
  double best = 0;
  std::int64_t best_epoch = -1;
  std::map<std::string, Tensor> tensors = {};
};

/// An ONNX file: tensors as initializers, the rest as metadata, one node since there must be one. Throws Error(kIo).
void save_checkpoint(const Checkpoint& checkpoint, const std::filesystem::path& path);
/// nullopt if there is no such file. Throws Error(kMalformedModel) if it is no checkpoint.
[[nodiscard]] std::optional<Checkpoint> load_checkpoint(const std::filesystem::path& path);

}  // namespace pare
