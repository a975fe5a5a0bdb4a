// engine.h - what the library that holds torch offers to the one that does not.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pare/train.h"

namespace pare {

/// Implemented by libpare_train.so.
class TrainEngine {
 public:
  virtual ~TrainEngine() = default;
  [[nodiscard]] virtual std::vector<NodeReason> refusals(const Model& model) const = 0;
  [[nodiscard]] virtual TrainResult train(const Model& student, const Model* teacher,
                                          const std::shared_ptr<const Dataset>& data, const TrainOptions& options,
                                          ProgressSink& progress) const = 0;
};

/// The name under which libpare_train.so hands it out: extern "C" const TrainEngine* pare_train_engine().
inline constexpr const char* kTrainEngineSymbol = "pare_train_engine";

/// Opens libpare_train.so, which lies beside this library, at the first call. Throws Error(kUnsupported) saying what is
/// missing and how to get it.
[[nodiscard]] const TrainEngine& train_engine();

}  // namespace pare
