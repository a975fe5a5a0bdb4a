// share.h - a worker's part of every batch, and the sum of all workers' gradients.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "train/torch/executor.h"
#include "train/torch/objective.h"
#include "train/torch/process_group.h"

namespace pare {

/// Samples of a batch that worker `rank` of `count` sees. A sample and its partner of mixup (the one as far from the
/// other end of the batch) are always seen by the same one.
[[nodiscard]] std::int64_t share_size(std::int64_t batch, const Workers& workers);
/// Of whole batches one after another, this worker's parts one after another.
[[nodiscard]] std::vector<std::int64_t> share_of(const std::vector<std::int64_t>& order, std::int64_t batch,
                                                 const Workers& workers);

/// Gradients as one buffer, since one large message is faster than many small ones.
class GradientSum {
 public:
  explicit GradientSum(const std::vector<TrainedTensor>& parameters);
  /// Afterwards the parameters' gradients and the losses are the sums over all workers.
  void run(ProcessGroup& group, LossParts& parts);

 private:
  std::vector<at::Tensor> parameters_;
  at::Tensor buffer_;
  std::vector<at::Tensor> parts_;  ///< of the buffer, with shape and strides of the parameters
};

/// The mean over all workers, in place.
void average(ProcessGroup& group, const std::vector<at::Tensor>& tensors);

}  // namespace pare
