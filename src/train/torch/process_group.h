// process_group.h - the processes that train one network together: sums over them, copies of rank 0's numbers.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "pare/error.h"
#include "pare/progress.h"
#include "pare/train.h"

namespace pare {

/// Somebody is gone.
class WorkerLost final : public Error {
 public:
  WorkerLost(std::string who, std::string reason)
      : Error(ErrorCode::kIo, who + " was lost (" + reason + ")"), who_(std::move(who)), reason_(std::move(reason)) {}
  [[nodiscard]] const std::string& who() const noexcept { return who_; }  ///< "rank 1", "ranks 1, 3"
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }

 private:
  std::string who_, reason_;
};

/// torch's process group over gloo (TCP). Every rank makes the same calls in the same order. Each throws WorkerLost
/// when another process is gone (at once if its connection closes, after Workers::timeout_s if it is silent).
class ProcessGroup {
 public:
  /// Waits until all have come, ten times as long as for a silent one. Throws Error(kIo) naming those that have not,
  /// Error(kInterrupted) when `progress` is cancelled meanwhile.
  explicit ProcessGroup(const Workers& workers, const ProgressSink& progress = silent_progress());
  ~ProcessGroup();
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;

  [[nodiscard]] int rank() const noexcept { return workers_.rank; }
  [[nodiscard]] int count() const noexcept { return workers_.count; }

  /// In place, contiguous; the same bits on every rank.
  void sum(const at::Tensor& tensor);
  [[nodiscard]] std::vector<double> sum(const std::vector<double>& numbers);
  /// Into every rank's tensors what rank 0 has in them. Any strides, shapes the same everywhere.
  void copy_from_first(const std::vector<at::Tensor>& tensors);
  /// Rank 0's numbers. `patient`: rank 0 is at work by itself (validation), silence is no sign of death for an hour.
  [[nodiscard]] std::vector<double> of_first(const std::vector<double>& numbers, bool patient = false);
  /// The last call: nobody goes before rank 0 has everything.
  void leave();

 private:
  struct Connection;
  Workers workers_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace pare
