// engine.h - what the library that holds torch offers to the one that does not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "pare/train.h"

namespace pare {

/// Of the samples that a block is fitted on, the last of every eight only judges: no step sees it.
inline constexpr std::size_t kJudgedEvery = 8;

/// One part of a network, to be fitted to what it should give.
struct BlockJob {
  Model block;                       ///< one output
  std::vector<NamedTensors> inputs;  ///< by batch
  std::vector<Tensor> targets;       ///< by batch: the output as it should be
  std::set<std::string> frozen;      ///< stored tensors that stay as they are
  /// Steps are taken on batches as they come, not on samples drawn from all of them: the network spells its batch out.
  bool whole_batches = false;
  std::int64_t steps = 300;
  std::int64_t batch = 32;
  double learning_rate = 1e-3;
  int threads = 1;
  std::uint64_t seed = 0;
};

/// Errors: squared difference to the target over the target's squares, on the samples that judge.
struct BlockFit {
  Model block;  ///< with the weights of the step after which error_after was least
  double error_before = 0, error_after = 0;
  double seen_before = 0, seen_after = 0;  ///< the same on the samples that steps are taken on
  std::int64_t weights = 0;                ///< numbers that could change
};

/// Implemented by libpare_train.so.
class TrainEngine {
 public:
  virtual ~TrainEngine() = default;
  [[nodiscard]] virtual std::vector<NodeReason> refusals(const Model& model) const = 0;
  [[nodiscard]] virtual TrainResult train(const Model& student, const Model* teacher,
                                          const std::shared_ptr<const Dataset>& data, const TrainOptions& options,
                                          ProgressSink& progress) const = 0;
  /// Adam on the block's weights alone, the rate falling from `learning_rate` to 0 by a cosine. Weights that are
  /// exactly 0 stay 0.
  [[nodiscard]] virtual BlockFit fit_block(const BlockJob& job) const = 0;
};

/// The name under which libpare_train.so hands it out: extern "C" const TrainEngine* pare_train_engine().
inline constexpr const char* kTrainEngineSymbol = "pare_train_engine";

/// Opens libpare_train.so, which lies beside this library, at the first call. Throws Error(kUnsupported) saying what is
/// missing and how to get it.
[[nodiscard]] const TrainEngine& train_engine();

}  // namespace pare
