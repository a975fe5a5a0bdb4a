// engine.h - what the library that holds torch offers to the one that does not.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pare/train.h"

namespace pare {

/// One block of a changed network, fitted alone by gradient.
struct BlockJob {
  Model block;                        ///< inputs and outputs of the block are the graph's
  std::vector<NamedTensors> batches;  ///< inputs as the changed network makes them
  std::vector<NamedTensors> targets;  ///< outputs as the dense network makes them, batch by batch
  double learning_rate = 1e-3;
  std::int64_t steps = 200;
  std::int64_t batch = 32;
  int threads = 1;
  std::uint64_t seed = 0;
};
struct BlockResult {
  Model block;
  double error_before = 0, error_after = 0;  ///< squared error over the target's mean square
};

/// Implemented by libpare_train.so.
class TrainEngine {
 public:
  virtual ~TrainEngine() = default;
  [[nodiscard]] virtual std::vector<NodeReason> refusals(const Model& model) const = 0;
  [[nodiscard]] virtual TrainResult train(const Model& student, const Model* teacher,
                                          const std::shared_ptr<const Dataset>& data, const TrainOptions& options,
                                          ProgressSink& progress) const = 0;
  [[nodiscard]] virtual BlockResult fit_block(const BlockJob& job) const = 0;
};

/// The name under which libpare_train.so hands it out: extern "C" const TrainEngine* pare_train_engine().
inline constexpr const char* kTrainEngineSymbol = "pare_train_engine";

/// Opens libpare_train.so, which lies beside this library, at the first call. Throws Error(kUnsupported) saying what is
/// missing and how to get it.
[[nodiscard]] const TrainEngine& train_engine();

}  // namespace pare
